"""
Recognise a Hog program that sends one text through Twilio, by what it does and not by how it is written.

What variables hold is put in their place, without running anything, until the one request stands there in full: its
address, method, headers and body are then compared with those that PostHog's two programs make. So blanks, comments,
quotes, names of variables, harmless statements and their order may differ. What else a program does is named by its
line, and never left out silently: `Program.strange` is empty only when the program is known to send this text for
every event that reaches it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from smspipe.destinations.imports_code import Assign, Evaluate, If, Statement, Stop, read_program
from smspipe.hog.tree import (
    Binary,
    Call,
    Constant,
    DictOf,
    IsNull,
    Lambda,
    Logic,
    Member,
    Name,
    Node,
    Not,
    Operator,
    Text,
    children,
)  # fmt: skip
from smspipe.model.errors import Invalid

Path = tuple[str, ...]
"""Names from a root on: `event.properties.plan` is ("event", "properties", "plan")."""
DATE: Final[Path] = ("event", "timestamp")
"""Stands for the event's date, which is all of its timestamp that a text of PostHog's shows."""

_MOST_NODES: Final = 250
"""Nodes of one expression with its variables put in; PostHog's largest has about 80."""
_LONGEST_LINE: Final = 100
_RESPONSE: Final = Name(at=0, name="$response")
_PURE: Final = frozenset({
    "Error", "HTTPError", "base64Encode", "concat", "empty", "encodeURLComponent", "ifNull", "jsonStringify", "length",
    "lower", "notEmpty", "print", "substring", "toDate", "toDateTime", "toFloat", "toInt", "toString", "trim", "upper",
})  # fmt: skip
"""Functions that a program may call without anything happening outside of it."""
_ROOTS: Final = frozenset({"event", "person", "groups", "project", "source", "inputs"})


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


class Strange(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a program that is not known to leave the text as it is."""

    line: int
    """Counted from 1; 0 for the program as a whole."""
    text: str
    """The line, without what may be a secret or a number."""
    why: str


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a program was seen to do."""

    family: Family | None
    """None when it makes no request to Twilio that can be understood."""
    before: tuple[str | Path, ...] = ()
    """What it writes in front of the text: text, and what it takes from the event."""
    after: tuple[str | Path, ...] = ()
    """What it writes behind the text."""
    strange: tuple[Strange, ...] = ()


def read_request(source: str) -> Program:
    """Find out what a program sends; it is never run."""
    try:
        statements = read_program(source)
    except Invalid as error:
        return Program(family=None, strange=(_strange(source, error.position, str(error)),))
    look = _Look(source)
    look.follow(statements)
    if look.family is None and not look.strange:
        look.strange.append(Strange(line=0, text="", why="it makes no request to Twilio"))
    return Program(family=look.family, before=look.before, after=look.after, strange=tuple(look.strange))


class _Other(Exception):
    """A part of the request is another than PostHog's; `args` are where, and why."""


class _Look:
    """One walk through a program, in the order in which it would run."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.variables: dict[str, Node] = {}
        self.sent = False
        self.family: Family | None = None
        self.before: tuple[str | Path, ...] = ()
        self.after: tuple[str | Path, ...] = ()
        self.strange: list[Strange] = []

    def follow(self, statements: tuple[Statement, ...]) -> None:
        for statement in statements:
            match statement:
                case Assign():
                    self.assign(statement)
                case Evaluate():
                    self.evaluate(statement)
                case If():
                    self.choose(statement)
                case Stop() if self.sent:
                    return
                case Stop():
                    self.note(statement.at, "it ends here, before anything is sent")
                    return
                case _:
                    self.note(statement.at, "it is not understood")

    def assign(self, statement: Assign) -> None:
        value = statement.value
        if statement.name in _PURE | _ROOTS | {"fetch"}:
            self.note(statement.at, f"it gives {statement.name} another meaning")
            return
        if _is_fetch(value):
            self.send(value)
            self.variables[statement.name] = _RESPONSE
            return
        if why := _effect(value):
            self.note(statement.at, why)
        elif (put_in := self.put_in(value)) is None:
            self.note(statement.at, "it is too large")
        else:
            self.variables[statement.name] = put_in

    def evaluate(self, statement: Evaluate) -> None:
        if _is_fetch(statement.value):
            self.send(statement.value)
        elif why := _effect(statement.value):
            self.note(statement.at, why)

    def choose(self, statement: If) -> None:
        if why := _effect(statement.test):
            self.note(statement.at, why)
            return
        harmless = _is_harmless(statement.yes, after=self.sent) and _is_harmless(statement.no, after=self.sent)
        test = self.put_in(statement.test)
        if harmless:
            return
        if test is not None and not self.sent:
            # No text leaves here without recipient, sender or text either, so asking for them changes nothing.
            if _asks_if_missing(test) and _is_harmless(statement.yes, after=True):
                self.follow(statement.no)
                return
            if _asks_if_there(test) and _is_harmless(statement.no, after=True):
                self.follow(statement.yes)
                return
        self.note(statement.at, "what it does depends on this" if not self.sent else "it does more after the request")

    def send(self, call: Any) -> None:
        if self.sent:
            self.note(call.at, "it makes another request")
            return
        self.sent = True
        put_in = self.put_in(call)
        if put_in is None:
            self.note(call.at, "it is too large")
            return
        try:
            self.family, self.before, self.after = _read_fetch(put_in)
        except _Other as other:
            at, why = other.args
            self.note(at or call.at, why)

    def put_in(self, node: Node) -> Node | None:
        """Put what variables hold in their place; None when that grows too large."""
        size = _size(node)
        for each in _all_nodes(node):
            if isinstance(each, Name) and each.name in self.variables:
                size += _size(self.variables[each.name])
            if size > _MOST_NODES:
                return None
        return _replace(node, self.variables)

    def note(self, at: int | None, why: str) -> None:
        self.strange.append(_strange(self.source, at, why))


# ---- what statements do ------------------------------------------------------------------------------------


def _is_harmless(statements: tuple[Statement, ...], *, after: bool) -> bool:
    """Do these leave the text as it is: do they only print, or (after the request) also stop?"""
    for statement in statements:
        match statement:
            case Evaluate() if _effect(statement.value) is None:
                pass
            case Assign() if after and _effect(statement.value) is None:
                pass
            case Stop() if after and (statement.value is None or _effect(statement.value) is None):
                pass
            case If() if _effect(statement.test) is None:
                if not (_is_harmless(statement.yes, after=after) and _is_harmless(statement.no, after=after)):
                    return False
            case _:
                return False
    return True


def _effect(node: Node) -> str | None:
    """Say what evaluating an expression may do beside giving a value, None for nothing."""
    for each in _all_nodes(node):
        if isinstance(each, Call):
            name = each.function.name if isinstance(each.function, Name) else None
            if name == "fetch":
                return "it makes a request in the middle of something else"
            if name not in _PURE:
                return f"it calls {name}" if name else "it calls something"
    return None


def _is_fetch(node: Node) -> bool:
    return isinstance(node, Call) and node.function == Name(at=node.function.at, name="fetch")


_NEEDED: Final = frozenset(
    ("inputs", key) for family in (FIRST, SECOND) for key in (family.sender, family.to, family.body, family.sid[1])
) | {("inputs", "authToken")}  # fmt: skip


def _asks_if_missing(test: Node) -> bool:
    """Is this true only when an input is missing that no text can do without?"""
    match test:
        case Logic(every=False):
            return all(map(_asks_if_missing, test.parts))
        case Not():
            return _is_needed(test.part) or _asks_if_there(test.part)
        case Call(function=Name(name="empty"), arguments=(argument,)):
            return _is_needed(argument)
        case IsNull():
            return _is_needed(test.value)
        case Binary(operator=Operator.EQUAL):
            sides = (test.left, test.right)
            nothing = [side for side in sides if isinstance(side, Constant) and side.value in (None, "")]
            return len(nothing) == 1 and any(map(_is_needed, sides))
    return False


def _asks_if_there(test: Node) -> bool:
    """Is this true whenever an input that no text can do without is there?"""
    match test:
        case Logic(every=True):
            return all(map(_asks_if_there, test.parts))
        case Call(function=Name(name="notEmpty"), arguments=(argument,)):
            return _is_needed(argument)
        case Not():
            return _asks_if_missing(test.part)
        case Binary(operator=Operator.UNEQUAL):
            sides = (test.left, test.right)
            nothing = [side for side in sides if isinstance(side, Constant) and side.value in (None, "")]
            return len(nothing) == 1 and any(map(_is_needed, sides))
    return _is_needed(test)


def _is_needed(node: Node) -> bool:
    return _path(node) in _NEEDED


# ---- the request -------------------------------------------------------------------------------------------


def _read_fetch(call: Any) -> tuple[Family, tuple[str | Path, ...], tuple[str | Path, ...]]:
    """
    Compare a call of `fetch` with PostHog's.

    Raises:
        _Other: it makes another request.
    """
    if len(call.arguments) != 2:
        raise _Other(call.at, "its request has no options that can be read")
    url, options = call.arguments
    family = _read_url(url)
    fields = _read_dict(options, "options")
    for key in fields:
        if key not in ("method", "headers", "body"):
            raise _Other(fields[key].at, f"its request has the option {key!r}")
    method = fields.get("method")
    if method is not None and not (isinstance(method, Constant) and method.value == "POST"):
        raise _Other(method.at, "its request is no POST")
    if "headers" not in fields or "body" not in fields:
        raise _Other(options.at, "its request lacks headers or a body")
    _check_headers(_read_dict(fields["headers"], "headers"), family, fields["headers"].at)
    before, after = _read_body(fields["body"], family)
    return family, before, after


def _read_url(url: Node) -> Family:
    parts = _flatten(url)
    for family in (FIRST, SECOND):
        if _as_paths(parts) == ("https://api.twilio.com/2010-04-01/Accounts/", family.sid, "/Messages.json"):
            return family
    raise _Other(url.at, "its request goes to another address than Twilio's")


def _read_dict(node: Node, what: str) -> dict[str, Node]:
    if not isinstance(node, DictOf):
        raise _Other(node.at, f"the {what} of its request cannot be read")
    found: dict[str, Node] = {}
    for key, value in node.entries:
        if not isinstance(key, Constant) or not isinstance(key.value, str):
            raise _Other(key.at, f"the {what} of its request cannot be read")
        found[key.value] = value
    return found


def _check_headers(headers: Mapping[str, Node], family: Family, at: int) -> None:
    seen = set()
    for name, value in headers.items():
        seen.add(name.lower())
        parts = _flatten(value)
        if name.lower() == "content-type":
            if _as_paths(parts) != ("application/x-www-form-urlencoded",):
                raise _Other(value.at, "it sends its request in another form")
        elif name.lower() == "authorization":
            if not _is_basic(parts, family):
                raise _Other(value.at, "it signs in another way")
        else:
            raise _Other(value.at, f"its request has the header {name!r}")
    if seen != {"content-type", "authorization"}:
        raise _Other(at, "its request lacks a header")


def _is_basic(parts: tuple[Any, ...], family: Family) -> bool:
    match parts:
        case ("Basic ", Call(function=Name(name="base64Encode"), arguments=(pair,))):
            return _as_paths(_flatten(pair)) in [(family.sid, ":", token) for token in family.tokens]
    return False


def _read_body(body: Node, family: Family) -> tuple[tuple[str | Path, ...], tuple[str | Path, ...]]:
    parts = _flatten(body)
    if len(parts) != 6 or parts[0::2] != ("To=", "&From=", "&Body="):
        raise _Other(body.at, "its request has another body")
    values = [_encoded(part) for part in parts[1::2]]
    for value, key, what in ((values[0], family.to, "recipient"), (values[1], family.sender, "sender")):
        if _as_paths(_flatten(value)) != (("inputs", key),):
            raise _Other(value.at, f"the {what} is another than its input {key!r}")
    text = _flatten(values[2])
    own = [index for index, part in enumerate(text) if _path(part) == ("inputs", family.body)]
    if len(own) != 1:
        raise _Other(values[2].at, f"the text is made of something else than its input {family.body!r}")
    return tuple(map(_piece, text[: own[0]])), tuple(map(_piece, text[own[0] + 1 :]))


def _encoded(part: Any) -> Node:
    match part:
        case Call(function=Name(name="encodeURLComponent"), arguments=(value,)):
            return value
    raise _Other(None if isinstance(part, str) else part.at, "a value of its request is not encoded")


def _piece(part: Any) -> str | Path:
    """Read what a program adds to a text, as far as a template can say the same."""
    if isinstance(part, str):
        return part
    match part:
        case Call(function=Name(name="toDate"), arguments=(argument,)) if _path(argument) == DATE:
            return DATE
    path = _path(part)
    plain = path is not None and not any(set(name) & set("'\"\\{}") for name in path)
    if path is None or path[0] not in _ROOTS or len(path) < 2 or path == DATE or not plain:
        raise _Other(part.at, "it adds something to the text that cannot be read")
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
    return tuple(part if isinstance(part, str) else _path(part) for part in parts)


def _path(node: Any) -> Path | None:
    """Give the names of `a.b.c`, None for any other expression."""
    names: list[str] = []
    while isinstance(node, Member):
        if not isinstance(node.key, Constant) or not isinstance(node.key.value, str):
            return None
        names.append(node.key.value)
        node = node.owner
    return (node.name, *reversed(names)) if isinstance(node, Name) else None


def _all_nodes(node: Node) -> Iterator[Node]:
    pending = [node]
    while pending:
        each = pending.pop()
        yield each
        pending.extend(children(each))


def _size(node: Node) -> int:
    return sum(1 for _ in _all_nodes(node))


def _replace(node: Node, values: Mapping[str, Node]) -> Node:
    """Put values in the place of names; at most `_MOST_NODES` deep, so it may call itself."""
    if isinstance(node, Name):
        return values.get(node.name, node)
    if isinstance(node, Lambda):
        values = {name: value for name, value in values.items() if name not in node.parameters}
    changed = {
        field: _replace_in(getattr(node, field), values)
        for field in node.__struct_fields__
        if isinstance(getattr(node, field), Node | tuple)
    }
    return msgspec.structs.replace(node, **changed) if changed else node


def _replace_in(value: Any, values: Mapping[str, Node]) -> Any:
    if isinstance(value, Node):
        return _replace(value, values)
    return tuple(_replace_in(part, values) for part in value) if isinstance(value, tuple) else value


# ---- lines -------------------------------------------------------------------------------------------------

# Credentials and numbers are written into programs, too, and a report is shown and kept.
_KEPT_BACK: Final = re.compile(r"\b(?=\w*\d)\w{24,}=*|\+?\d[\d\s().-]{6,}\d")


def _strange(source: str, at: int | None, why: str) -> Strange:
    at = min(at or 0, len(source))
    start, end = source.rfind("\n", 0, at) + 1, source.find("\n", at)
    text = source[start : end if end >= 0 else len(source)].strip()
    text = _KEPT_BACK.sub("…", text)
    if len(text) > _LONGEST_LINE:
        text = text[: _LONGEST_LINE - 1] + "…"
    return Strange(line=source.count("\n", 0, at) + 1, text=text, why=why)
