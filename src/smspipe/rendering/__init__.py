"""
Rendering: from an event and a destination's templates to a recipient, a sender and a text that Twilio takes.

Pure: a template sees the globals it is given and the time it is told.
"""

from smspipe.rendering.globals import ROOTS, globals_for
from smspipe.rendering.message import message
from smspipe.rendering.recipient import Recipient, check_sender, find_recipient
from smspipe.rendering.segments import BODY_UNITS, Segments, check_body, count_segments
from smspipe.rendering.smart import smart_encode
from smspipe.rendering.template import CompiledText, TemplateError, compile_text

__all__ = [
    "BODY_UNITS",
    "ROOTS",
    "CompiledText",
    "Recipient",
    "Segments",
    "TemplateError",
    "check_body",
    "check_sender",
    "compile_text",
    "count_segments",
    "find_recipient",
    "globals_for",
    "message",
    "smart_encode",
]
