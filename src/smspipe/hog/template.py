"""The two things that this room makes: a template (text with holes) and an expression, ready to be called."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from smspipe.hog.compile import Compiled, compile_tree
from smspipe.hog.parse import parse_expression, parse_template
from smspipe.hog.paths import find_paths, has_calls
from smspipe.hog.tree import Node, Text
from smspipe.hog.values import HogError


class Program:
    """
    A compiled source; call it with globals and the instant it takes for now.

    `paths` are the chains of names it reads from the globals, as far as the source tells: `{event.properties.phone}`
    reads ("event", "properties", "phone"). `constant` tells that its value depends on nothing. `run` is the compiled
    function itself: calling it says the same and saves a step, for who does so with every event. `is_text` tells that
    its value is always text.
    """

    __slots__ = ("constant", "is_text", "paths", "run", "source")

    def __init__(self, source: str, tree: Node, compiled: Compiled) -> None:
        self.source = source
        self.paths = find_paths(tree)
        self.constant = not self.paths and not has_calls(tree)
        self.is_text = isinstance(tree, Text) and len(tree.parts) != 1
        self.run = compiled

    def __call__(self, globals: Mapping[str, Any], now: datetime) -> Any:  # noqa: A002 (PostHog's word for them)
        """
        Evaluate.

        Args:
            globals: the roots by name; values are what JSON makes, and dates.
            now: aware; what `now()` and `today()` yield.

        Raises:
            HogError: in one sentence, what went wrong; or what its compiling was given instead.
        """
        return self.run(globals, now)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"


class Template(Program):
    """Text with holes. Its value is a string, except when all of the source is one hole: then the hole's value."""

    __slots__ = ()


class Expression(Program):
    """A bare expression; its value may have any type."""

    __slots__ = ()


def compile_template(source: str, fault: Callable[[str], Exception] = HogError) -> Template:
    """
    Compile text with expressions in single curly braces.

    Args:
        source: the text.
        fault: makes what evaluating it raises, of the sentence that says what went wrong.

    Raises:
        Invalid: with `position`, the offset (code points) of the mistake, and a `hint` where one is known.
    """
    tree = parse_template(source)
    return Template(source, tree, compile_tree(tree, "Unsupported function call: {}", fault))


def compile_expression(source: str) -> Expression:
    """
    Compile a bare expression, such as a filter's: `properties.amount > 10`.

    Raises:
        Invalid: with `position`, the offset (code points) of the mistake, and a `hint` where one is known.
    """
    tree = parse_expression(source)
    return Expression(source, tree, compile_tree(tree, "Hog function `{}` is not implemented"))
