"""The message: what a destination's rendered parts make together, measured."""

from smspipe.model.message import Extras, Message
from smspipe.model.phone import E164
from smspipe.rendering.segments import count_segments
from smspipe.rendering.smart import smart_encode


def message(to: E164, sender: str, body: str, extras: Extras | None = None) -> Message:
    """
    Put a checked recipient, sender and body together, with what Twilio will bill for the text.

    Args:
        to: from `find_recipient`.
        sender: from `check_sender`.
        body: from `check_body`.
        extras: what else is asked of Twilio; with Smart Encoding the segments are those of what Twilio then sends.
    """
    counted = count_segments(smart_encode(body) if extras is not None and extras.smart_encoded else body)
    return Message(to=to, sender=sender, body=body, encoding=counted.encoding, segments=counted.segments, extras=extras)
