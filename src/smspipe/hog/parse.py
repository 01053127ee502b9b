"""
From source text to the tree, and every refusal an `Invalid` that a person without a programmer can act on.

Operators are read by precedence: `expression(level)` reads an operand, then every operator that binds at least
as tightly as `level`. What stands before an operand (`not`, `-`, a lambda) may stand at any operand, as PostHog's
grammar has it: `a = not b = c` is `a = (not (b = c))`.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from smspipe.hog import mistakes
from smspipe.hog.mistakes import Opening
from smspipe.hog.tokens import QUOTED_TEXT, TEMPLATE_TEXT, Kind, Token, read_token, unescape
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
    children,
)
from smspipe.model.errors import Invalid

MAX_SOURCE_BYTES: Final = 100 * 1024
"""PostHog's own limit for code; no text message needs a longer template."""
MAX_DEPTH: Final = 100
"""Levels of a source and of its tree; parser and compiler spend up to four Python frames on each, of a thousand."""
MAX_NODES: Final = 20_000
"""Nodes of a tree: more than any sensible source has, and still compiled within a few seconds."""
MAX_PARAMETERS: Final = 20
"""Parameters of a lambda. To know a lambda from a list, the parser has to look this far ahead."""
_EXACT_DIGITS: Final = 16
"""A longer number is a float; Python also refuses to read integers of thousands of digits."""
_MAX_EXACT_INTEGER: Final = 2**53
"""Whole numbers beyond it are floats, as all numbers are in JavaScript."""


class Level(IntEnum):
    """How tightly operators bind, from the loosest."""

    CONDITIONAL = 0
    OR = 1
    AND = 2
    NOT = 3
    BETWEEN = 4
    FALLBACK = 5
    IS_NULL = 6
    COMPARISON = 7
    SUM = 8
    PRODUCT = 9
    NEGATION = 10


_COMPARISONS: Final = {
    "=": Operator.EQUAL, "==": Operator.EQUAL, "!=": Operator.UNEQUAL, "<>": Operator.UNEQUAL,
    "<": Operator.LESS, "<=": Operator.LESS_OR_EQUAL, ">": Operator.GREATER, ">=": Operator.GREATER_OR_EQUAL,
    "~": Operator.MATCHES, "=~": Operator.MATCHES, "~*": Operator.MATCHES_ANY_CASE, "=~*": Operator.MATCHES_ANY_CASE,
}  # fmt: skip
_NEGATED_COMPARISONS: Final = {"!~": Operator.MATCHES, "!~*": Operator.MATCHES_ANY_CASE}
_WORD_COMPARISONS: Final = {"in": Operator.IN, "like": Operator.LIKE, "ilike": Operator.ILIKE}
_SUMS: Final = {"+": Operator.ADD, "-": Operator.SUBTRACT}
_PRODUCTS: Final = {"*": Operator.MULTIPLY, "/": Operator.DIVIDE, "%": Operator.MODULO}
_INFIX_WORDS: Final = ("and", "or", "in", "like", "ilike", "is", "between")
_CASE_WORDS: Final = ("when", "then", "else", "end")
_NUMBERS: Final = (Kind.INTEGER, Kind.FLOAT, Kind.RADIX)
_WORD_NUMBERS: Final = {"inf": float("inf"), "infinity": float("inf"), "nan": float("nan")}
_NO_NAMES: Final = ("null", *_WORD_NUMBERS)
_BOOLEANS: Final = {"true": True, "false": False}


def parse_template(source: str) -> Text:
    """
    Parse text with expressions in single curly braces; all outside of them is text.

    Raises:
        Invalid: with the `position` of the mistake, and a `hint` where one is known.
    """
    parser = _Parser(source)
    tree = Text(at=0, parts=parser.template())
    _check(source, tree)
    return tree


def parse_expression(source: str) -> Node:
    """
    Parse one bare expression.

    Raises:
        Invalid: with the `position` of the mistake, and a `hint` where one is known.
    """
    parser = _Parser(source)
    parser.advance(0)
    tree = parser.expression(Level.CONDITIONAL)
    if parser.token.kind is not Kind.END:
        raise mistakes.unexpected(source, parser.token, parser.last, None)
    _check(source, tree)
    return tree


class _Parser:
    """Reads one source. `token` is the word to be read next, `last` the one before it."""

    def __init__(self, source: str) -> None:
        size = len(source) if source.isascii() else len(source.encode("utf-8", "surrogatepass"))
        if size > MAX_SOURCE_BYTES:
            raise Invalid(f"The source has {size} bytes; {MAX_SOURCE_BYTES} is the most.", position=0)
        self.source = source
        self.token = self.last = Token(Kind.END, "", 0, 0)
        self.depth = 0
        self.cases = 0
        """How many `case … end` are open."""

    # ---- words -------------------------------------------------------------------------------------

    def advance(self, at: int | None = None) -> Token:
        """Go on to the next word, or to the one at `at`; return the one left behind."""
        self.last = self.token
        self.token = read_token(self.source, self.token.end if at is None else at)
        return self.last

    def following(self) -> Token:
        return read_token(self.source, self.token.end)

    def take(self, *signs: str) -> Token | None:
        return self.advance() if self.token.is_sign(*signs) else None

    def close(self, opening: Token, sign: str, what: Opening) -> None:
        """Read the sign that closes what `opening` began."""
        if not self.token.is_sign(sign):
            raise mistakes.unexpected(self.source, self.token, self.last, mistakes.Unclosed(opening, sign, what))
        self.advance()

    # ---- text with holes ---------------------------------------------------------------------------

    def template(self) -> tuple[Node, ...]:
        parts: list[Node] = []
        at = 0
        while at < len(self.source):
            if match := TEMPLATE_TEXT.match(self.source, at):
                parts.append(Constant(at=at, value=unescape(match.group())))
                at = match.end()
            else:
                part, at = self.hole(at)
                parts.append(part)
        return tuple(parts)

    def hole(self, at: int) -> tuple[Node, int]:
        """Read `{expression}` at `at`; return it and where the text goes on."""
        self.advance(at)
        opening = self.token
        self.advance()
        part = self.expression(Level.CONDITIONAL)
        if not self.token.is_sign("}"):
            unclosed = mistakes.Unclosed(opening, "}", Opening.HOLE)
            raise mistakes.unexpected(self.source, self.token, self.last, unclosed)
        return part, self.token.end

    def quoted_template(self) -> Node:
        opening = self.token
        parts: list[Node] = []
        at = opening.end
        while True:
            if match := QUOTED_TEXT.match(self.source, at):
                parts.append(Constant(at=at, value=unescape(match.group(), "'")))
                at = match.end()
            elif self.source.startswith("'", at):
                break
            elif self.source.startswith("{", at):
                part, at = self.hole(at)
                parts.append(part)
            else:
                raise mistakes.bad_text(self.source, opening.at, at)
        self.advance(at + 1)
        if len(parts) < 2:
            return parts[0] if parts else Constant(at=opening.at, value="")
        return Text(at=opening.at, parts=tuple(parts))

    # ---- operators ---------------------------------------------------------------------------------

    def expression(self, level: Level) -> Node:
        """Read an operand and all operators after it that bind at least as tightly as `level`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise mistakes.too_deep(MAX_DEPTH, self.token.at)
        node = self.prefixed()
        while (step := self.infix(level)) is not None:
            node = step(node)
        self.depth -= 1
        return node

    def infix(self, level: Level) -> Callable[[Node], Node] | None:
        """Find how to go on after an operand; None when what follows belongs to something around it."""
        token = self.token
        if token.kind is Kind.SIGN:
            sign = token.text
            if sign in _PRODUCTS and level <= Level.PRODUCT:
                return lambda left: self.binary(left, _PRODUCTS[sign], Level.NEGATION)
            if sign in _SUMS and level <= Level.SUM:
                return lambda left: self.binary(left, _SUMS[sign], Level.PRODUCT)
            if sign == "||" and level <= Level.SUM:
                return self.joined
            if sign in _COMPARISONS and level <= Level.COMPARISON:
                return lambda left: self.binary(left, _COMPARISONS[sign], Level.SUM)
            if sign in _NEGATED_COMPARISONS and level <= Level.COMPARISON:
                return lambda left: self.negated(self.binary(left, _NEGATED_COMPARISONS[sign], Level.SUM))
            if sign == "??" and level <= Level.FALLBACK:
                return self.fallback
            if sign == "?" and level <= Level.CONDITIONAL:
                return self.conditional
            return None
        return self.infix_word(token, level) if token.kind is Kind.NAME else None

    def infix_word(self, token: Token, level: Level) -> Callable[[Node], Node] | None:
        word = token.text.lower()
        negated = word == "not"
        if negated:
            word = self.following().text.lower()
        if word in _WORD_COMPARISONS and level <= Level.COMPARISON:
            return lambda left: self.word_comparison(left, _WORD_COMPARISONS[word], negated=negated)
        if word == "between" and level <= Level.BETWEEN:
            return lambda left: self.between(left, negated=negated)
        if negated:
            return None
        if word == "is" and level <= Level.IS_NULL:
            return self.is_null
        if word == "and" and level <= Level.AND:
            return lambda left: self.logic(left, word, Level.NOT)
        if word == "or" and level <= Level.OR:
            return lambda left: self.logic(left, word, Level.AND)
        return None

    def binary(self, left: Node, operator: Operator, level: Level) -> Node:
        sign = self.advance()
        return Binary(at=left.at, operator=operator, sign=sign.at, left=left, right=self.expression(level))

    def negated(self, node: Node) -> Node:
        return Not(at=node.at, part=node)

    def word_comparison(self, left: Node, operator: Operator, *, negated: bool) -> Node:
        if negated:
            self.advance()
        node = self.binary(left, operator, Level.SUM)
        return self.negated(node) if negated else node

    def between(self, value: Node, *, negated: bool) -> Node:
        if negated:
            self.advance()
        self.advance()
        low = self.bound(Level.BETWEEN)
        if not self.token.is_word("and"):
            raise mistakes.expected(self.source, self.token, "'and' and the upper bound of 'between'")
        self.advance()
        return Between(at=value.at, value=value, low=low, high=self.bound(Level.FALLBACK), negated=negated)

    def bound(self, level: Level) -> Node:
        bound = self.expression(level)
        if isinstance(bound, Lambda):
            raise Invalid("A bound of 'between' cannot be a function.", position=bound.at)
        return bound

    def is_null(self, value: Node) -> Node:
        self.advance()
        negated = self.token.is_word("not")
        if negated:
            self.advance()
        if not self.token.is_word("null"):
            raise mistakes.expected(self.source, self.token, "'null' or 'not null' after 'is'")
        self.advance()
        node = IsNull(at=value.at, value=value)
        return self.steps(self.negated(node) if negated else node)

    def fallback(self, value: Node) -> Node:
        self.advance()
        return Fallback(at=value.at, value=value, otherwise=self.expression(Level.IS_NULL))

    def conditional(self, test: Node) -> Node:
        question = self.advance()
        yes = self.expression(Level.CONDITIONAL)
        self.close(question, ":", Opening.CONDITIONAL)
        return Conditional(at=test.at, test=test, yes=yes, no=self.expression(Level.CONDITIONAL))

    def logic(self, left: Node, word: str, level: Level) -> Node:
        every = word == "and"
        parts = [left]
        while self.token.is_word(word):
            self.advance()
            parts.append(self.expression(level))
        flat: list[Node] = []
        for part in parts:
            same = isinstance(part, Logic) and part.every is every
            flat.extend(part.parts if isinstance(part, Logic) and same else (part,))
        return Logic(at=left.at, every=every, parts=tuple(flat))

    def joined(self, left: Node) -> Node:
        parts = [left]
        while self.take("||"):
            parts.append(self.expression(Level.PRODUCT))
        flat = [piece for part in parts for piece in _pieces(part)]
        return Text(at=left.at, parts=tuple(flat))

    # ---- operands ----------------------------------------------------------------------------------

    def prefixed(self) -> Node:
        token = self.token
        if token.is_sign("-", "+") and (number := self.signed_number()) is not None:
            return self.steps(number)
        if token.is_sign("-"):
            self.advance()
            part = self.expression(Level.NEGATION)
            zero = Constant(at=token.at, value=0)
            return Binary(at=token.at, operator=Operator.SUBTRACT, sign=token.at, left=zero, right=part)
        if token.is_word("not") and self.begins_operand(self.following()):
            self.advance()
            return Not(at=token.at, part=self.expression(Level.NOT))
        return self.steps(self.operand())

    def begins_operand(self, token: Token) -> bool:
        """Tell whether `not` before `token` negates it; before a parenthesis it is a function like others."""
        if token.kind is Kind.NAME:
            return token.text.lower() not in _INFIX_WORDS
        if token.is_sign("."):
            return read_token(self.source, token.end).kind is Kind.INTEGER
        return token.kind not in (Kind.SIGN, Kind.END, Kind.UNKNOWN) or token.is_sign("[", "{", "-", "+")

    def signed_number(self) -> Constant | None:
        """Read a number with a sign in front; None, and nothing read, when it is no number that follows."""
        sign, first = self.token, self.following()
        if not (first.kind in _NUMBERS or first.is_word(*_WORD_NUMBERS) or first.is_sign(".")):
            if sign.text == "+":
                raise mistakes.expected(self.source, first, "a number after '+'")
            return None
        self.advance()
        number = self.number()
        value = number.value
        if isinstance(value, int | float) and sign.text == "-":
            value = -value
        return Constant(at=sign.at, value=value)

    def number(self) -> Constant:
        """Read a number; a point between or beside digits is a word of its own, with or without blanks around it."""
        token = self.advance()
        if token.kind is Kind.NAME:
            return Constant(at=token.at, value=_WORD_NUMBERS[token.text.lower()])
        if token.is_sign("."):
            if self.token.kind is not Kind.INTEGER:
                raise mistakes.expected(self.source, self.token, "a number or a name before the point")
            return Constant(at=token.at, value=float(f"0.{self.advance().text}"))
        if token.kind is Kind.FLOAT:
            text = token.text
            hexadecimal = text[:2] in ("0x", "0X")
            return Constant(at=token.at, value=float.fromhex(text) if hexadecimal else float(text))
        if token.kind is Kind.RADIX:
            return Constant(at=token.at, value=_whole(int(token.text, 0)))
        if self.token.is_sign("."):
            after = self.following()
            if after.kind is Kind.INTEGER:
                self.advance()
                self.advance()
                return Constant(at=token.at, value=float(f"{token.text}.{after.text}"))
            ends_it = after.is_word(*_INFIX_WORDS, "not") or (self.cases > 0 and after.is_word(*_CASE_WORDS))
            if after.kind not in (Kind.NAME, Kind.QUOTED_NAME) or ends_it:
                self.advance()
                return Constant(at=token.at, value=float(token.text))
        value = _whole(int(token.text)) if len(token.text) <= _EXACT_DIGITS else float(token.text)
        return Constant(at=token.at, value=value)

    def operand(self) -> Node:
        token = self.token
        match token.kind:
            case Kind.INTEGER | Kind.FLOAT | Kind.RADIX:
                return self.number()
            case Kind.STRING:
                return Constant(at=token.at, value=unescape(self.advance().text[1:-1], "'"))
            case Kind.TEMPLATE:
                return self.quoted_template()
            case Kind.NAME | Kind.QUOTED_NAME:
                return self.name()
        match token.text if token.kind is Kind.SIGN else "":
            case ".":
                return self.number()
            case "(":
                return self.parenthesis()
            case "[":
                self.advance()
                items = self.items(token, "]", Opening.LIST)
                return ListOf(at=token.at, items=items)
            case "{":
                return self.braces()
        raise mistakes.no_operand(self.source, token, self.last)

    def name(self) -> Node:
        token = self.token
        if (parameters := self.parameters(token)) is not None:
            return self.lambda_(token, parameters)
        if token.kind is Kind.NAME:
            word = token.text.lower()
            if word == "null":
                return Constant(at=self.advance().at, value=None)
            if word in _WORD_NUMBERS:
                return self.number()
            if word == "case" and self.following().is_word("when"):
                return self.case()
            if word in _BOOLEANS and not self.names_a_step(self.following()):
                return Constant(at=self.advance().at, value=_BOOLEANS[word])
        return Name(at=self.advance().at, name=_name(token))

    def names_a_step(self, token: Token) -> bool:
        """Tell whether `.name` follows, before which even `true` is a name."""
        return token.is_sign(".") and read_token(self.source, token.end).kind in (Kind.NAME, Kind.QUOTED_NAME)

    def case(self) -> Node:
        """Read `case when test then value … else otherwise end`: SQL's way to write a conditional."""
        opening = self.advance()
        self.cases += 1
        choices: list[tuple[Node, Node]] = []
        while self.token.is_word("when"):
            self.advance()
            test = self.expression(Level.CONDITIONAL)
            self.word("then", "after the test of 'when'")
            choices.append((test, self.expression(Level.CONDITIONAL)))
        otherwise: Node = Constant(at=self.token.at, value=None)
        if self.token.is_word("else"):
            self.advance()
            otherwise = self.expression(Level.CONDITIONAL)
        self.cases -= 1
        self.word("end", "after the last value of 'case'")
        arguments = (*(part for choice in choices for part in choice), otherwise)
        name = "if" if len(choices) == 1 else "multiIf"
        return Call(at=opening.at, function=Name(at=opening.at, name=name), arguments=arguments)

    def word(self, word: str, where: str) -> None:
        if not self.token.is_word(word):
            raise mistakes.expected(self.source, self.token, f"'{word}' {where}")
        self.advance()

    # ---- lambdas -----------------------------------------------------------------------------------

    def parameters(self, token: Token) -> list[str] | None:
        """Read ahead over `x ->`, `x, y ->`, `(x, y) ->` or `() ->`; None, and nothing read, when it is no lambda."""
        names: list[str] = []
        closed = not token.is_sign("(")
        token = token if closed else read_token(self.source, token.end)
        while token.kind in (Kind.NAME, Kind.QUOTED_NAME) and not token.is_word(*_NO_NAMES):
            if len(names) == MAX_PARAMETERS:
                return None
            names.append(_name(token))
            token = read_token(self.source, token.end)
            if not token.is_sign(","):
                break
            token = read_token(self.source, token.end)
        if not closed:
            if not token.is_sign(")"):
                return None
            token = read_token(self.source, token.end)
        if not token.is_sign("->"):
            return None
        self.token = token
        return names

    def lambda_(self, opening: Token, names: list[str]) -> Node:
        self.advance()
        return Lambda(at=opening.at, parameters=tuple(names), body=self.expression(Level.CONDITIONAL))

    # ---- parentheses, lists, objects ---------------------------------------------------------------

    def parenthesis(self) -> Node:
        opening = self.token
        if (parameters := self.parameters(opening)) is not None:
            return self.lambda_(opening, parameters)
        self.advance()
        if self.token.is_sign(")"):
            raise mistakes.no_operand(self.source, self.token, self.last)
        first = self.expression(Level.CONDITIONAL)
        if self.take(","):
            rest = self.items(opening, ")", Opening.PARENTHESIS)
            return ListOf(at=opening.at, items=(first, *rest), fixed=True)
        self.close(opening, ")", Opening.PARENTHESIS)
        return first

    def items(self, opening: Token, sign: str, what: Opening) -> tuple[Node, ...]:
        """Read expressions with commas between them, perhaps one after the last, up to the closing sign."""
        items: list[Node] = []
        while not self.token.is_sign(sign):
            items.append(self.expression(Level.CONDITIONAL))
            if not self.take(","):
                break
        self.close(opening, sign, what)
        return tuple(items)

    def braces(self) -> Node:
        opening = self.advance()
        entries: list[tuple[Node, Node]] = []
        while not self.token.is_sign("}"):
            key = self.expression(Level.CONDITIONAL)
            if not entries and self.token.is_sign("}"):
                raise mistakes.placeholder(opening)
            self.close(opening, ":", Opening.KEY)
            entries.append((key, self.expression(Level.CONDITIONAL)))
            if not self.take(","):
                break
        self.close(opening, "}", Opening.OBJECT)
        return DictOf(at=opening.at, entries=tuple(entries))

    # ---- steps and calls ---------------------------------------------------------------------------

    def steps(self, node: Node) -> Node:
        """Read what may follow any operand: `.name`, `.1`, `[key]`, with `?` before them, and `(arguments)`."""
        while True:
            if opening := self.take("("):
                arguments = self.items(opening, ")", Opening.CALL)
                node = _call(node, arguments)
            elif (opening := self.token).is_sign("["):
                self.advance()
                node = self.item(node, opening)
            elif dot := self.take(".", "?."):
                if dot.text == "?." and (opening := self.token).is_sign("["):
                    self.advance()
                    node = self.item(node, opening)
                else:
                    node = _member(node, self.step(dot))
            else:
                return node

    def item(self, owner: Node, opening: Token) -> Node:
        if self.token.is_sign("]"):
            raise mistakes.no_operand(self.source, self.token, self.last)
        key = self.expression(Level.CONDITIONAL)
        self.close(opening, "]", Opening.ITEM)
        return _member(owner, key)

    def step(self, dot: Token) -> Constant:
        token = self.token
        if token.kind is Kind.QUOTED_NAME or (token.kind is Kind.NAME and not token.is_word(*_NO_NAMES)):
            return Constant(at=self.advance().at, value=_name(token))
        leading_zero = len(token.text) > 1 and token.text.startswith("0") and not set(token.text) & {"8", "9"}
        if token.kind is Kind.INTEGER and not leading_zero and len(token.text) <= _EXACT_DIGITS:
            return Constant(at=self.advance().at, value=int(token.text))
        raise mistakes.no_step(self.source, token, dot)


def _name(token: Token) -> str:
    return unescape(token.text[1:-1], token.text[0]) if token.kind is Kind.QUOTED_NAME else token.text


def _whole(value: int) -> int | float:
    if value <= _MAX_EXACT_INTEGER:
        return value
    return float(value) if value.bit_length() < 1024 else float("inf")


def _member(owner: Node, key: Node) -> Node:
    if isinstance(key, Constant) and type(key.value) in (int, float) and key.value == 0:
        raise mistakes.item_zero(key.at)
    return Member(at=owner.at, owner=owner, key=key)


def _call(function: Node, arguments: tuple[Node, ...]) -> Node:
    if isinstance(function, Name) and function.name == "not" and len(arguments) == 1:
        return Not(at=function.at, part=arguments[0])
    return Call(at=function.at, function=function, arguments=arguments)


def _pieces(part: Node) -> tuple[Node, ...]:
    """Take apart what is joined once more, so that one joining does all."""
    if isinstance(part, Text):
        return part.parts
    if isinstance(part, Call) and isinstance(part.function, Name) and part.function.name == "concat" and part.arguments:
        return part.arguments
    return (part,)


def _check(source: str, tree: Node) -> None:
    """Refuse trees that are too deep or too large, and hyphens that were meant as part of a name."""
    pending = [(tree, 1)]
    count = 0
    while pending:
        node, depth = pending.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise mistakes.too_deep(MAX_DEPTH, node.at)
        if count > MAX_NODES:
            raise Invalid(f"The source has more than {MAX_NODES} parts.", position=node.at)
        if isinstance(node, Binary) and node.operator is Operator.SUBTRACT:
            mistakes.check_hyphen(source, node)
        pending.extend((child, depth + 1) for child in children(node))
