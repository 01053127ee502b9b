"""
Liquid's expressions: read as leniently as LiquidJS reads them, and made into Python functions once.

`{{ a b }}` is `a`, and a filter that nobody knows changes nothing: PostHog sends such templates without a complaint,
so they mean the same here.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from smspipe.rendering.liquid_filters import FILTERS
from smspipe.rendering.liquid_run import MAX_ITEMS, Evaluate, LiquidFault, Run
from smspipe.rendering.liquid_values import (
    BLANK,
    EMPTY,
    NIL,
    UNDEFINED,
    equals,
    includes,
    is_list,
    js_text,
    less,
    to_number,
    to_value,
    truthy,
)

MAX_DEPTH: Final = 60
"""How deep blocks and brackets may be nested."""

_BLANKS: Final = "\t\n\v\f\r \u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
BLANK_RUN = re.compile(f"[{_BLANKS}]*")
BLANK_CHARACTERS: Final = "".join(chr(code) for code in range(0x10000) if re.match(f"[{_BLANKS}]", chr(code)))
"""White space between the parts of a tag, and what `-` takes away around one."""
_WORD = re.compile(rf"(?:[-?_A-Za-z0-9]|[^\x00-\x7f{_BLANKS}\u201c\u201d])*")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.(?!\.)[0-9]*)?")
_SECOND_POINT = re.compile(r"\.(?!\.)")
_WORDS: Final = {"true": True, "false": False, "nil": NIL, "null": NIL, "empty": EMPTY, "blank": BLANK}
_WORD_OPERATOR = re.compile("contains|not|and|or")
_SIGN_OPERATOR = re.compile("==|!=|>=|<=|>|<")
_LITERAL = re.compile("true|false|nil|null|empty|blank")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{0,4})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PRECEDENCE: Final = {"not": 1, "and": 0, "or": 0}


class Mistake(Exception):
    """A template is no Liquid; `position` is the place in what was read, `hint` what would be right."""

    def __init__(self, message: str, position: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.position = position
        self.hint = hint


class Notes:
    """What reading a template brings to light."""

    __slots__ = ("computed", "names", "unknown")

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.computed = False
        """Are some names only known when it runs?"""
        self.unknown: dict[str, int] = {}
        """Filters that nobody knows, and where."""


class Operand(NamedTuple):
    """A value that was read, from `start` to `end` of the source; `quoted` is a text that was in quotes."""

    evaluate: Evaluate
    start: int
    end: int
    quoted: str | None = None


class Value(NamedTuple):
    """An expression with its filters; `raw` tells that the last of them keeps it from being escaped."""

    evaluate: Evaluate
    text: str
    raw: bool


class Reader:
    """Reads a part of a source from `position` to `end`."""

    __slots__ = ("_depth", "end", "notes", "position", "source")

    def __init__(self, source: str, position: int, end: int, notes: Notes) -> None:
        self.source = source
        self.position = position
        self.end = end
        self.notes = notes
        self._depth = 0

    # ---- characters

    def peek(self, ahead: int = 0) -> str:
        """Give a character without taking it; "" past the end."""
        at = self.position + ahead
        return self.source[at] if at < self.end else ""

    def at_end(self) -> bool:
        """Tell whether all is read."""
        return self.position >= self.end

    def skip_blank(self) -> None:
        """Take white space."""
        self._take(BLANK_RUN)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.source, self.position, max(self.end, self.position))
        if found is None:
            return ""
        self.position = found.end()
        return found[0]

    def skip_past(self, text: str) -> bool:
        """Go past the next `text`; to the end, where there is none."""
        if self.at_end():
            return False
        at = self.source.find(text, max(self.position + 1 - len(text), 0), self.end)
        self.position = self.end if at < 0 else at + len(text)
        return at >= 0

    def expect(self, holds: object, message: str, position: int | None = None, hint: str | None = None) -> None:
        """Raise a mistake unless something holds."""
        if not holds:
            raise Mistake(message, self.position if position is None else position, hint)

    def rest(self) -> str:
        """Quote what comes next."""
        text = self.source[self.position : self.end]
        return json.dumps(text if len(text) <= 32 else text[:29] + "...", ensure_ascii=False)

    # ---- words and values

    def word(self) -> str:
        """Read a name; "" where there is none."""
        self.skip_blank()
        return self._take(_WORD)

    def quoted(self) -> str | None:
        """Read a text in quotes; one that is not closed goes to the end."""
        self.skip_blank()
        quote = self.peek()
        if quote not in ("'", '"') or not quote:
            return None
        begin = self.position
        at = begin + 1
        while at < self.end and self.source[at] != quote:
            at += 2 if self.source[at] == "\\" else 1
        self.position = min(at + 1, self.end)
        return _ESCAPE.sub(_unescape, self.source[begin + 1 : max(self.position - 1, begin + 1)])

    def _operator(self) -> str | None:
        self.skip_blank()
        begin = self.position
        if sign := self._take(_SIGN_OPERATOR):
            return sign
        return self._whole_word(_WORD_OPERATOR, begin)

    def _whole_word(self, pattern: re.Pattern[str], begin: int) -> str | None:
        word = self._take(pattern)
        if not word or (not self.at_end() and _WORD.match(self.source, self.position, self.position + 1)[0]):  # type: ignore[index]  # it matches always, if only nothing
            self.position = begin
            return None
        return word

    def _number(self) -> float | None:
        self.skip_blank()
        found = _NUMBER.match(self.source, self.position, max(self.end, self.position))
        if found is None:
            return None
        after = found.end()
        following = self.source[after : min(after + 1, self.end)]
        if "." in found[0] and _SECOND_POINT.match(self.source, after, max(self.end, after)):
            return None
        if following and _WORD.fullmatch(following):
            return None
        self.position = after
        return to_number(found[0], _FREE)

    def value(self) -> Operand | None:
        """Read a literal or a path; None where there is neither."""
        self.skip_blank()
        begin = self.position
        self._depth += 1
        self.expect(self._depth <= MAX_DEPTH, "It is nested too deeply")
        head, quoted = self._head()
        keys = self._properties(isolated=head is None)
        self._depth -= 1
        if not keys:
            return None if head is None else Operand(head, begin, self.position, quoted)
        return Operand(_path(head, [key for key, _ in keys]), begin, self.position)

    def _head(self) -> tuple[Evaluate | None, str | None]:
        begin = self.position
        if (word := self._whole_word(_LITERAL, begin)) is not None:
            return _constant(_WORDS[word]), None
        if (text := self.quoted()) is not None:
            return _constant(text), text
        if (number := self._number()) is not None:
            return _constant(number), None
        return (self._range(), None) if self.peek() == "(" else (None, None)

    def needed_value(self) -> Operand:
        """Read a value that must be there."""
        found = self.value()
        self.expect(found, f"A value is missing before {self.rest()}" if not self.at_end() else "A value is missing")
        assert found is not None  # noqa: S101 (the line above sees to it)
        return found

    def _range(self) -> Evaluate:
        begin = self.position
        self.position += 1
        low = self.needed_value().evaluate
        self.skip_blank()
        hint = "A range is written (1..5)."
        self.expect(self.peek() == "." and self.peek(1) == ".", "The range is not complete", begin, hint)
        self.position += 2
        high = self.needed_value().evaluate
        self.skip_blank()
        self.expect(self.peek() == ")", "The range is not closed", begin, hint)
        self.position += 1
        return lambda run: _count(low(run), high(run), run)

    def _properties(self, *, isolated: bool = True) -> list[tuple[Evaluate, bool]]:
        """Read the keys of a path, `isolated` where it begins with a name."""
        keys: list[tuple[Evaluate, bool]] = []
        while True:
            begin = self.position
            if self.peek() == "[":
                self.position += 1
                inner = self.value()
                self.expect(self.skip_past("]"), "A [ is never closed", begin, "Close it with ].")
                self._note(keys, isolated, None if inner is None else inner.quoted, known=inner is None)
                keys.append((_constant("") if inner is None else inner.evaluate, True))
                continue
            if isolated and not keys and (name := self.word()):
                self._note(keys, isolated, name, known=True)
                keys.append((_constant(name), False))
                continue
            if self.peek() == "." and self.peek(1) != ".":
                self.position += 1
                if name := self.word():
                    self._note(keys, isolated, name, known=True)
                    keys.append((_constant(name), False))
                    continue
            return keys

    def _note(self, keys: list[Any], isolated: bool, name: str | None, *, known: bool) -> None:
        if keys or not isolated:
            return
        if name is not None:
            self.notes.names.add(name)
        elif not known:
            self.notes.computed = True

    # ---- expressions

    def expression(self) -> Evaluate | None:
        """Read operands and operators; None where there are none."""
        parts: list[Evaluate | str] = []
        waiting: list[str] = []
        while not self.at_end():
            if operator := self._operator():
                while waiting and _PRECEDENCE.get(waiting[-1], 2) > _PRECEDENCE.get(operator, 2):
                    parts.append(waiting.pop())
                waiting.append(operator)
                continue
            operand = self.value()
            if operand is None:
                break
            parts.append(operand.evaluate)
        parts += reversed(waiting)
        if not parts:
            return None
        first = parts[0]
        return first if len(parts) == 1 and not isinstance(first, str) else _calculation(parts)

    def filtered_value(self) -> Value:
        """Read an expression and its filters."""
        begin = self.position
        evaluate = self.expression()
        self.expect(
            evaluate,
            "An expression is missing" if self.at_end() else f"There is no value that begins with {self.rest()}",
            hint="Between {{ and }} stands a value, for example {{ person.name }}.",
        )
        assert evaluate is not None  # noqa: S101 (the line above sees to it)
        last = ""
        while (named := self._filter()) is not None:
            last, arguments = named
            evaluate = _filtered(evaluate, last, arguments)
        return Value(evaluate, self.source[begin : self.position], last == "raw")

    def _filter(self) -> tuple[str, list[Evaluate]] | None:
        self.skip_blank()
        if self.at_end() or self.peek() in (")", ","):
            return None
        hint = "Filters follow after a bar, and their arguments after a colon: {{ name | default: 'friend' }}."
        self.expect(self.peek() == "|", f"A | is missing before {self.rest()}", hint=hint)
        self.position += 1
        self.skip_blank()
        begin = self.position
        name = self.word()
        if not name:
            self.expect(self.at_end(), "The name of a filter is missing", hint=hint)
            return None
        if name not in FILTERS:
            self.notes.unknown.setdefault(name, begin)
        if name.endswith("_exp"):
            self.notes.computed = True
        arguments: list[Evaluate] = []
        self.skip_blank()
        if self.peek() == ":":
            while True:
                self.position += 1
                if (argument := self._argument()) is not None:
                    arguments.append(argument)
                self.skip_blank()
                self.expect(
                    self.at_end() or self.peek() in (",", "|", ")"), f"{self.rest()} is not expected here", hint=hint
                )
                if self.peek() != ",":
                    break
        else:
            self.expect(
                self.at_end() or self.peek() in ("|", ")", ","), f"A : is missing after the filter {name}", hint=hint
            )
        return name, arguments

    def _argument(self) -> Evaluate | None:
        """Read an argument; one with a name is a pair of both, which is how LiquidJS's filters get it."""
        first = self.value()
        if first is None:
            return None
        self.skip_blank()
        if self.peek() != ":":
            return first.evaluate
        self.position += 1
        name = self.source[first.start : first.end]
        second = self.value()
        evaluate = _constant(UNDEFINED) if second is None else second.evaluate
        return lambda run: [name, evaluate(run)]

    def options(self) -> dict[str, Evaluate]:
        """Read the options of a tag, `limit:3 reversed`; what has no value is true."""
        found: dict[str, Evaluate] = {}
        while True:
            self.skip_blank()
            if self.peek() == ",":
                self.position += 1
            name = self.word()
            if not name:
                return found
            self.skip_blank()
            found[name] = _constant(True)
            if self.peek() == ":":
                self.position += 1
                value = self.value()
                if value is not None:
                    found[name] = value.evaluate

    def path_alone(self) -> Evaluate:
        """Read a path that begins with a name, as `where` and its kin take it."""
        self.skip_blank()
        keys = self._properties()
        return _path(None, [key for key, _ in keys]) if keys else _constant(UNDEFINED)


def _unescape(found: re.Match[str]) -> str:
    code, octal, other = found.groups()
    if code is not None:
        return chr(int(code or "0", 16))
    return chr(int(octal, 8)) if octal is not None else _ESCAPED.get(other, other)


class _Free:
    """Pays for nothing: what is read when a template is compiled is as long as its source at most."""

    def step(self, count: int) -> None: ...

    def use(self, count: float) -> None: ...


_FREE: Final = _Free()


def _constant(value: Any) -> Evaluate:
    return lambda _run: value


def _path(head: Evaluate | None, keys: list[Evaluate]) -> Evaluate:
    first, rest = (keys[0], keys[1:]) if head is None else (head, keys)

    def evaluate(run: Run) -> Any:
        # JavaScript evaluates the keys first, and the value after them.
        value = first(run) if head is not None else run.look_up(first(run))
        for key in rest:
            value = run.get(value, key(run))
        return value

    return evaluate


def _count(low: Any, high: Any, run: Run) -> list[float]:
    first, last = to_number(to_value(low), run), to_number(to_value(high), run)
    if not last - first < MAX_ITEMS and last - first == last - first:
        raise LiquidFault(f"The Liquid template counts over more than {MAX_ITEMS} numbers.")
    size = math.ceil(last - first + 1) if last - first > -1 else 0
    run.step(1 + size // 4)
    return [first + index for index in range(size)]


def _filtered(evaluate: Evaluate, name: str, arguments: list[Evaluate]) -> Evaluate:
    filter_ = FILTERS.get(name)

    def apply(run: Run) -> Any:
        value = evaluate(run)
        given = [argument(run) for argument in arguments]
        run.step(2)
        return value if filter_ is None else filter_(run, value, given)

    return apply


# ---- operators -----------------------------------------------------------------------------------------------


def _ordered(test: Callable[[Any, Any, Run], bool]) -> Callable[[Any, Any, Run], bool]:
    def compare(left: Any, right: Any, run: Run) -> bool:
        # `nil`, `empty` and `blank` are neither more nor less than anything.
        if left in _ORDERLESS or right in _ORDERLESS:
            return False
        return test(left, right, run)

    return compare


def _contains(left: Any, right: Any, run: Run) -> bool:
    left = to_value(left)
    if is_list(left):
        return includes(left, right, run)
    if not isinstance(left, str):
        return False
    run.step(1 + len(left) // 500)
    return js_text(to_value(right), run) in left


class _Orderless:
    def __contains__(self, value: object) -> bool:
        return value is NIL or value is EMPTY or value is BLANK


_ORDERLESS: Final = _Orderless()
_BINARY: Final[dict[str, Callable[[Any, Any, Run], bool]]] = {
    "==": equals,
    "!=": lambda left, right, run: not equals(left, right, run),
    "<": _ordered(lambda left, right, run: less(left, right, run) is True),
    ">": _ordered(lambda left, right, run: less(right, left, run) is True),
    "<=": _ordered(lambda left, right, run: less(right, left, run) is False),
    ">=": _ordered(lambda left, right, run: less(left, right, run) is False),
    "contains": _contains,
    "and": lambda left, right, _run: truthy(left) and truthy(right),
    "or": lambda left, right, _run: truthy(left) or truthy(right),
}


def _calculation(parts: list[Evaluate | str]) -> Evaluate:
    """Make one function of operands and operators in postfix order; what is left over is passed by."""

    def evaluate(run: Run) -> Any:
        stack: list[Any] = []
        for part in parts:
            if not isinstance(part, str):
                stack.append(part(run))
                continue
            run.step(1)
            right = stack.pop() if stack else UNDEFINED
            if part == "not":
                stack.append(not truthy(right))
                continue
            left = stack.pop() if stack else UNDEFINED
            stack.append(_BINARY[part](left, right, run))
        return stack[0]

    return evaluate


def compile_path(text: str) -> Evaluate:
    """Read a path from the text that a filter got."""
    return Reader(text, 0, len(text), Notes()).path_alone()


def compile_value(text: str) -> Evaluate:
    """Read an expression with filters from the text that a filter got."""
    return Reader(text, 0, len(text), Notes()).filtered_value().evaluate
