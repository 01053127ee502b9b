"""
From source text to the tree: lark reads `grammar.lark`, and every refusal becomes an `Invalid` with a position.

Lark is imported when the first source is parsed, so a service without a Hog template never loads it.
Its LALR parser keeps its own stack, so no source can exhaust Python's; how deep a tree may be is
checked afterwards, because the compiler does recurse.
"""

import functools
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from smspipe.hog.builder import SINGLE_BRACES_HINT, Builder
from smspipe.hog.tree import Binary, Node, Operator, Text, children
from smspipe.model.errors import Invalid

if TYPE_CHECKING:
    from lark import Lark

MAX_SOURCE_BYTES: Final = 100 * 1024
"""PostHog's own limit for code; no text message needs a longer template."""
MAX_DEPTH: Final = 100
"""Levels of a tree. The compiler spends about two Python frames on each, of a thousand."""
MAX_NODES: Final = 20_000
"""Nodes of a tree: more than any sensible source has, and still compiled within a few seconds."""

_WORD: Final = re.compile(r"[a-zA-Z0-9_$]+|.", re.DOTALL)
_NAME_BEFORE: Final = re.compile(r"(?<![a-zA-Z0-9_$\-])[a-zA-Z_$][a-zA-Z0-9_$]*(?:-[a-zA-Z_$][a-zA-Z0-9_$]*)*\Z")
_NAME_AFTER: Final = re.compile(r"[a-zA-Z_$][a-zA-Z0-9_$]*(?:-[a-zA-Z_$][a-zA-Z0-9_$]*)*")
_LONGEST_NAME: Final = 200


def parse_template(source: str) -> Text:
    """
    Parse text with expressions in single curly braces; all outside of them is text.

    Raises:
        Invalid: with the `position` of the mistake, and a `hint` where one is known.
    """
    tree = _parse(source, "template")
    if not isinstance(tree, Text):
        raise TypeError(type(tree))  # the grammar's start rule yields nothing else
    return tree


def parse_expression(source: str) -> Node:
    """
    Parse one bare expression.

    Raises:
        Invalid: with the `position` of the mistake, and a `hint` where one is known.
    """
    tree = _parse(source, "bare_expression")
    if not isinstance(tree, Node):
        raise TypeError(type(tree))  # the grammar's start rule yields nothing else
    return tree


def _parse(source: str, start: str) -> Any:
    size = len(source) if source.isascii() else len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_SOURCE_BYTES:
        raise Invalid(f"The source has {size} bytes; {MAX_SOURCE_BYTES} is the most.", position=0)
    from lark import UnexpectedInput

    try:
        tree: Any = _parser().parse(source, start=start)
    except UnexpectedInput as error:
        raise _syntax_error(source, error, start) from None
    _check(source, tree)
    return tree


@functools.cache
def _parser() -> "Lark":
    from lark import Lark, Transformer

    class Rules(Builder, Transformer[Any, Any]):
        """The builder, as lark wants to be given it."""

    grammar = resources.files("smspipe.hog").joinpath("grammar.lark").read_text(encoding="utf-8")
    starts = ["template", "bare_expression"]
    return Lark(grammar, parser="lalr", lexer="contextual", start=starts, transformer=Rules())


def _syntax_error(source: str, error: Any, start: str) -> Invalid:
    """Say in the words PostHog's users know what stands where it must not."""
    token = getattr(error, "token", None)
    at_end = error.pos_in_stream is None or (token is not None and token.type == "$END")
    position = len(source) if at_end else error.pos_in_stream
    word = _WORD.match(source, position)
    found = word.group() if word else "<EOF>"
    hint = None
    if start == "template":
        if "{{" in source:
            hint = SINGLE_BRACES_HINT
        elif word is None:
            hint = "Every { needs its }; write \\{ for a brace that is text."
    return Invalid(f"mismatched input '{found}' at position {position}", position=position, hint=hint)


def _check(source: str, tree: Node) -> None:
    """Refuse trees that are too deep or too large, and hyphens that were meant as part of a name."""
    pending = [(tree, 1)]
    count = 0
    while pending:
        node, depth = pending.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise Invalid(f"The expression is nested more than {MAX_DEPTH} levels deep.", position=node.at)
        if count > MAX_NODES:
            raise Invalid(f"The source has more than {MAX_NODES} parts.", position=node.at)
        if isinstance(node, Binary) and node.operator is Operator.SUBTRACT:
            _check_hyphen(source, node)
        pending.extend((child, depth + 1) for child in children(node))


def _check_hyphen(source: str, node: Binary) -> None:
    """
    Refuse `properties.phone-number`: what reads as a subtraction was meant as a name.

    Only a hyphen without any space, between the end of a name and the start of another, is refused.
    """
    before = _NAME_BEFORE.search(source, max(0, node.sign - _LONGEST_NAME), node.sign)
    after = _NAME_AFTER.match(source, node.sign + 1)
    if before is None or after is None:
        return
    name = f"{before.group()}-{after.group()}"
    owner = source[max(node.left.at, before.start() - _LONGEST_NAME) : before.start()].rstrip()
    example = f"{owner[:-1]}['{name}']" if owner.endswith(".") else f"event.properties['{name}']"
    raise Invalid(
        f"The hyphen in '{name}' means subtraction",
        position=node.sign,
        hint=f"Use brackets for a name with a hyphen: {example}; or put spaces around the hyphen to subtract.",
    )
