"""Regular expressions that users wrote. RE2 alone runs them, as at PostHog: its time is linear in the text."""

from collections.abc import Callable
from typing import Any, Final

import re2

from smspipe.model.errors import Invalid

_LONGEST: Final = 10_000
_MEMORY_BYTES: Final = 8 << 20


def compile_pattern(pattern: Any, field: str) -> Callable[[str], bool]:
    """
    Compile a regular expression to a search anywhere in a text. An empty one never matches, nor does an empty text.

    Raises:
        Invalid: it is no text, too long, or not RE2 (look-around and back-references are not).
    """
    if not isinstance(pattern, str):
        raise Invalid("A pattern must be text.", field=field, hint="Write the regular expression between quotes.")
    if len(pattern) > _LONGEST:
        raise Invalid(f"This pattern is too long: {_LONGEST} characters are the most.", field=field)
    options = re2.Options()
    options.log_errors = False  # RE2 would write to standard error
    options.max_mem = _MEMORY_BYTES
    try:
        search = re2.compile(pattern.encode("utf-8"), options).search
    except UnicodeEncodeError as error:
        raise Invalid("This pattern holds half of a character.", field=field) from error
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if error.args and type(error.args[0]) is bytes else str(error)
        raise Invalid(
            f"This is not a regular expression: {reason}.",
            field=field,
            hint="Patterns are RE2's: https://github.com/google/re2/wiki/Syntax",
        ) from error
    if not pattern:
        return lambda _text: False

    def found(text: str) -> bool:
        # Bytes spare RE2's Python side from counting characters; half a surrogate pair has no bytes.
        return text != "" and search(text.encode("utf-8", "replace")) is not None

    return found
