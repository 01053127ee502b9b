"""
Rendering: from an event and a destination's templates to a recipient, a sender and a text that Twilio takes.

Pure: a template sees the globals it is given and the time it is told.
"""

from smspipe.rendering.extras import CompiledExtras, describe
from smspipe.rendering.globals import ROOTS, globals_for
from smspipe.rendering.message import message
from smspipe.rendering.recipient import ANY_CHANNEL, Recipient, channel_of, check_sender, find_recipient
from smspipe.rendering.segments import BODY_UNITS, Segments, check_body, count_segments
from smspipe.rendering.smart import smart_encode
from smspipe.rendering.template import CompiledText, TemplateError, compile_text

__all__ = [
    "ANY_CHANNEL",
    "BODY_UNITS",
    "ROOTS",
    "CompiledExtras",
    "CompiledText",
    "Recipient",
    "Segments",
    "TemplateError",
    "channel_of",
    "check_body",
    "check_sender",
    "compile_text",
    "count_segments",
    "describe",
    "find_recipient",
    "globals_for",
    "message",
    "smart_encode",
]
