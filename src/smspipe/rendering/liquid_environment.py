"""
python-liquid put right where LiquidJS, which PostHog uses, does another way, and bounded.

Bounded: no clock stops a template, because a decider has none; every run has a number of steps to spend instead, on
lookups, filters, assignments and turns of loops, by the size of what they work on.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Final, TextIO

from liquid import BoundTemplate, Environment, Expression, Node, RenderContext, Token
from liquid.builtin.expressions import Path
from liquid.builtin.expressions.logical import (
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Blank
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.exceptions import LoopIterationLimitError
from liquid.undefined import Undefined

from smspipe.hog import to_number
from smspipe.rendering.liquid_filters import FILTERS, escape_html
from smspipe.rendering.liquid_values import guarded, print_value

MAX_STEPS: Final = 100_000
"""What one run may spend: less than a second, and far more than a text message needs."""
MAX_OUTPUT_BYTES: Final = 1_000_000

# Trials: with these no template and event, however they are made, took longer than about three seconds.
_CHARACTERS_PER_STEP: Final = 300
_ITEMS_PER_STEP: Final = 10
_NODES_PER_STEP: Final = 50


class _Context(RenderContext):
    """One run: counts its steps."""

    __slots__ = ("steps",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.steps = 0

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise LoopIterationLimitError("too many steps", token=None)

    def get(self, *args: Any, **kwargs: Any) -> object:
        found = super().get(*args, **kwargs)
        # What is done with it next, a comparison perhaps, takes longer the longer it is.
        self.spend(1 + _price(found) // 10)
        return found

    def get_item(self, obj: Any, key: Any) -> Any:
        if isinstance(obj, str) and isinstance(key, int):
            return obj[key]  # the first letter of a name: `person.name[0]`
        return super().get_item(obj, key)

    def assign(self, key: str, val: Any) -> None:
        self.spend(1 + _price(val))
        super().assign(key, val)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        function = super().filter(name, token)

        def charged(left: Any, *arguments: Any, **options: Any) -> Any:
            self.spend(1 + _price(left))
            result = function(left, *arguments, **options)
            self.spend(_price(result))
            return result

        return charged

    def raise_for_loop_limit(self, length: int = 1) -> None:
        # A turn costs by the size of the whole template, as no node knows the size of a loop's block.
        nodes: int = getattr(self.template, "nodes_in_all", 0)
        self.spend(length * (1 + nodes // _NODES_PER_STEP))


def _price(value: Any) -> int:
    """Tell how many steps it costs to work on a value."""
    if isinstance(value, str):
        return len(value) // _CHARACTERS_PER_STEP
    return len(value) // _ITEMS_PER_STEP if isinstance(value, list) else 0


class Template(BoundTemplate):
    """A parsed template; `names` are the globals that it reads, None where it computes a name as it runs."""

    context_class = _Context

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nodes = list(_all_nodes(self.nodes, _Context(self)))
        expressions = [expression for node in nodes for expression in _all_expressions(node.expressions())]
        self.nodes_in_all = len(nodes) + len(expressions)
        for expression in expressions:
            if substitute := _COMPARISONS.get(type(expression)):
                # The substitutes add methods alone, so one can become the other in place.
                expression.__class__ = substitute
        heads = [expression.path[0] for expression in expressions if isinstance(expression, Path)]
        names = frozenset(head for head in heads if isinstance(head, str))
        self.names = names if all(isinstance(head, str) for head in heads) else None


def _all_nodes(nodes: Iterable[Node], context: RenderContext) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _all_nodes(node.children(context), context)


def _all_expressions(expressions: Iterable[Expression]) -> Iterator[Expression]:
    for expression in expressions:
        yield expression
        yield from _all_expressions(expression.children())


# ---- comparing as JavaScript does --------------------------------------------------------------------------


def _order(left: object, right: object) -> int | None:
    """Give -1, 0 or 1 for left before, at or after right; None where they have no order. Texts beside numbers count."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if not isinstance(left, str | int | float) or not isinstance(right, str | int | float):
        return None
    first, second = to_number(left), to_number(right)
    return (first > second) - (first < second) if first == first and second == second else None


class _Lt(LtExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return _order(self.left.evaluate(context), self.right.evaluate(context)) == -1


class _Gt(GtExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return _order(self.left.evaluate(context), self.right.evaluate(context)) == 1


class _Le(LeExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return _order(self.left.evaluate(context), self.right.evaluate(context)) in (-1, 0)


class _Ge(GeExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return _order(self.left.evaluate(context), self.right.evaluate(context)) in (0, 1)


def _both_blank(left: object, right: object) -> bool:
    """Tell whether a missing value meets `blank`, which python-liquid takes for unequal."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Blank) and (other is None or other is False or isinstance(other, Undefined)):
            return True
    return False


class _Eq(EqExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        blank = _both_blank(self.left.evaluate(context), self.right.evaluate(context))
        return blank or super().evaluate(context)


class _Ne(NeExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        blank = _both_blank(self.left.evaluate(context), self.right.evaluate(context))
        return not blank and super().evaluate(context)


_COMPARISONS: Final[dict[type[Expression], type[Expression]]] = {
    LtExpression: _Lt,
    GtExpression: _Gt,
    LeExpression: _Le,
    GeExpression: _Ge,
    EqExpression: _Eq,
    NeExpression: _Ne,
}


# ---- printing, and all of it together ----------------------------------------------------------------------


class _OutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(print_value(self.expression.evaluate(context)))


class _Output(Output):
    node_class = _OutputNode


class _EchoNode(EchoNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(print_value(self.expression.evaluate(context)))


class _Echo(EchoTag):
    node_class = _EchoNode


def _print_escaped(expression: Expression, context: RenderContext) -> str:
    """Print as for a web page, unless the last filter is `raw`: LiquidJS looks at no other."""
    printed = print_value(expression.evaluate(context))
    filters = getattr(expression, "filters", None)
    return printed if filters and filters[-1].name == "raw" else escape_html(printed)


class _EscapedOutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(_print_escaped(self.expression, context))


class _EscapedOutput(Output):
    node_class = _EscapedOutputNode


class _EscapedEchoNode(EchoNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(_print_escaped(self.expression, context))


class _EscapedEcho(EchoTag):
    node_class = _EscapedEchoNode


class _Environment(Environment):
    template_class = Template
    output_stream_limit = MAX_OUTPUT_BYTES
    suppress_blank_control_flow_blocks = False
    logical_not_operator = True
    string_first_and_last = True


@cache
def environment(*, escape: bool = False) -> Environment:
    """Give the environment that templates are parsed in: one for those whose output is escaped, one for the others."""
    made = _Environment(strict_filters=False)
    made.add_tag(_EscapedOutput if escape else _Output)
    made.add_tag(_EscapedEcho if escape else _Echo)
    for tag in ("include", "render"):
        del made.tags[tag]
    for name, function in {**made.filters, **FILTERS}.items():
        made.add_filter(name, guarded(name, function))
    return made
