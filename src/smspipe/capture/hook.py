"""What PostHog Cloud's webhook destination forwards: one event and, beside it, the person that it knows."""

from smspipe.capture.decode import RawEvent, RawHook


def unfold(hook: RawHook) -> RawEvent:
    """
    Give the forwarded event the shape of one that an SDK sent.

    The person's properties become the event's `$set`, under what the event itself sets, so that our own profile
    knows what PostHog's does, the phone number first of all.
    """
    event = hook.event
    properties = event.properties if event.properties is not None else {}
    event.properties = properties
    if hook.person is not None and hook.person.properties:
        own = properties.get("$set")
        properties["$set"] = hook.person.properties | own if isinstance(own, dict) else hook.person.properties
    if event.elements_chain:
        properties.setdefault("$elements_chain", event.elements_chain)
    return event
