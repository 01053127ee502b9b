"""
Liquid's filters for text.

Source: https://liquidjs.com/filters/overview.html and trials of LiquidJS 10.30.1.
"""

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

import regex

from smspipe.rendering.globals import encode_component
from smspipe.rendering.liquid_run import MAX_ITEMS, MAX_OUTPUT, LiquidFault, Run
from smspipe.rendering.liquid_values import (
    SPACE,
    UNDEFINED,
    is_nil,
    js_text,
    js_truthy,
    less,
    printed,
    to_number,
    to_value,
    to_whole,
    trimmed,
    trimmed_end,
    trimmed_start,
    units,
)

_SPACES = re.compile(f"[{SPACE}]+")
_NEWLINE = re.compile(r"\r?\n")
_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})
_ENTITY = re.compile("&(?:amp|lt|gt|#34|#39);")
_ENTITIES: Final = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'"}
_HTML: Final = (("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">"))
_CJK: Final = "\u4e00-\u9fff\uf900-\ufaff\u3400-\u4dbf\u3040-\u309f\u30a0-\u30ff\uac00-\ud7af"
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_OTHER_WORD = re.compile(f"[^{_CJK}{SPACE}]+")
_BROKEN_ESCAPE = re.compile("%(?![0-9a-fA-F]{2})")
_BASE64 = re.compile("[A-Za-z0-9+/]*")


def text_of(run: Run, value: Any) -> str:
    """Print a value for a filter to work on, and pay for it."""
    text = printed(value, run)
    run.use(len(text))
    return text


def _of_text(function: Callable[[str], Any]) -> Callable[..., Any]:
    def filter_(run: Run, value: Any) -> Any:
        return function(text_of(run, value))

    return filter_


def escape(text: str) -> str:
    """Write a text as a web page does."""
    return text.translate(_MARKUP)


def _append(run: Run, value: Any, *given: Any) -> str:
    if len(given) != 1:
        raise LiquidFault("The Liquid filters append and prepend take one text each")
    return text_of(run, value) + text_of(run, given[0])


def _prepend(run: Run, value: Any, *given: Any) -> str:
    if len(given) != 1:
        raise LiquidFault("The Liquid filters append and prepend take one text each")
    return text_of(run, given[0]) + text_of(run, value)


def _strip_html(text: str) -> str:
    kinds = list(_HTML)
    parts: list[str] = []
    at = 0
    while (opening := text.find("<", at)) >= 0:
        parts.append(text[at:opening])
        at = -1
        for kind in kinds.copy():
            if text.startswith(kind[0], opening):
                closing = text.find(kind[1], opening + len(kind[0]))
                if closing >= 0:
                    at = closing + len(kind[1])
                    break
                # There is none further on either: looking again at each opening would take long.
                kinds.remove(kind)
        if at < 0:
            return "".join(parts) + text[opening:]
    return "".join(parts) + text[at:]


def _url_decode(text: str) -> str:
    text = text.replace("+", " ")
    if _BROKEN_ESCAPE.search(text):
        raise LiquidFault("The Liquid filter url_decode got a text that is not encoded")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        raise LiquidFault("The Liquid filter url_decode got a text that is not encoded") from None


def _cgi_escape(text: str) -> str:
    encoded = encode_component(text).replace("%20", "+")
    return re.sub("[!'()*]", lambda found: f"%{ord(found[0]):02X}", encoded)


def _uri_escape(text: str) -> str:
    return quote(text, safe=";,/?:@&=+$#-_.!~*'()[]", errors="replace")


_SLUGS: Final[Mapping[str, regex.Pattern[str] | re.Pattern[str]]] = {
    "raw": _SPACES,
    "default": regex.compile(r"[^\p{M}\p{L}\p{Nd}]+"),
    "pretty": regex.compile(r"[^\p{M}\p{L}\p{Nd}._~!$&'()+,;=@]+"),
    "ascii": re.compile("[^A-Za-z0-9]+"),
    "latin": regex.compile(r"[^\p{M}\p{L}\p{Nd}]+"),
}
_UNACCENTED: Final = str.maketrans(
    {
        **dict.fromkeys("àáâãäå", "a"), "æ": "ae", "ç": "c", **dict.fromkeys("èéêë", "e"), **dict.fromkeys("ìíîï", "i"),
        "ð": "d", "ñ": "n", **dict.fromkeys("òóôõöø", "o"), **dict.fromkeys("ùúûü", "u"), **dict.fromkeys("ýÿ", "y"),
        "ß": "ss", "œ": "oe", "þ": "th", "ẞ": "SS", "Œ": "OE", "Þ": "TH",
    }
)  # fmt: skip


def _slugify(run: Run, value: Any, mode: Any = UNDEFINED, cased: Any = UNDEFINED) -> str:
    text = text_of(run, value)
    run.use(4 * len(text))
    name = "default" if mode is UNDEFINED else js_text(to_value(mode), run)
    if name in _SLUGS:
        text = text.translate(_UNACCENTED) if name == "latin" else text
        text = _SLUGS[name].sub("-", text)
        text = text.removeprefix("-").removesuffix("-") if text != "-" else ""
    return text if js_truthy(cased) else text.lower()


def _strip(left: bool, right: bool) -> Callable[..., str]:
    def filter_(run: Run, value: Any, characters: Any = UNDEFINED) -> str:
        text = text_of(run, value)
        if js_truthy(characters):
            taken = text_of(run, characters)
            text = text.lstrip(taken) if left and taken else text
            return text.rstrip(taken) if right and taken else text
        text = trimmed_start(text) if left else text
        return trimmed_end(text) if right else text

    return filter_


def _remove(run: Run, value: Any, part: Any = UNDEFINED) -> str:
    text, part = text_of(run, value), text_of(run, part)
    return text.replace(part, "") if part else text


def _remove_first(run: Run, value: Any, part: Any = UNDEFINED) -> str:
    return text_of(run, value).replace(text_of(run, part), "", 1)


def _replace(run: Run, value: Any, old: Any = UNDEFINED, new: Any = UNDEFINED) -> str:
    text, old, new = text_of(run, value), text_of(run, old), text_of(run, new)
    found = text.count(old) if old else max(len(text) - 1, 0)
    if len(text) + found * len(new) > MAX_OUTPUT:
        raise LiquidFault("The Liquid filter replace makes a text that is too large")
    run.use(found * len(new))
    return text.replace(old, new) if old else new.join(text)


def _replace_first(run: Run, value: Any, old: Any = UNDEFINED, new: Any = UNDEFINED) -> str:
    return text_of(run, value).replace(text_of(run, old), text_of(run, new), 1)


def _replace_last(run: Run, value: Any, old: Any = UNDEFINED, new: Any = UNDEFINED) -> str:
    text, old, new = text_of(run, value), text_of(run, old), text_of(run, new)
    at = text.rfind(old)
    return text if at < 0 else text[:at] + new + text[at + len(old) :]


def _remove_last(run: Run, value: Any, old: Any = UNDEFINED) -> str:
    return _replace_last(run, value, old, "")


def _split(run: Run, value: Any, separator: Any = UNDEFINED) -> list[str]:
    text, separator = text_of(run, value), text_of(run, separator)
    if (text.count(separator) if separator else len(text)) >= MAX_ITEMS:
        raise LiquidFault(f"The Liquid template made a list of more than {MAX_ITEMS} items")
    parts = text.split(separator) if separator else list(text)
    while parts and parts[-1] == "":
        parts.pop()
    run.step(1 + len(parts) // 4)
    return parts


def _truncate(run: Run, value: Any, length: Any = UNDEFINED, end: Any = UNDEFINED) -> Any:
    text = text_of(run, value)
    end = "..." if end is UNDEFINED else text_of(run, end)
    longest = 50.0 if length is UNDEFINED else to_number(length, run)
    if units(text, run) <= longest or _ceiling(longest) >= len(text):
        return value
    return text[: _ceiling(longest - len(end))] + end


def _ceiling(length: float) -> int:
    """Round up to what a count up to `length` comes to; none for NaN and below zero."""
    return math.ceil(min(length, 1e9)) if length > 0 else 0


def _truncatewords(run: Run, value: Any, count: Any = UNDEFINED, end: Any = UNDEFINED) -> str:
    text = text_of(run, value)
    end = "..." if end is UNDEFINED else text_of(run, end)
    words = _SPACES.split(trimmed_start(text))
    most: Any = 15 if count is UNDEFINED else count
    if less(0, most, run) is False:
        most = 1
    number = to_number(most, run)
    whole = to_whole(most, run)
    kept = words[: int(min(max(whole, 0), len(words)))]
    return " ".join(kept) + (end if len(words) >= number else "")


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:].lower()


def _number_of_words(run: Run, value: Any, mode: Any = UNDEFINED) -> int:
    text = trimmed(text_of(run, value))
    if not text:
        return 0
    if mode == "cjk" or (mode == "auto" and _CJK_CHARACTER.search(text)):
        return len(_CJK_CHARACTER.findall(text)) + len(_OTHER_WORD.findall(text))
    return len(_SPACES.split(text))


def _base64_decode(text: str) -> str:
    bare = re.sub("[\t\n\f\r ]", "", text)
    digits = re.sub("==?$", "", bare) if len(bare) % 4 == 0 else bare
    if len(digits) % 4 == 1 or not _BASE64.fullmatch(digits):
        raise LiquidFault("The Liquid filter base64_decode got a text that is not base64")
    return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-8", "replace")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _hmac_sha256(run: Run, value: Any, key: Any = UNDEFINED) -> str:
    return hmac.new(_bytes(text_of(run, key)), _bytes(text_of(run, value)), hashlib.sha256).hexdigest()


def _sentence(run: Run, value: Any, connector: Any = UNDEFINED) -> Any:
    value = to_value(value)
    items = run.checked_list([] if is_nil(value) else value if isinstance(value, list | tuple) else [value])
    word = "and" if connector is UNDEFINED else text_of(run, connector)
    if len(items) < 2:
        return items[0] if items else ""
    if len(items) == 2:
        return f"{js_text(items[0], run)} {word} {js_text(items[1], run)}"
    parts = ["" if is_nil(item) else js_text(item, run) for item in items[:-1]]
    run.use(sum(map(len, parts)))
    return f"{', '.join(parts)}, {word} {js_text(items[-1], run)}"


def _escape_once(text: str) -> str:
    return escape(_ENTITY.sub(lambda entity: _ENTITIES[entity[0]], text))


TEXTS: Final[Mapping[str, Callable[..., Any]]] = {
    "append": _append,
    "array_to_sentence_string": _sentence,
    "base64_decode": _of_text(_base64_decode),
    "base64_encode": _of_text(lambda text: base64.b64encode(_bytes(text)).decode()),
    "capitalize": _of_text(_capitalize),
    "cgi_escape": _of_text(_cgi_escape),
    "downcase": _of_text(str.lower),
    "escape": _of_text(escape),
    "escape_once": _of_text(_escape_once),
    "hmac_sha256": _hmac_sha256,
    "lstrip": _strip(left=True, right=False),
    "newline_to_br": _of_text(lambda text: _NEWLINE.sub("<br />\n", text)),
    "normalize_whitespace": _of_text(lambda text: _SPACES.sub(" ", text)),
    "number_of_words": _number_of_words,
    "prepend": _prepend,
    "remove": _remove,
    "remove_first": _remove_first,
    "remove_last": _remove_last,
    "replace": _replace,
    "replace_first": _replace_first,
    "replace_last": _replace_last,
    "rstrip": _strip(left=False, right=True),
    "sha256": _of_text(lambda text: hashlib.sha256(_bytes(text)).hexdigest()),
    "slugify": _slugify,
    "split": _split,
    "squish": _of_text(lambda text: trimmed(_SPACES.sub(" ", text))),
    "strip": _strip(left=True, right=True),
    "strip_html": _of_text(_strip_html),
    "strip_newlines": _of_text(lambda text: _NEWLINE.sub("", text)),
    "truncate": _truncate,
    "truncatewords": _truncatewords,
    "upcase": _of_text(str.upper),
    "uri_escape": _of_text(_uri_escape),
    "url_decode": _of_text(_url_decode),
    "url_encode": _of_text(lambda text: encode_component(text).replace("%20", "+")),
    "xml_escape": _of_text(escape),
}
