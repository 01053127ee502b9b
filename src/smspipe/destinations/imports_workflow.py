"""The SMS steps of PostHog's workflows, each as one destination for the events that start its workflow."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from smspipe.destinations import templates
from smspipe.destinations.filters import LONGEST_SECONDS
from smspipe.destinations.imports_filters import join, take_masking
from smspipe.destinations.imports_taken import SWITCHED_OFF, Document, Options, Taken, as_object

STEP: Final = "function_sms"
_WAITS: Final = frozenset({"delay", "wait_until_condition", "wait_until_event", "wait_until_time_window"})
_BRANCHES: Final = frozenset({"conditional_branch", "random_cohort_branch"})
_NO_FILTER: Final = "It is started by {}, and not by events: there is nothing here that it could wait for."


def is_workflow(given: Mapping[str, Any]) -> bool:
    """Is this a whole workflow: a list of actions, and what starts them?"""
    return isinstance(given.get("actions"), list) and ("trigger" in given or "edges" in given)


def is_step(given: Mapping[str, Any]) -> bool:
    """Is this one step of a workflow?"""
    config = given.get("config")
    return given.get("type") == STEP or (
        isinstance(config, Mapping)
        and isinstance(config.get("inputs"), Mapping)
        and (config.get("template_id") or templates.guess(config["inputs"])) == templates.TWILIO
    )


def take_step(step: Mapping[str, Any], options: Options) -> Taken:
    """Make a destination of one step by itself; which events it is for has to be said."""
    taken = _take(step, str(step.get("name") or "Send SMS"))
    if taken.body is None:
        return taken
    if not options.event:
        return taken.leave(
            "A step by itself does not say which event starts it: name the event (--event), or import the workflow."
        )
    event = {"id": options.event, "name": options.event, "type": "events"}
    taken.body["filters"] = {"source": "events", "events": [event]}
    _narrow(taken, step)
    return taken


def take_workflow(flow: Mapping[str, Any]) -> list[Taken]:
    """Make a destination of each step that sends a text."""
    actions = [each for each in flow["actions"] if isinstance(each, Mapping)]
    name = str(flow.get("name") or "Workflow")
    steps = [each for each in actions if each.get("type") == STEP]
    if not steps:
        return [Taken(name=name, body=None, needs=["This workflow has no step that sends a text."])]
    return [_take_in_flow(step, flow, actions, f"{name}: {step.get('name') or 'Send SMS'}") for step in steps]


def _take_in_flow(step: Mapping[str, Any], flow: Mapping[str, Any], actions: list[Any], name: str) -> Taken:
    taken = _take(step, name)
    if taken.body is None:
        return taken
    trigger = flow.get("trigger")
    if not isinstance(trigger, Mapping):
        found = [each.get("config") for each in actions if each.get("type") == "trigger"]
        trigger = as_object(found[0] if found else None)
    if trigger.get("type") != "event":
        return taken.leave(_NO_FILTER.format(f"a {trigger.get('type')}" if trigger.get("type") else "nothing known"))
    filters = as_object(trigger.get("filters"))
    if not (filters.get("events") or filters.get("actions") or filters.get("properties")):
        return taken.leave("The workflow's trigger names no event, so every event would lead to a text.")
    taken.body["filters"] = {"source": "events", **filters}
    taken.taken_over.append("The events and conditions that start its workflow.")
    if not _narrow(taken, step):
        return taken
    masking = take_masking(flow.get("trigger_masking"), LONGEST_SECONDS)
    taken.body["masking"] = masking.value
    taken.changed += masking.changed
    if flow.get("status") == "active":
        taken.changed.append(SWITCHED_OFF)
    _tell_what_stands_before(taken, step, flow, actions)
    return taken


def _take(step: Mapping[str, Any], name: str) -> Taken:
    """Take over the message itself."""
    config = as_object(step.get("config"))
    taken = Taken(name=name[:400], body=None)
    template_id = config.get("template_id") or templates.TWILIO
    if template_id != templates.TWILIO:
        return taken.leave(f"It is made from {template_id}, which sends no texts.")
    inputs = config.get("inputs")
    if not isinstance(inputs, Mapping) or not inputs:
        return taken.leave("It has no inputs, so there is no text to send.")
    taken.body = {
        "template_id": templates.TWILIO,
        "name": taken.name,
        "description": step.get("description") if isinstance(step.get("description"), str) else "",
        "enabled": False,
        "inputs_schema": templates.INTEGRATION_INPUTS,
        "inputs": dict(inputs),
        "hog": templates.INTEGRATION_CODE,
    }
    taken.taken_over.append("The text, its recipient and its sender.")
    if config.get("mappings"):
        taken.needs.append("The step has mappings, which are not taken over.")
    _tell_category(taken, config)
    return taken


def _tell_category(taken: Taken, config: Mapping[str, Any]) -> None:
    if config.get("message_category_type") == "transactional":
        taken.changed.append(
            "It is transactional: PostHog sends it to people who opted out of messages, too. Nobody who answered STOP"
            " gets it here."
        )
        return
    kind = "a marketing message" if config.get("message_category_type") == "marketing" else "a message of no category"
    taken.changed.append(
        f"It is {kind}: PostHog leaves out people who opted out on its own page. That list is not in the export;"
        " here those are left out who answered STOP."
    )
    taken.needs.append(
        "Store the numbers that opted out in PostHog here (smspipe optouts import), before it is switched on."
    )


def _narrow(taken: Taken, step: Mapping[str, Any]) -> bool:
    """Ask the step's own condition as well; tell whether that can be said."""
    assert taken.body is not None  # noqa: S101 (only called with one)
    if not step.get("filters"):
        return True
    joined = join(taken.body["filters"], step["filters"])
    if joined is None:
        taken.leave("The step's own filter and its trigger's cannot be written as one.")
        return False
    taken.body["filters"] = joined
    return True


def _tell_what_stands_before(
    taken: Taken, step: Mapping[str, Any], flow: Mapping[str, Any], actions: list[Any]
) -> None:
    """Name the parts of the workflow that decide when and to whom the text goes, and that nothing here stands for."""
    ancestors = _ancestors(str(step.get("id")), flow.get("edges"), actions)
    before = [(str(each.get("type")), each) for each in actions if str(each.get("id")) in ancestors]
    waits = [_called(each) for kind, each in before if kind in _WAITS]
    branches = [_called(each) for kind, each in before if kind in _BRANCHES]
    others = Counter(kind for kind, _ in before if kind not in _WAITS | _BRANCHES | {"trigger", "exit", STEP})
    if waits:
        taken.needs.append(f"The workflow waits before this step ({', '.join(waits)}); here the text goes out at once.")
    if branches:
        taken.needs.append(
            f"This step stands behind a branch ({', '.join(branches)}); here every event that starts the workflow leads"
            " to the text. Put the branch's condition into the filter."
        )
    if others:
        taken.changed.append(f"The steps before it are not taken over: {', '.join(others)}.")
    if flow.get("variables"):
        taken.needs.append("The workflow has variables, which are not there here: a text that names one is refused.")
    if flow.get("exit_condition") not in (None, "exit_only_at_end"):
        taken.needs.append("People leave the workflow on a condition of its own, which is not taken over.")


def _ancestors(step: str, edges: Any, actions: list[Any]) -> set[str]:
    """Find the steps from which a step can be reached; all others where nothing says."""
    if not isinstance(edges, list) or not edges:
        return {str(each.get("id")) for each in actions} - {step}
    into: dict[str, list[str]] = {}
    for edge in edges:
        if isinstance(edge, Mapping):
            into.setdefault(str(edge.get("to")), []).append(str(edge.get("from")))
    found: set[str] = set()
    pending = [step]
    while pending:
        fresh = set(into.get(pending.pop(), ())) - found
        found |= fresh
        pending += fresh
    return found - {step}


def _called(action: Document) -> str:
    lasts = as_object(action.get("config")).get("delay_duration")
    return f"{action.get('name') or action.get('type')}{f', {lasts}' if lasts else ''}"
