"""
What the parser makes of each rule of `grammar.lark`: one method per rule, called as soon as the rule is read.

A method gets the rule's children in order: nodes of the tree, and those tokens whose terminals have
names without an underscore in front.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from smspipe.hog.tree import (
    Between,
    Binary,
    Call,
    Conditional,
    Constant,
    DictOf,
    Fallback,
    IsNull,
    Lambda,
    ListOf,
    Logic,
    Member,
    Name,
    Node,
    Not,
    Operator,
    Text,
)
from smspipe.model.errors import Invalid

MAX_EXACT_INTEGER: Final = 2**53
"""Whole numbers beyond it are floats, as all numbers are in JavaScript."""
SINGLE_BRACES_HINT: Final = "This field uses single curly braces, for example {event.properties.name}."

_EXACT_DIGITS: Final = 16
"""A longer number is a float; Python also refuses to read integers of thousands of digits."""
_FLOAT_BITS: Final = 1023
_SPELLINGS: Final = {"~": "=~", "~*": "=~*", "!~": "=~", "!~*": "=~*", "=": "==", "<>": "!="}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "v": "\v", "b": "\b", "f": "\f", "\\": "\\"}
_WORDS: Final[dict[str, float | bool]] = {"true": True, "false": False, "inf": float("inf"), "nan": float("nan")}


def unescape(text: str, quote: str = "") -> str:
    r"""
    Resolve the escapes of a string: `\n`, `\t` …, `\\`, `\{`, and `quote` escaped or doubled.

    Unknown escapes stay as they are, backslash included.
    """
    if "\\" not in text and not (quote and quote in text):
        return text
    known = _ESCAPES | {"{": "{"} | ({quote: quote} if quote else {})
    doubled = f"|{re.escape(quote)}{re.escape(quote)}" if quote else ""
    escape = re.compile(rf"\\(.){doubled}", re.DOTALL)
    return escape.sub(lambda match: known.get(match[1], match[0]) if match[1] else quote, text)


class Builder:
    """Builds the tree of one parser; stateless, so all parses share it."""

    def template(self, parts: Sequence[Any]) -> Node:
        return Text(at=0, parts=tuple(part for part in parts if isinstance(part, Node)))

    def bare_expression(self, parts: Sequence[Any]) -> Any:
        return parts[0]

    def text(self, parts: Sequence[Any]) -> Node:
        return Constant(at=parts[0].start_pos, value=unescape(parts[0].value))

    def fstring_text(self, parts: Sequence[Any]) -> Node:
        return Constant(at=parts[0].start_pos, value=unescape(parts[0].value, "'"))

    def fstring(self, parts: Sequence[Any]) -> Node:
        return Text(at=parts[0].start_pos, parts=tuple(part for part in parts if isinstance(part, Node)))

    # ---- literals and names ------------------------------------------------------------------------

    def number(self, parts: Sequence[Any]) -> Node:
        token = parts[0]
        text = token.value
        value: int | float
        if text[:2] in ("0x", "0X"):
            value = int(text, 16)
        else:
            value = int(text) if text.isdigit() and len(text) <= _EXACT_DIGITS else float(text)
        if isinstance(value, int) and value > MAX_EXACT_INTEGER:
            value = float(value) if value.bit_length() < _FLOAT_BITS else float("inf")
        return Constant(at=token.start_pos, value=value)

    def string(self, parts: Sequence[Any]) -> Node:
        return Constant(at=parts[0].start_pos, value=unescape(parts[0].value[1:-1], "'"))

    def null(self, parts: Sequence[Any]) -> Node:
        return Constant(at=parts[0].start_pos, value=None)

    def name(self, parts: Sequence[Any]) -> Node:
        token = parts[0]
        if token.type == "NAME" and token.value.lower() in _WORDS:
            return Constant(at=token.start_pos, value=_WORDS[token.value.lower()])
        return Name(at=token.start_pos, name=_name(token))

    def parenthesis(self, parts: Sequence[Any]) -> Any:
        return parts[1]

    def tuple_(self, parts: Sequence[Any]) -> Node:
        return ListOf(at=parts[0].start_pos, items=tuple(parts[1:]), fixed=True)

    def list_(self, parts: Sequence[Any]) -> Node:
        return ListOf(at=parts[0].start_pos, items=tuple(parts[1:]))

    def entry(self, parts: Sequence[Any]) -> tuple[Node, Node]:
        return (parts[0], parts[1])

    def dict_(self, parts: Sequence[Any]) -> Node:
        return DictOf(at=parts[0].start_pos, entries=tuple(parts[1:]))

    def placeholder(self, parts: Sequence[Any]) -> Node:
        raise Invalid(
            "Placeholders are not allowed in this context", position=parts[0].start_pos, hint=SINGLE_BRACES_HINT
        )

    # ---- steps and calls ---------------------------------------------------------------------------

    def member(self, parts: Sequence[Any]) -> Node:
        owner, token = parts
        key = int(token.value) if token.type == "INDEX" and len(token.value) <= _EXACT_DIGITS else _name(token)
        return self._step(owner, Constant(at=token.start_pos, value=key))

    def item(self, parts: Sequence[Any]) -> Node:
        return self._step(parts[0], parts[1])

    def _step(self, owner: Node, key: Node) -> Node:
        if isinstance(key, Constant) and type(key.value) is int and key.value == 0:
            raise Invalid("Array access starts from 1", position=key.at, hint="The first item is [1], the last [-1].")
        return Member(at=owner.at, owner=owner, key=key)

    def call(self, parts: Sequence[Any]) -> Node:
        function, _, *arguments = parts
        return Call(at=function.at, function=function, arguments=tuple(arguments))

    def lambda_(self, parts: Sequence[Any]) -> Node:
        body = parts[-1]
        parameters = [part for part in parts[:-1] if isinstance(part, Node)]  # without the "(" of "() ->"
        at = parameters[0].at if parameters else parts[0].start_pos
        listed = parameters[0].items if parameters and isinstance(parameters[0], ListOf) else parameters
        names: list[str] = []
        for parameter in listed:
            if not isinstance(parameter, Name):
                raise Invalid("The parameters of a lambda are names: (x, y) -> x + y", position=parameter.at)
            names.append(parameter.name)
        return Lambda(at=at, parameters=tuple(names), body=body)

    # ---- operators ---------------------------------------------------------------------------------

    def conditional(self, parts: Sequence[Any]) -> Node:
        test, yes, no = parts
        return Conditional(at=test.at, test=test, yes=yes, no=no)

    def fallback(self, parts: Sequence[Any]) -> Node:
        return Fallback(at=parts[0].at, value=parts[0], otherwise=parts[1])

    def or_(self, parts: Sequence[Any]) -> Node:
        return Logic(at=parts[0].at, every=False, parts=tuple(parts))

    def and_(self, parts: Sequence[Any]) -> Node:
        return Logic(at=parts[0].at, every=True, parts=tuple(parts))

    def not_(self, parts: Sequence[Any]) -> Node:
        return Not(at=parts[0].start_pos, part=parts[1])

    def binary(self, parts: Sequence[Any]) -> Node:
        left, token, right = parts
        word = token.value.lower()
        node = _binary(left, token, right)
        return Not(at=left.at, part=node) if word in ("!~", "!~*") else node

    def negated_binary(self, parts: Sequence[Any]) -> Node:
        left, _, token, right = parts
        return Not(at=left.at, part=self.binary((left, token, right)))

    def arithmetic(self, parts: Sequence[Any]) -> Node:
        left, token, right = parts
        return _binary(left, token, right)

    def joined(self, parts: Sequence[Any]) -> Node:
        return Text(at=parts[0].at, parts=tuple(parts))

    def negative(self, parts: Sequence[Any]) -> Node:
        token, part = parts
        if isinstance(part, Constant) and isinstance(part.value, int | float) and type(part.value) is not bool:
            return Constant(at=token.start_pos, value=-part.value)
        return _binary(Constant(at=token.start_pos, value=0), token, part)

    def positive(self, parts: Sequence[Any]) -> Node:
        token, part = parts
        return _binary(Constant(at=token.start_pos, value=0), token, part)

    def is_null(self, parts: Sequence[Any]) -> Node:
        return IsNull(at=parts[0].at, value=parts[0])

    def is_not_null(self, parts: Sequence[Any]) -> Node:
        return Not(at=parts[0].at, part=self.is_null(parts))

    def between(self, parts: Sequence[Any]) -> Node:
        value, low, high = parts
        return Between(at=value.at, value=value, low=low, high=high)

    def not_between(self, parts: Sequence[Any]) -> Node:
        value, _, low, high = parts
        return Between(at=value.at, value=value, low=low, high=high, negated=True)


def _name(token: Any) -> str:
    text: str = token.value
    return unescape(text[1:-1], text[0]) if token.type == "QUOTED_NAME" else text


def _binary(left: Node, token: Any, right: Node) -> Binary:
    word = token.value.lower()
    operator = Operator(_SPELLINGS.get(word, word))
    return Binary(at=left.at, operator=operator, sign=token.start_pos, left=left, right=right)
