"""The message: what a destination's rendered parts make together, measured."""

from smspipe.model.message import Message
from smspipe.model.phone import E164
from smspipe.rendering.segments import count_segments


def message(to: E164, sender: str, body: str) -> Message:
    """
    Put a checked recipient, sender and body together, with what Twilio will bill for the text.

    Args:
        to: from `find_recipient`.
        sender: from `check_sender`.
        body: from `check_body`.
    """
    counted = count_segments(body)
    return Message(to=to, sender=sender, body=body, encoding=counted.encoding, segments=counted.segments)
