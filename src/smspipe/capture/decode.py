"""
JSON text to typed values, once, and within limits that do not depend on who asks.

A text that was accepted must be readable again from any stack depth and on any machine. So its depth is
limited to what PostHog's parser takes (128), far below Python's own recursion limit, and so are its numbers:
an integer that no float can hold would decode here and break arithmetic later.
"""

import re
from itertools import accumulate
from typing import Any, Final, TypeVar

import msgspec

from smspipe.capture.door import Refused, unparseable
from smspipe.model.ids import EventUuid

MAX_DEPTH: Final = 128
_NESTED_TOO_DEEP: Final = "recursion limit exceeded"

_STRING: Final = re.compile(rb'"[^"]*"')
"""In a text without escapes."""
_ALL_BUT_BRACKETS_AND_QUOTES: Final = bytes(set(range(256)) - set(b'{}[]"'))
_STEPS: Final = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
"""Read as signed bytes: an opening is a step down, a closing one up."""

_LARGEST_FLOAT_DIGITS: Final = 309
_STRIDE: Final = 40
_DIGITS: Final = bytes(0x30 if chr(byte) in "0123456789" else 0x20 for byte in range(256))
_RUN_IN_SAMPLE: Final = b"0" * (_LARGEST_FLOAT_DIGITS // _STRIDE)
_HUGE_INTEGER: Final = re.compile(rb"(?<![0-9.])[0-9]{309,}+(?![.eE])")

_Shape = TypeVar("_Shape")


class RawEvent(
    msgspec.Struct,
    kw_only=True,
    rename={
        "set_": "$set",
        "set_once": "$set_once",
        "unset": "$unset",
        "dollar_token": "$token",
        "dollar_distinct_id": "$distinct_id",
    },
):
    """One event as it may stand in a body. What SDKs send in several types is `Any` here and sorted out later."""

    event: str | None = None
    distinct_id: Any = None
    dollar_distinct_id: Any = None
    uuid: EventUuid | None = None
    """As it was written; `normalize` makes it canonical."""
    properties: dict[str, Any] | None = None
    timestamp: str | int | float | None = None
    offset: int | float | None = None
    """Milliseconds before the request."""
    set_: dict[str, Any] | None = None
    set_once: dict[str, Any] | None = None
    unset: list[Any] | dict[str, Any] | None = None
    token: str | None = None
    api_key: str | None = None
    dollar_token: str | None = None


class RawRoot(RawEvent, kw_only=True):
    """A body that is an object: one event, or the envelope of a batch."""

    batch: list[RawEvent] | None = None
    sent_at: Any = None
    historical_migration: bool | None = None


class RawPerson(msgspec.Struct, kw_only=True):
    """The person in what PostHog's webhook destination sends."""

    properties: dict[str, Any] | None = None


class RawForwarded(RawEvent, kw_only=True):
    """The event in what PostHog's webhook destination sends."""

    elements_chain: str | None = None


class RawHook(msgspec.Struct, kw_only=True):
    """What PostHog's webhook destination sends."""

    event: RawForwarded
    person: RawPerson | None = None


class RawV1Event(msgspec.Struct, kw_only=True):
    """One event of capture v1, which knows no second spelling."""

    event: str
    uuid: str
    distinct_id: str
    timestamp: str
    properties: Any = None
    options: Any = None
    session_id: str | None = None
    window_id: str | None = None


class RawV1(msgspec.Struct, kw_only=True, rename={"sdk_info": "$sdk_info"}):
    """A body of capture v1, with the header that is kept inside it."""

    created_at: str
    batch: list[RawV1Event]
    historical_migration: bool = False
    sdk_info: str | None = None


_SMALL: Final = 2**20
_MOST_VALUES: Final = 2_000_000
"""In one request, counted by their commas and openings: ten bytes for each in the largest, where events have thirty."""

_root: Final = msgspec.json.Decoder(RawRoot)
_list: Final = msgspec.json.Decoder(list[RawEvent])
_hook: Final = msgspec.json.Decoder(RawHook)
_v1: Final = msgspec.json.Decoder(RawV1)


def decode_legacy(text: bytes) -> RawRoot:
    """Decode the body of a public route: one event, a batch, or a bare list, which is given back as a batch."""
    if text[:1] == b"{" or text[:64].lstrip()[:1] != b"[":
        root = _decode(_root, text)
        others = len(root.batch) if root.batch is not None else 0
    else:
        events = _decode(_list, text)
        others = len(events)
        root = RawRoot(batch=events)
    _check_limits(text, others)
    return root


def decode_hook(text: bytes) -> RawHook:
    """Decode what PostHog's webhook destination sends."""
    hook = _decode(_hook, text)
    _check_limits(text, 0)
    return hook


def decode_v1(text: bytes) -> RawV1:
    """Decode a body of capture v1."""
    batch = _decode(_v1, text)
    _check_limits(text, len(batch.batch))
    return batch


def _decode(decoder: msgspec.json.Decoder[_Shape], text: bytes) -> _Shape:
    """
    Run a decoder; what it cannot take is refused with 400.

    msgspec's messages name types, keys of ours and places, never keys or values of the body.
    """
    if len(text) > _SMALL:
        # Before anything is made of it: twenty megabytes of `[],` would become a gigabyte of lists.
        values = text.count(b"{") + text.count(b"[") + text.count(b",")
        if values > _MOST_VALUES:
            raise unparseable("too many values in one request")
    try:
        return decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise unparseable(str(error)) from None
    except UnicodeDecodeError:
        raise Refused(
            400, "failed to decode request: invalid UTF8 in request payload", tag="request_decoding_error"
        ) from None
    except RecursionError:
        raise unparseable(_NESTED_TOO_DEEP) from None


def _check_limits(text: bytes, events: int) -> None:
    """
    Refuse a text (valid JSON) that is nested deeper than 128 or has an integer of 309 digits or more.

    Both are looked for exactly only when a glance cannot rule them out, since every event pays for the glance:
    a text whose brackets would not suffice is not too deep (each of the other events has one of its own),
    and a run of 309 digits shows in every 40th byte as 7 digits running.
    """
    openings = len(text) - len(text.replace(b"{", b"").replace(b"[", b""))
    if openings - max(events - 1, 0) > MAX_DEPTH and depth_of(text) > MAX_DEPTH:
        raise unparseable(_NESTED_TOO_DEEP)
    suspicious = _RUN_IN_SAMPLE in text[::_STRIDE].translate(_DIGITS)
    if suspicious and _HUGE_INTEGER.search(_STRING.sub(b"", _without_escapes(text))):
        raise unparseable("number out of range")


def _without_escapes(text: bytes) -> bytes:
    """Take out what could pass for the end of a string, so that in valid JSON all quotes left are real ones."""
    # Doubled backslashes first: a run of them is read from its beginning, as JSON does.
    return text.replace(b"\\\\", b"").replace(b'\\"', b"")


def depth_of(text: bytes) -> int:
    """Measure how deep a valid JSON text is nested."""
    skeleton = _without_escapes(text).translate(None, _ALL_BUT_BRACKETS_AND_QUOTES)
    # Two quotes side by side are an empty string, or the end of one and the beginning of the next: the
    # parity, which tells inside from outside, stays either way, and nearly all strings go at once.
    brackets = _STRING.sub(b"", skeleton.replace(b'""', b""))
    steps = brackets.translate(_STEPS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)
