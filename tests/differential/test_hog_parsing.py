"""Our parser accepts what PostHog's accepts, refuses what it refuses, and builds the same tree."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smspipe.hog.parse import parse_expression, parse_template
from smspipe.model.errors import Invalid
from tests.differential.hog_grammar import broken_expressions, broken_templates, expressions, templates
from tests.differential.hog_oracle import EXAMPLES, Oracle, Refused
from tests.differential.hog_shapes import Shape, shape_of, shape_of_posthog

REFUSED: Shape = ("refused",)
SQL: Shape = ("sql",)

_SQL_CALLS = re.compile(
    r"toInterval(Second|Minute|Hour|Day|Week|Month|Quarter|Year)|_caseWithExpression|trim(Left|Right)?$"
)
_TAG = re.compile(r"<(?:/|[a-zA-Z_])")

ORDINARY = settings(
    max_examples=250 * EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The same examples in each run."""


def is_sql(node: Any) -> bool:
    """Tell whether a tree of PostHog's has a part that only SQL knows: the difference `sql-is-refused`."""
    match node:
        case {"node": "Field", "chain": chain} if "*" in chain:
            return True
        case {"node": "CompareOperation", "op": op} if "cohort" in op:
            return True
        case {"node": "Call", "name": name} if "distinct" not in node and _SQL_CALLS.match(name):
            return True
        case {"node": "Call", "distinct": True}:
            return True
        case dict():
            try:
                known = "node" not in node or bool(shape_of_posthog(node))
            except LookupError as error:
                known = error.args[0] == "Placeholder"
            return not known or any(map(is_sql, node.values()))
        case list():
            return any(map(is_sql, node))
    return False


def shape_at_posthog(oracle: Oracle, source: str, *, template: bool) -> Shape:
    try:
        tree = oracle.parse(source, template=template)
    except Refused:
        return REFUSED
    try:
        shape = shape_of_posthog(tree)
    except LookupError as error:
        # A placeholder is parsed, and refused by PostHog's compiler.
        return REFUSED if error.args[0] == "Placeholder" else SQL
    return SQL if is_sql(tree) else shape


def shape_at_ours(source: str, *, template: bool) -> tuple[Shape, str]:
    try:
        return shape_of(parse_template(source) if template else parse_expression(source)), ""
    except Invalid as error:
        refusal = error
    assert refusal.position is not None
    assert 0 <= refusal.position <= len(source)
    return REFUSED, str(refusal)


def check(oracle: Oracle, source: str, *, template: bool = False) -> None:
    theirs = shape_at_posthog(oracle, source, template=template)
    ours, why = shape_at_ours(source, template=template)
    if theirs == ours:
        return
    named = (
        (theirs is SQL)
        or why.startswith(("Array access starts from 1", "The hyphen in", "The expression is nested"))
        or (theirs is REFUSED and _TAG.search(source))
    )
    assert named, (source, theirs, ours, why)


@pytest.mark.slow
@ORDINARY
@given(expressions)
def test_an_expression_is_read_alike(oracle: Oracle, source: str) -> None:
    check(oracle, source)


@pytest.mark.slow
@settings(ORDINARY, max_examples=300 * EXAMPLES)
@given(templates)
def test_a_template_is_read_alike(oracle: Oracle, source: str) -> None:
    check(oracle, source, template=True)


@pytest.mark.slow
@settings(ORDINARY, max_examples=700 * EXAMPLES)
@given(broken_expressions)
def test_a_damaged_expression_is_read_or_refused_alike(oracle: Oracle, source: str) -> None:
    check(oracle, source)


@pytest.mark.slow
@settings(ORDINARY, max_examples=500 * EXAMPLES)
@given(broken_templates)
def test_a_damaged_template_is_read_or_refused_alike(oracle: Oracle, source: str) -> None:
    check(oracle, source, template=True)


_SOUP = st.text(alphabet="ab1.0?:'\"`{}()[],+-*/=<>!~|&%\\ f\n#", max_size=12)


@pytest.mark.slow
@settings(ORDINARY, max_examples=1000 * EXAMPLES)
@given(_SOUP)
def test_a_handful_of_signs_is_read_or_refused_alike(oracle: Oracle, source: str) -> None:
    check(oracle, source)
    check(oracle, source, template=True)


WRITTEN = """
    a || b + c | a + b || c | a * b || c | a || (b || c) | concat(a, b) || c | - a * b | a - -b | a--b | a - +5
    +5.a | +a | not a in b | not (a) = b | not(a).b | not not a | not | not.a | not .5 | not and not | and and and
    a = not b = c | a * not b + c | - not a | a ?? not b | a ?? x -> b | a = x -> b | a and x -> b
    x -> x ? 1 : 2 | x -> x(1) | (x -> x)(1) | a < b < c | a = b = c | a is null = b | a = b is null
    a is not null is null | a is null.5 | a is null(b) | a or b between 1 and 2 | a = b between 1 and 2
    a between b = c and d | a between 1 and 2 and c | a between not b and c | a between b between c and d and e
    a between x -> b and c | a not between 1 and 2 | a between 1 or 3 and 2 | a ? b : c ? d : e
    a ? b ? c : d : e | a ?: b | a ? .5 : 1 | a ?.5 | a?.5:1 | a ? b | a ?? b ?? c = d | a ?? b is null | 1. | .5
    1 . 5 | . 5 | 1.a | 1..a | 1.+2 | 1.5.a | .5.a | 1.2.3 | a.1.2 | a.01 | a.08 | a.1e5 | a.10 | a[1.] | 1e5 | 1e
    01 | 0x1F | 0x1p3 | 0x1.8p1 | 0b101 | 0b12 | 0o7 | 1_000 | 0x | 1e400 | -1e400 | 12345678901234567890 | inf.a
    -inf | a.inf | - 5 | -5.a | -(5) | - - 5 | --5 | -null | -'a' | +inf | -nan | 1-1 | a -1 | true.a | true
    `true` | "null" | a.true | a.null | null.a | null(a) | (x) -> x | (x,) -> x | () -> 1 | x, y -> x
    f(x, y -> x) | [x, y -> x] | (a, 1) -> a | 1 -> a | () | (a,) | x -> {} | x -> {'a': 1} | {a: 1} | {'a': 1,}
    {,} | {} | [] | [,] | [1,] | f(,) | f(a,) | f(a)(b)(c) | f(a).b(c) | a.b[c](d) | a?.b | a?.['b'] | a?.1
    a?.[1] | a?.b.c | a."b c" | a.`b` | a.'b' | a..b | .a | a. | a[] | a.in | in | if | case | case.a
    case when a then b else c end + 1 | case when a then 1. else 2. end | case when a then b when c then d end
    case when | 'it''s' | 'it\\'s' | '\\q' | '\\x41' | '\\{' | 'a\\0b' | `a\\'b` | `a\\`b` | "a""b" | `` | f''
    f'{a}' | f'a{b}c' | f'''{a}' | f'\\{' | f'\\\\{a}' | f'\\q' | F'a' | a 'b' | a "b" | a # b | a #1 | a // b
    a -- b | a /* b */ | a /* b | \u201ca\u201d | a \u2013 b | a && b | !a | a === b | a <> b | a ~ b | a ~* b
    a !~* b | a; | a:b | @ | a and or b | a b | f(a b) | \u00e9 | `\u00e9` | '\U0001f600'
"""
"""Expressions with ` | ` between them: one for each rule of precedence and each form of a literal, step and call."""


@pytest.mark.parametrize(
    "source", [each.strip() for line in WRITTEN.splitlines() for each in line.split(" | ") if each.strip()]
)
def test_a_written_expression_is_read_alike(oracle: Oracle, source: str) -> None:
    check(oracle, source)


@pytest.mark.parametrize(
    "source",
    [
        "hello", "", "Hi {event.event}!", "{event.event}",
        r"\{b}", r"\\", r"\\{x}", r"\\\{x}", r"\n \t \r \0 \b \f \a \v",
        r"\q \u0041 \'", "lone }", "{a}}", "{", "Hi {a", "{}", "{ }", "{{x}}", "{{'a': 1}}", "{{}}", "{'it''s'}",
        r"{'it\'s'}", '{"name"}', "{`name`}", "{a ?? 'b'}", "{c ? x : y}", "{a ?: b}", "{person?.properties?.phone}",
        "{f'x {y}'}", "{f'{f'{a}'}'}", "{f''}", "{event.properties['phone-number']}", "{event.properties.items[1]}",
        "{event.properties.items.1}", "{/* note */ x}", "{a /* } */ }", "{a // x", "{a -- x\n}",
        "-- /* text */", "{x -> x + 1}",
        "a\\", "{'x}y'}", "''", "{f'it''s'}", "{f'a{b}'}c", "{'a' || b}c", "\u00e9{a}\U0001f600", "{a b}",
        "{a}{b}", "\n{a}\n", "f'{a}'",
    ],
)  # fmt: skip
def test_a_written_template_is_read_alike(oracle: Oracle, source: str) -> None:
    check(oracle, source, template=True)


@pytest.mark.parametrize(
    "source",
    ["a as b", "a::int", "interval 1 day", "interval '1 day'", "(select 1)", "f(distinct a)", "*", "a.*",
     "a in cohort 3",
     "f(x) over ()", "a is distinct from b", "<a/>", "x -> {return x}", "a := 1", "trim(leading 'x' from y)", "a[1:2]",
     "case x when 1 then 2 end", "cast(a as int)"],
)  # fmt: skip
def test_what_only_sql_knows_is_refused(oracle: Oracle, source: str) -> None:
    assert shape_at_posthog(oracle, source, template=False) is SQL
    assert shape_at_ours(source, template=False)[0] is REFUSED
