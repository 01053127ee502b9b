"""
Read the statements of a Hog program, without running any of them.

Only what a program that sends one text is made of is read: `let`, assignments, `if`, `return`, `throw` and calls.
Everything else (loops, functions, `try`) is kept as `Unread`, so that an import can name its line. The expressions in
the statements are parsed by the `hog` room; this file only finds where each of them ends.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from smspipe.hog.parse import parse_expression
from smspipe.hog.tree import Node
from smspipe.model.errors import Invalid

LONGEST_SOURCE: Final = 20_000
"""Characters. PostHog's programs for Twilio have under 2,000."""
_MOST_STATEMENTS: Final = 200
_DEEPEST: Final = 20

_TOKEN: Final = re.compile(
    r"""
      (?P<blank>[\s\u00a0]+ | //[^\n]* | --[^\n]* | /\*[\s\S]*?\*/)
    | (?P<formatted>[fF]')
    | (?P<text>'(?:[^'\\]|\\[\s\S]|'')*' | "(?:[^"\\]|\\[\s\S]|"")*" | `(?:[^`\\]|\\[\s\S]|``)*`)
    | (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<number>[0-9][A-Za-z0-9_.]*)
    | (?P<sign>:=|->|\?\?|\?\.|[=!<>]=|<>|[\s\S])
    """,
    re.VERBOSE,
)
_STARTS: Final = frozenset({"let", "if", "else", "return", "throw", "fun", "fn", "for", "while", "try", "catch"})
_OPERATORS: Final = frozenset({"and", "or", "not", "in", "like", "ilike", "is", "between"})


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Any statement; `at` is where it begins in the source."""

    at: int


class Assign(Statement, frozen=True, kw_only=True):
    """`let name := value`, or `name := value`."""

    name: str
    value: Node


class Evaluate(Statement, frozen=True, kw_only=True):
    """An expression by itself, such as a call."""

    value: Node


class If(Statement, frozen=True, kw_only=True):
    """`if (test) …`, perhaps with `else …`."""

    test: Node
    yes: tuple[Statement, ...]
    no: tuple[Statement, ...] = ()


class Stop(Statement, frozen=True, kw_only=True):
    """`return` or `throw`; `value` is what stands behind it."""

    value: Node | None = None


class Unread(Statement, frozen=True, kw_only=True):
    """Something else."""


class _Token(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    text: str
    start: int
    end: int


def read_program(source: str) -> tuple[Statement, ...]:
    """
    Read a program's statements, those that are not understood as `Unread`.

    Raises:
        Invalid: the program is too long, or so broken that its statements cannot be told apart.
    """
    if len(source) > LONGEST_SOURCE:
        raise Invalid(f"It is longer than {LONGEST_SOURCE} characters.", position=0)
    return _Reader(source).statements(0)


def _tokens(source: str, start: int, depth: int, *, inside: bool) -> tuple[list[_Token], int]:
    """Cut a source into tokens; `inside` of a formatted string only up to the brace that closes its expression."""
    if depth > _DEEPEST:
        raise Invalid("It is nested too deeply.", position=start)
    found: list[_Token] = []
    open_braces, at = 0, start
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:  # the last alternative takes any character
            raise Invalid("It cannot be read.", position=at)
        kind, end = match.lastgroup, match.end()
        if kind == "formatted":
            kind, end = "text", _end_of_formatted(source, end, depth)
        open_braces += (match[0] == "{") - (match[0] == "}")
        if inside and open_braces < 0:
            return found, end
        if kind != "blank":
            found.append(_Token(kind=kind, text=source[at:end], start=at, end=end))
        at = end
    if inside:
        raise Invalid("A brace is not closed.", position=start)
    return found, at


def _end_of_formatted(source: str, at: int, depth: int) -> int:
    """Find the end of `f'…'`: its expressions may hold quotes of their own."""
    begin = at
    while at < len(source):
        if source[at] == "\\" or source.startswith("''", at):
            at += 2
        elif source[at] == "'":
            return at + 1
        elif source[at] == "{":
            _, at = _tokens(source, at + 1, depth + 1, inside=True)
        else:
            at += 1
    raise Invalid("A quote is not closed.", position=begin)


class _TooLong(Invalid):
    """Reading it would take long: each expression is parsed in the place where it stands."""


class _NotRead(Exception):
    """A statement is none of those that are understood."""


class _Reader:
    """Goes through the tokens once; `place` is the next one."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens, _ = _tokens(source, 0, 0, inside=False)
        self.place = 0
        self.count = 0

    def statements(self, depth: int) -> tuple[Statement, ...]:
        """Read up to the end, or inside of a block to its closing brace, which is left."""
        found: list[Statement] = []
        while self.place < len(self.tokens) and not (depth and self.next() == "}"):
            if self.next() == ";":
                self.place += 1
                continue
            begin = self.place
            self.count += 1
            if self.count > _MOST_STATEMENTS:
                raise _TooLong(f"It has more than {_MOST_STATEMENTS} statements.", position=0)
            try:
                found.append(self.statement(depth))
            except _TooLong:
                raise
            except (_NotRead, Invalid):
                self.place = begin
                found.append(Unread(at=self.tokens[begin].start))
                self.pass_over()
        return tuple(found)

    def statement(self, depth: int) -> Statement:
        if depth > _DEEPEST:
            raise _NotRead
        token = self.tokens[self.place]
        following = self.tokens[self.place + 1].text if self.place + 1 < len(self.tokens) else ""
        readers: dict[str, Callable[[int, int], Statement]] = {"let": self.let, "if": self.if_}
        if token.text in readers:
            return readers[token.text](token.start, depth)
        if token.text in ("return", "throw"):
            self.place += 1
            return Stop(at=token.start, value=None if self.at_end_of_statement() else self.expression())
        if token.kind == "word" and following == ":=":
            self.place += 2
            return Assign(at=token.start, name=token.text, value=self.expression())
        if token.text in _STARTS:
            raise _NotRead
        value = self.expression()
        if self.next() == ":=":
            raise _NotRead  # a part of something is assigned to
        return Evaluate(at=token.start, value=value)

    def let(self, at: int, depth: int) -> Statement:  # noqa: ARG002 (one signature for all)
        self.place += 1
        name = self.take("word")
        self.take(text=":=")
        return Assign(at=at, name=name, value=self.expression())

    def if_(self, at: int, depth: int) -> Statement:
        self.place += 1
        self.take(text="(")
        test = self.expression()
        self.take(text=")")
        yes = self.block(depth)
        no: tuple[Statement, ...] = ()
        if self.next() == "else":
            self.place += 1
            no = self.block(depth)
        return If(at=at, test=test, yes=yes, no=no)

    def block(self, depth: int) -> tuple[Statement, ...]:
        if self.next() != "{":
            one = (self.statement(depth + 1),)
            self.place += self.next() == ";"
            return one
        self.place += 1
        inside = self.statements(depth + 1)
        self.take(text="}")
        return inside

    def expression(self) -> Node:
        """
        Read an expression as far as it goes.

        Two operands side by side are no expression, so where a second one begins the next statement does. (What a
        line begins with `(` or `[` belongs to the line before, as it does in PostHog.)
        """
        begin = self.place
        if self.next() in ("", ";", ",", ":=", ")", "]", "}"):
            raise _NotRead
        nesting, operand = 0, False
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            after_dot = self.place > begin and self.tokens[self.place - 1].text in (".", "?.")
            word_operator = token.kind == "word" and token.text.lower() in _OPERATORS and not after_dot
            if nesting == 0 and self.place > begin:
                starts = token.kind in ("word", "number", "text") or token.text == "{"
                ends = token.text in (";", ":=", ")", "]", "}", ",")
                keyword = token.text in _STARTS and not after_dot
                if ends or keyword or (operand and starts and not word_operator):
                    break
            nesting += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
            operand = not word_operator and (
                token.kind in ("word", "number", "text") or token.text in (")", "]", "}")
            )  # fmt: skip
            self.place += 1
        start, end = self.tokens[begin].start, self.tokens[self.place - 1].end
        # The blanks in front let every node know its place in the whole source.
        return parse_expression(" " * start + self.source[start:end])

    def pass_over(self) -> None:
        """Go behind a statement that is not understood, with the blocks that belong to it."""
        self.place += 1
        nesting = 0
        while self.place < len(self.tokens):
            token, before = self.tokens[self.place], self.tokens[self.place - 1]
            if nesting == 0:
                on_new_line = "\n" in self.source[before.end : token.start]
                goes_on = token.text in ("else", "catch", "finally", "{")
                if token.text in (";", "}") or (on_new_line and not goes_on and token.kind == "word"):
                    return
            nesting += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
            self.place += 1

    def next(self) -> str:
        return self.tokens[self.place].text if self.place < len(self.tokens) else ""

    def at_end_of_statement(self) -> bool:
        return self.next() in ("", ";", "}") or self.next() in _STARTS

    def take(self, kind: str | None = None, text: str | None = None) -> str:
        if self.place >= len(self.tokens):
            raise _NotRead
        token = self.tokens[self.place]
        if (kind is not None and token.kind != kind) or (text is not None and token.text != text):
            raise _NotRead
        self.place += 1
        return token.text
