"""
Functions on text.

Places and lengths count UTF-16 code units, as JavaScript does; what would cut a character in two leaves
U+FFFD there, because half a character can be sent to nobody. Where PostHog's own functions fail on
null, these yield null, so that a missing property costs a word and not the whole text message.
"""

import math
from typing import Any

from smspipe.hog import comparing
from smspipe.hog.library.function import hog
from smspipe.hog.limits import CHARACTERS_A_STEP, Run
from smspipe.hog.values import HogError, InvalidDate, js_text, to_number, to_string, to_text


def as_text(run: Run, value: Any) -> str:
    """Take an argument as text, printing what is not, and count the work of reading it."""
    if type(value) is not str:
        return run.printed(to_string(value))
    run.work(len(value) // CHARACTERS_A_STEP)
    return value


def plain_text(run: Run, value: Any) -> str:
    """Take an argument as JavaScript's `String()` does, and count the work of printing what is not text."""
    return value if type(value) is str else run.printed(js_text(value))


def utf16(text: str) -> bytes:
    """Encode as UTF-16, two bytes a unit."""
    return text.encode("utf-16-le", "surrogatepass")


def from_utf16(units: bytes) -> str:
    """Decode UTF-16; half of a pair becomes U+FFFD."""
    return units.decode("utf-16-le", "replace")


def units_before(text: str, index: int) -> int:
    """Count the UTF-16 units of the first `index` characters."""
    return index if text.isascii() else len(utf16(text[:index])) // 2


def whole_number(value: Any, fallback: int = 0) -> int:
    """Take an argument as a whole number, cut towards zero; NaN is `fallback`, infinity a very large number."""
    number = to_number(value)
    if number != number:
        return fallback
    return int(max(-(2.0**53), min(2.0**53, number)))


def unsigned(value: Any) -> int:
    """Take a limit as JavaScript does, in 32 bits without a sign: -1 is the largest, infinity none at all."""
    number = to_number(value)
    return int(number) % 2**32 if math.isfinite(number) else 0


@hog("concat", 1, None)
def concat(run: Run, *values: Any) -> str:
    """Join the texts of all values; null is empty."""
    pieces = [value if type(value) is str else run.printed(to_text(value)) for value in values]
    run.allocate(sum(map(len, pieces)) + 8)
    return "".join(pieces)


@hog("toString", 1, 2)
@hog("toUUID", 1, 1)
def to_string_function(run: Run, value: Any, _: Any = None) -> str | None:
    """Print a value; null is the text `null`, and a datetime that could not be read is null."""
    if type(value) is InvalidDate and value.clock:
        return None
    return run.printed(to_string(value))


@hog("lower", 1, 1)
def lower(run: Run, value: Any) -> str | None:
    """Turn to lower case."""
    return None if value is None else run.made(as_text(run, value).lower())


@hog("upper", 1, 1)
def upper(run: Run, value: Any) -> str | None:
    """Turn to upper case."""
    return None if value is None else run.made(as_text(run, value).upper())


@hog("reverse", 1, 1)
def reverse(run: Run, value: Any) -> str | None:
    """Reverse the characters."""
    return None if value is None else run.made(as_text(run, value)[::-1])


@hog("length", 1, 1)
def length(run: Run, value: Any) -> int | None:
    """Count the UTF-16 units of a text, the items of a list or the keys of an object; null has 0, a number null."""
    if value is None:
        return 0
    if type(value) is str:
        run.work(len(value) // CHARACTERS_A_STEP)
        return units_before(value, len(value))
    return len(value) if type(value) in (list, tuple, dict) else None


def _trim(run: Run, value: Any, character: Any, *, left: bool, right: bool) -> str | None:
    if value is None:
        return None
    text = as_text(run, value)
    single = " " if character is None else character
    if type(single) is not str or len(single) != 1:
        return ""
    text = text.lstrip(single) if left else text
    return text.rstrip(single) if right else text


@hog("trim", 1, 2)
def trim(run: Run, value: Any, character: Any = None) -> str | None:
    """Take one character, a space unless told, from both ends; "" when told more than one."""
    return _trim(run, value, character, left=True, right=True)


@hog("trimLeft", 1, 2)
def trim_left(run: Run, value: Any, character: Any = None) -> str | None:
    """Take one character from the start."""
    return _trim(run, value, character, left=True, right=False)


@hog("trimRight", 1, 2)
def trim_right(run: Run, value: Any, character: Any = None) -> str | None:
    """Take one character from the end."""
    return _trim(run, value, character, left=False, right=True)


def _replacement(pattern: str, before: str, found: str, after: str) -> str:
    """Expand JavaScript's `$$`, `$&`, `` $` `` and `$'` in what replaces `found`."""
    if "$" not in pattern:
        return pattern
    pieces = {"$": "$", "&": found, "`": before, "'": after}
    parts = pattern.split("$")
    expanded = [parts[0]]
    index = 1
    while index < len(parts):
        part = parts[index]
        if not part and index + 1 < len(parts):  # "$$"
            expanded.append("$" + parts[index + 1])
            index += 2
            continue
        expanded.append(pieces[part[0]] + part[1:] if part and part[0] in "&`'" else "$" + part)
        index += 1
    return "".join(expanded)


def _replace(run: Run, value: Any, sought: Any, replacement: Any, limit: int) -> str | None:
    if value is None:
        return None
    text, old = as_text(run, value), plain_text(run, sought)
    new = plain_text(run, replacement)
    count = min(text.count(old), limit) if limit > 0 else text.count(old)
    run.work(count)
    if "$" not in new:
        run.allocate(len(text) + count * max(0, len(new) - len(old)) + 8)
        return text.replace(old, new, limit)
    pieces: list[str] = []
    start = end = 0
    for _ in range(count):
        start = text.find(old, end) if old else end
        run.allocate(len(text) + len(new))  # "$`" and "$'" copy the text around what was found
        piece = _replacement(new, text[:start], old, text[start + len(old) :])
        run.allocate(len(piece))
        pieces += (text[end:start], piece)
        end = start + len(old)
        if not old:
            pieces.append(text[end : end + 1])
            end += 1
    return "".join([*pieces, text[end:]])


@hog("replaceOne", 3, 3)
def replace_one(run: Run, value: Any, sought: Any, replacement: Any) -> str | None:
    """Replace the first occurrence of a text, literally."""
    return _replace(run, value, sought, replacement, 1)


@hog("replaceAll", 3, 3)
def replace_all(run: Run, value: Any, sought: Any, replacement: Any) -> str | None:
    """Replace every occurrence of a text, literally."""
    return _replace(run, value, sought, replacement, -1)


@hog("substring", 2, 3)
def substring(run: Run, value: Any, start: Any, size: Any = None) -> str:
    """Cut out `size` units from the place `start`, counted from 1; "" for what is not text or a start below 1."""
    if type(value) is not str:
        return ""
    units = value if value.isascii() else utf16(value)
    width = 1 if type(units) is str else 2
    run.work(len(value) // CHARACTERS_A_STEP)
    begin = to_number(start) - 1
    if not begin >= 0:  # NaN, too
        return ""
    first = whole_number(begin)
    # The end is cut only after the size was added: 2.5 units from 1.5 end where 3 from 1 do.
    end = whole_number(begin + size) if type(size) in (int, float) else len(units) // width
    if type(size) in (int, float) and not size >= 0:
        return ""
    piece = units[first * width : end * width]
    return run.made(piece if isinstance(piece, str) else from_utf16(piece))


def _position(run: Run, text: Any, part: Any, *, fold: bool) -> int:
    if type(text) is not str:
        return 0
    sought = plain_text(run, part)
    run.work((len(text) + len(sought)) // CHARACTERS_A_STEP)
    if fold:
        text, sought = text.lower(), sought.lower()
    index = text.find(sought)
    return 0 if index < 0 else units_before(text, index) + 1


@hog("position", 2, 3)
def position(run: Run, text: Any, part: Any, _: Any = None) -> int:
    """Find a part in a text: its place from 1, 0 if it is not there."""
    return _position(run, text, part, fold=False)


@hog("positionCaseInsensitive", 2, 3)
def position_case_insensitive(run: Run, text: Any, part: Any, _: Any = None) -> int:
    """Find a part in a text whatever its case."""
    return _position(run, text, part, fold=True)


@hog("startsWith", 2, 2)
def starts_with(run: Run, text: Any, prefix: Any) -> bool:
    """Tell whether a text begins with another; false when either is not text."""
    if type(prefix) is str:
        run.work(len(prefix) // CHARACTERS_A_STEP)
    return type(text) is str and type(prefix) is str and text.startswith(prefix)


@hog("splitByString", 2, 3)
def split_by_string(run: Run, separator: Any, text: Any, most: Any = None) -> list[str]:
    """Split at a separator, at every character when it is empty; `most` parts at most, the rest dropped."""
    if text is None:
        return []
    whole, between = as_text(run, text), plain_text(run, separator)
    count = whole.count(between) + 1
    run.work(count)
    run.allocate(8 * count + len(whole))
    parts = whole.split(between) if between else list(whole)
    return parts if most is None else parts[: unsigned(most)]


@hog("match", 2, 2)
def match(run: Run, text: Any, expression: Any) -> bool:
    """Tell whether a regular expression (RE2) is found in a text; false when either is empty or null."""
    return comparing.matches(None if text is None else as_text(run, text), expression)


@hog("extractRegex", 2, 2)
def extract_regex(run: Run, text: Any, expression: Any) -> str:
    """Return the first group of the first match, the whole match when there is no group, "" when there is no match."""
    if text is None or expression is None:
        return ""
    found = comparing.search(plain_text(run, expression), as_text(run, text))
    if found is None:
        return ""
    return run.made((found.group(1) if found.re.groups else found.group()) or "")


def _like(run: Run, text: Any, pattern: Any, *, fold: bool) -> bool:
    return comparing.like(None if text is None else as_text(run, text), pattern, case_insensitive=fold)


@hog("like", 2, 2)
def like(run: Run, text: Any, pattern: Any) -> bool:
    """Tell whether a text is like a pattern."""
    return _like(run, text, pattern, fold=False)


@hog("ilike", 2, 2)
def ilike(run: Run, text: Any, pattern: Any) -> bool:
    """Tell whether a text is like a pattern, whatever the case."""
    return _like(run, text, pattern, fold=True)


@hog("notLike", 2, 2)
def not_like(run: Run, text: Any, pattern: Any) -> bool:
    """Tell whether a text is not like a pattern."""
    return not _like(run, text, pattern, fold=False)


@hog("notILike", 2, 2)
def not_ilike(run: Run, text: Any, pattern: Any) -> bool:
    """Tell whether a text is not like a pattern, whatever the case."""
    return not _like(run, text, pattern, fold=True)


@hog("multiSearchAnyCaseInsensitive", 2, 2)
def multi_search_any_case_insensitive(run: Run, text: Any, parts: Any) -> int:
    """Return 1 if any of the parts is in the text, whatever the case, else 0."""
    if text is None or type(parts) not in (list, tuple):
        return 0
    haystack = plain_text(run, text).lower()
    run.work((1 + len(parts)) * (1 + len(haystack) // CHARACTERS_A_STEP))
    return int(any(plain_text(run, part).lower() in haystack for part in parts))


@hog("print", 0, None)
def print_(_run: Run, *_values: Any) -> None:
    """Do nothing: in a template there is no log to write to."""


@hog("fetch", 0, None)
@hog("sleep", 1, 1)
def refuse_waiting(_run: Run, *_values: Any) -> None:
    """Refuse what would have to wait for something outside."""
    raise HogError("Exceeded maximum number of async steps: 0")
