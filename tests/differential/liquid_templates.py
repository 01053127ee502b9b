"""Liquid templates and data made by hypothesis, for two engines to agree on."""

from typing import Any, Final

from hypothesis import strategies as st

from smspipe.rendering.liquid_filters import FILTERS

TEXTS: Final = st.sampled_from(
    ["", "a", "b", "A", "abc", "sku", "price", "tags", "i", "i.price > 1", "item", "items.first", "2", "-1.5", "1e3",
     "0x10", " ", " a b\n c ", "é", "ß", "İ", "Straße", "日本語 text", "a,b,,c,", "<p>a & b</p>", "&lt;", "it's",
     "%Y-%m-%d", "%e %b %y, %l:%M %P", "%-d%q %^a %10N %:z %Z", "now", "today", "2026-03-29T01:30:00Z", "2026-02-28",
     "Jan 5, 2024 3:04 PM", "1767323045", "true", "null", "a+b%20c", "YWJj", "UTC", "Europe/Berlin", "America/New_York",
     "ordinal", "US", "latin", "cjk", "one two three four", "%", "size", "length"]
)  # fmt: skip
NUMBERS: Final = st.one_of(
    st.integers(-20, 20),
    st.sampled_from(
        [0.1, 0.2, -0.5, 1.005, 2.5, 1e21, 1e-7, 123456.789, -0.0, 2**53 + 1, 12345678901234567890, 10**25]
    ),
)
DATA: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["a", "b", "sku", "price", "tags", "10", "2", "first", "size"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
ROOTS: Final = ("x", "y", "items")
GLOBALS: Final = st.fixed_dictionaries(
    {
        "x": DATA,
        "y": DATA,
        "items": st.lists(
            st.fixed_dictionaries({"sku": TEXTS}, optional={"price": st.none() | NUMBERS, "tags": DATA}), max_size=4
        ),
    }
)


def quoted(text: str) -> str:
    """Write a text as a literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


PATHS: Final = st.tuples(
    st.sampled_from([*ROOTS, *ROOTS, "v", "i", "forloop", "tablerowloop", "nothing", "now", "size"]),
    st.lists(
        st.sampled_from(
            [".a", ".b", ".sku", ".price", ".tags", ".first", ".last", ".size", ".length", "[0]", "[-1]", "[1]",
             "['a']", "[x]", "[v]", ".index", ".index0", ".rindex", ".last", ".col", ".row", "[1.5]", '["10"]']
        ),
        max_size=3,
    ).map("".join),
).map("".join)  # fmt: skip
LITERALS: Final = st.one_of(
    TEXTS.map(quoted),
    st.sampled_from(["0", "1", "2", "-1", "3.5", "10", "true", "false", "nil", "null", "empty", "blank"]),
    st.sampled_from(["(1..3)", "(0..x)", "(i..2)", "(3..1)"]),
)
VALUES: Final = st.one_of(PATHS, PATHS, LITERALS)
ARGUMENTS: Final = st.one_of(VALUES, VALUES, st.tuples(st.sampled_from(["allow_false", "a"]), VALUES).map(": ".join))
NAMES: Final = st.sampled_from([*sorted(set(FILTERS) - {"sample"}), "unknown"])
APPLIED: Final = st.tuples(NAMES, st.lists(ARGUMENTS, max_size=3), st.sampled_from([" | ", "|", "  |"])).map(
    lambda made: made[2] + made[0] + (": " + ", ".join(made[1]) if made[1] else "")
)
OPERATORS: Final = st.sampled_from(["==", "!=", "<", ">", "<=", ">=", "contains", "and", "or", " "])
OPERANDS: Final = st.tuples(st.sampled_from(["", "", "", "not "]), VALUES).map("".join)
EXPRESSIONS: Final = st.one_of(
    VALUES,
    st.tuples(OPERANDS, st.lists(st.tuples(OPERATORS, OPERANDS).map(" ".join), max_size=3).map(" ".join)).map(" ".join),
)
FILTERED: Final = st.tuples(EXPRESSIONS, st.lists(APPLIED, max_size=3).map("".join)).map("".join)
OPTIONS: Final = st.lists(
    st.one_of(
        st.just("reversed"),
        st.tuples(st.sampled_from(["limit", "offset", "cols"]), VALUES).map(":".join),
        st.sampled_from(["limit:1", "limit:2", "offset:1", "offset:continue", "cols:2", "reversed: true"]),
    ),
    max_size=3,
).map(" ".join)
_DASH: Final = st.sampled_from(["", "", "", "-"])


def tag(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Put a tag's signs around, now and then with a dash."""
    return st.tuples(_DASH, inner, _DASH).map(lambda made: f"{{%{made[0]} {made[1]} {made[2]}%}}")


def _block(name: str, opening: st.SearchStrategy[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(tag(opening.map(f"{name} ".__add__)), inner, tag(st.just(f"end{name}"))).map("".join)


TEXT: Final = st.sampled_from(["a", " b ", "\n", " \n c\t", "&amp; ", "é😀", "{ }", "%}", "}}"])
OUTPUT: Final = st.tuples(_DASH, FILTERED, _DASH).map(lambda made: f"{{{{{made[0]} {made[1]} {made[2]}}}}}")
SIMPLE_TAG: Final = tag(
    st.one_of(
        FILTERED.map("assign v = ".__add__),
        FILTERED.map("echo ".__add__),
        st.sampled_from(
            ["increment n", "decrement n", "increment x", "break", "continue", "# a note", "cycle 'a', 'b'",
             "cycle 'g': 1, x", "cycle x: 0, 1, 'z'", "echo", "layout none", "nope",
             "liquid assign v = 3\n echo v\n if v > 2\n echo 'yes'\n endif", "comment %}{{ 1 }}{% endcomment",
             "raw %} {{ x }} {%- if -%} {% endraw", "comment %}{% nope %}{% endcomment", "cycle", "assign v"]
        ),
    )
)  # fmt: skip


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, max_size=3).map("".join)
    otherwise = st.one_of(st.just(""), st.tuples(tag(st.just("else")), body).map("".join))
    elsif = st.one_of(st.just(""), st.tuples(tag(FILTERED.map("elsif ".__add__)), body).map("".join))
    when = st.tuples(
        tag(
            st.lists(VALUES, min_size=1, max_size=2).flatmap(
                lambda made: st.sampled_from([", ", " or "]).map(lambda by: "when " + by.join(made))
            )
        ),
        body,
    ).map("".join)
    loop = st.tuples(st.sampled_from(["i in ", "v in "]), VALUES, st.just(" "), OPTIONS).map("".join)
    return st.one_of(
        _block("if", FILTERED, st.tuples(body, elsif, otherwise).map("".join)),
        _block("unless", FILTERED, st.tuples(body, otherwise, elsif).map("".join)),
        _block("for", loop, st.tuples(body, otherwise).map("".join)),
        _block("for", loop, body),
        _block("tablerow", loop, body),
        _block("case", FILTERED, st.tuples(st.lists(when, max_size=2).map("".join), otherwise, when).map("".join)),
        _block("capture", st.sampled_from(["v", "'w'", "x"]), body),
        _block("block", st.just("b"), body),
    )


PARTS: Final = st.recursive(st.one_of(TEXT, OUTPUT, OUTPUT, OUTPUT, SIMPLE_TAG), _nested, max_leaves=5)
TEMPLATES: Final = st.lists(PARTS, min_size=1, max_size=4).map("".join)
SCRAPS: Final = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", "{%-", "-%}", "|", ":", ",", "'", '"', "x", ".a", "[", "]", "(", "1", "..", "3", ")",
         "if ", "endif", "for ", "in ", "endfor", "assign ", "=", "==", "else", "&quot;", "&gt;", "-", "nil", "raw",
         "endraw", "comment", "endcomment", " ", "\n", "upcase", "default", "case ", "when ", "endcase", "not ", "and "]
    ),
    max_size=16,
).map("".join)  # fmt: skip
"""Pieces of templates in any order: most are none, and both engines should say so of the same ones."""

Data = dict[str, Any]
