"""
Recognise a Hog program that sends one text through Twilio, by what it does and not by how it is written.

What variables hold is put in their place, without running anything, until the one request stands there in full and can
be compared with PostHog's. So blanks, comments, quotes, names of variables, harmless statements and their order may
differ. What else a program does is named by its line, and never left out silently: `Program.strange` is empty only
when the program is known to send this text for every event that reaches it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from smspipe.destinations.imports_code import Assign, Evaluate, If, Statement, Stop, read_program
from smspipe.destinations.imports_request import (
    FIRST,
    ROOTS,
    SECOND,
    Family,
    Other,
    Path,
    all_nodes,
    path_of,
    read_fetch,
)  # fmt: skip
from smspipe.hog.tree import Binary, Call, Constant, IsNull, Lambda, Logic, Name, Node, Not, Operator
from smspipe.model.errors import Invalid

_MOST_NODES: Final = 250
"""Nodes of one expression with its variables put in; PostHog's largest has about 80."""
_LONGEST_LINE: Final = 100
_RESPONSE: Final = Name(at=0, name="$response")
_PURE: Final = frozenset({
    "Error", "HTTPError", "base64Encode", "concat", "empty", "encodeURLComponent", "ifNull", "jsonStringify", "length",
    "lower", "notEmpty", "print", "substring", "toDate", "toDateTime", "toFloat", "toInt", "toString", "trim", "upper",
})  # fmt: skip
"""Functions that a program may call without anything happening outside of it."""


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
        if statement.name in _PURE | ROOTS | {"fetch"}:
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
            self.family, self.before, self.after = read_fetch(put_in)
        except Other as other:
            at, why = other.args
            self.note(at or call.at, why)

    def put_in(self, node: Node) -> Node | None:
        """Put what variables hold in their place; None when that grows too large."""
        size = _size(node)
        for each in all_nodes(node):
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
    for each in all_nodes(node):
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
    return path_of(node) in _NEEDED


# ---- trees -------------------------------------------------------------------------------------------------


def _size(node: Node) -> int:
    return sum(1 for _ in all_nodes(node))


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
