"""
The request that PostHog's two programs for Twilio make, and how to know it again.

Text may be joined in any way, and the options stand in any order; the address, the headers and the order and encoding
of the body must be PostHog's. Only what the text is made of may differ, as far as a template can say the same.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from smspipe.hog.tree import Call, Constant, DictOf, Member, Name, Node, Text, children

Path = tuple[str, ...]
"""Names from a root on: `event.properties.plan` is ("event", "properties", "plan")."""
DATE: Final[Path] = ("event", "timestamp")
"""Stands for the event's date, which is all of its timestamp that a text of PostHog's shows."""
ROOTS: Final = frozenset({"event", "person", "groups", "project", "source", "inputs"})


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs that one of PostHog's two programs reads."""

    sid: Path
    tokens: tuple[Path, ...]
    """The one of today, and those of earlier builds."""
    sender: str
    to: str
    body: str


FIRST: Final = Family(
    sid=("inputs", "accountSid"),
    tokens=(("inputs", "authToken"),),
    sender="fromPhoneNumber",
    to="phoneNumber",
    body="smsBody",
)
SECOND: Final = Family(
    sid=("inputs", "twilio_account", "account_sid"),
    tokens=(("inputs", "twilio_account", "auth_token"), ("inputs", "twilio_account", "auth_token_raw")),
    sender="from_number",
    to="to_number",
    body="message",
)


class Other(Exception):
    """A request is another than PostHog's; `args` are where (None for the whole), and why."""


def read_fetch(call: Any) -> tuple[Family, tuple[str | Path, ...], tuple[str | Path, ...]]:
    """
    Compare a call of `fetch` with PostHog's.

    Raises:
        Other: it makes another request.
    """
    if len(call.arguments) != 2:
        raise Other(call.at, "its request has no options that can be read")
    url, options = call.arguments
    family = _read_url(url)
    fields = _read_dict(options, "options")
    for key in fields:
        if key not in ("method", "headers", "body"):
            raise Other(fields[key].at, f"its request has the option {key!r}")
    method = fields.get("method")
    if method is not None and not (isinstance(method, Constant) and method.value == "POST"):
        raise Other(method.at, "its request is no POST")
    if "headers" not in fields or "body" not in fields:
        raise Other(options.at, "its request lacks headers or a body")
    _check_headers(_read_dict(fields["headers"], "headers"), family, fields["headers"].at)
    before, after = _read_body(fields["body"], family)
    return family, before, after


def _read_url(url: Node) -> Family:
    parts = _flatten(url)
    for family in (FIRST, SECOND):
        if _as_paths(parts) == ("https://api.twilio.com/2010-04-01/Accounts/", family.sid, "/Messages.json"):
            return family
    raise Other(url.at, "its request goes to another address than Twilio's")


def _read_dict(node: Node, what: str) -> dict[str, Node]:
    if not isinstance(node, DictOf):
        raise Other(node.at, f"the {what} of its request cannot be read")
    found: dict[str, Node] = {}
    for key, value in node.entries:
        if not isinstance(key, Constant) or not isinstance(key.value, str):
            raise Other(key.at, f"the {what} of its request cannot be read")
        found[key.value] = value
    return found


def _check_headers(headers: Mapping[str, Node], family: Family, at: int) -> None:
    seen = set()
    for name, value in headers.items():
        seen.add(name.lower())
        parts = _flatten(value)
        if name.lower() == "content-type":
            if _as_paths(parts) != ("application/x-www-form-urlencoded",):
                raise Other(value.at, "it sends its request in another form")
        elif name.lower() == "authorization":
            if not _is_basic(parts, family):
                raise Other(value.at, "it signs in another way")
        else:
            raise Other(value.at, f"its request has the header {name!r}")
    if seen != {"content-type", "authorization"}:
        raise Other(at, "its request lacks a header")


def _is_basic(parts: tuple[Any, ...], family: Family) -> bool:
    match parts:
        case ("Basic ", Call(function=Name(name="base64Encode"), arguments=(pair,))):
            return _as_paths(_flatten(pair)) in [(family.sid, ":", token) for token in family.tokens]
    return False


def _read_body(body: Node, family: Family) -> tuple[tuple[str | Path, ...], tuple[str | Path, ...]]:
    parts = _flatten(body)
    if len(parts) != 6 or parts[0::2] != ("To=", "&From=", "&Body="):
        raise Other(body.at, "its request has another body")
    values = [_encoded(part) for part in parts[1::2]]
    for value, key, what in ((values[0], family.to, "recipient"), (values[1], family.sender, "sender")):
        if _as_paths(_flatten(value)) != (("inputs", key),):
            raise Other(value.at, f"the {what} is another than its input {key!r}")
    text = _flatten(values[2])
    own = [index for index, part in enumerate(text) if path_of(part) == ("inputs", family.body)]
    if len(own) != 1:
        raise Other(values[2].at, f"the text is made of something else than its input {family.body!r}")
    return tuple(map(_piece, text[: own[0]])), tuple(map(_piece, text[own[0] + 1 :]))


def _encoded(part: Any) -> Node:
    match part:
        case Call(function=Name(name="encodeURLComponent"), arguments=(value,)):
            return value
    raise Other(None if isinstance(part, str) else part.at, "a value of its request is not encoded")


def _piece(part: Any) -> str | Path:
    """Read what a program adds to a text, as far as a template can say the same."""
    if isinstance(part, str):
        return part
    match part:
        case Call(function=Name(name="toDate"), arguments=(argument,)) if path_of(argument) == DATE:
            return DATE
    path = path_of(part)
    plain = path is not None and not any(set(name) & set("'\"\\{}") for name in path)
    if path is None or path[0] not in ROOTS or len(path) < 2 or path == DATE or not plain:
        raise Other(part.at, "it adds something to the text that cannot be read")
    return path


# ---- trees -------------------------------------------------------------------------------------------------


def _flatten(node: Node) -> tuple[Any, ...]:
    """Take joined text apart, whether it was joined by `concat`, `||` or a formatted string; literal text as `str`."""
    found: list[Any] = []
    for part in _parts(node):
        if isinstance(part, Constant) and isinstance(part.value, str):
            if found and isinstance(found[-1], str):
                found[-1] += part.value
            elif part.value:
                found.append(part.value)
        else:
            found.append(part)
    return tuple(found)


def _parts(node: Node) -> Iterator[Node]:
    match node:
        case Text():
            for part in node.parts:
                yield from _parts(part)
        case Call(function=Name(name="concat")):
            for part in node.arguments:
                yield from _parts(part)
        case Call(function=Name(name="toString"), arguments=(argument,)) if isinstance(argument, Text):
            yield from _parts(argument)
        case _:
            yield node


def _as_paths(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(part if isinstance(part, str) else path_of(part) for part in parts)


def path_of(node: Any) -> Path | None:
    """Give the names of `a.b.c`, None for any other expression."""
    names: list[str] = []
    while isinstance(node, Member):
        if not isinstance(node.key, Constant) or not isinstance(node.key.value, str):
            return None
        names.append(node.key.value)
        node = node.owner
    return (node.name, *reversed(names)) if isinstance(node, Name) else None


def all_nodes(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in no order."""
    pending = [node]
    while pending:
        each = pending.pop()
        yield each
        pending.extend(children(each))
