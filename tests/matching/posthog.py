"""
What PostHog makes of a filter, for tests: the bytecode that its backend would compile, and its own machine to run it.

The backend is not published as a package, so the step from filter to bytecode is done here, as it was observed. Nothing
of smspipe is used, so that the two can be held against each other.

Bytecode is a flat list: a number for each operation, followed by its operands. Of binary operators the right side is
pushed first; of everything else the left.
"""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.support.npm import NODE, npm_package

VERSION: Final = "1.0.71"
Code = list[Any]

_GET_GLOBAL, _CALL, _AND, _OR, _NOT = 1, 2, 3, 4, 5
_EQ, _NOT_EQ, _GT, _GT_EQ, _LT, _LT_EQ, _LIKE, _ILIKE, _NOT_ILIKE, _IN, _NOT_IN, _REGEX = (
    11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23,
)  # fmt: skip
_TRUE, _FALSE, _NULL, _STRING, _INTEGER, _FLOAT, _POP, _GET_LOCAL, _RETURN = 29, 30, 31, 32, 33, 34, 35, 36, 38
_LIST, _TUPLE, _UNLESS_NULL, _CALLABLE, _CLOSURE = 43, 44, 47, 52, 53

_COMPARISONS: Final = {
    "exact": _EQ, "is_not": _NOT_EQ,
    "gt": _GT, "gte": _GT_EQ, "min": _GT_EQ, "lt": _LT, "lte": _LT_EQ, "max": _LT_EQ,
    "is_date_exact": _EQ, "is_date_before": _LT, "is_date_after": _GT,
    "semver_eq": _EQ, "semver_neq": _NOT_EQ, "semver_gt": _GT, "semver_gte": _GT_EQ,
    "semver_lt": _LT, "semver_lte": _LT_EQ,
}  # fmt: skip
_JOINED_BY_AND: Final = ("is_not", "not_icontains", "not_regex")


# ---- the machine -------------------------------------------------------------------------------------


class Machine:
    """The published machine in a process of its own."""

    def __init__(self) -> None:
        """Start it."""
        package = npm_package("@posthog/hogvm", VERSION)
        self._process = subprocess.Popen(
            [NODE, str(Path(__file__).with_name("posthog_machine.cjs")), str(package)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, code: Code, scopes: Sequence[dict[str, Any]]) -> list[str]:
        """Run bytecode once for each set of globals: `true`, `false`, `other` for what is neither, `error: …`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"code": ["_H", 1, *code], "scopes": list(scopes)}) + "\n")
        self._process.stdin.flush()
        answers: list[str] = json.loads(self._process.stdout.readline())
        return answers

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


# ---- pieces of bytecode ------------------------------------------------------------------------------


def constant(value: Any) -> Code:
    """Write a literal; a list becomes a tuple, as the backend writes the values of `in`."""
    if value is None or value is True or value is False:
        return [_NULL if value is None else _TRUE if value else _FALSE]
    if isinstance(value, str):
        return [_STRING, value]
    if isinstance(value, list):
        return [*(part for each in value for part in constant(each)), _TUPLE, len(value)]
    return [_INTEGER if isinstance(value, int) else _FLOAT, value]


def field(*chain: str) -> Code:
    """Read a global, and step by step what lies in it."""
    return [*(part for name in reversed(chain) for part in (_STRING, name)), _GET_GLOBAL, len(chain)]


def compare(operation: int, left: Code, right: Code) -> Code:
    """Compare two values."""
    return [*right, *left, operation]


def call(name: str, *arguments: Code) -> Code:
    """Call a function of the library."""
    return [*(part for argument in arguments for part in argument), _CALL, name, len(arguments)]


def all_of(parts: Sequence[Code]) -> Code:
    """Join with and; one part stays as it is."""
    return _join(_AND, parts)


def any_of(parts: Sequence[Code]) -> Code:
    """Join with or; one part stays as it is."""
    return _join(_OR, parts)


def _join(operation: int, parts: Sequence[Code]) -> Code:
    if not parts:
        return constant(True)
    return parts[0] if len(parts) == 1 else [*(part for code in parts for part in code), operation, len(parts)]


def negate(code: Code) -> Code:
    """Turn round."""
    return [*code, _NOT]


def unless_null(code: Code, otherwise: Code) -> Code:
    """Give a value, or another one where that is null."""
    return [*code, _UNLESS_NULL, len(otherwise) + 1, _POP, *otherwise]


# ---- filters -----------------------------------------------------------------------------------------


def compile_filter(
    document: dict[str, Any],
    actions: dict[int, dict[str, Any]] | None = None,
    test_accounts: Sequence[dict[str, Any]] = (),
    expressions: dict[str, Code] | None = None,
) -> Code:
    """
    Compile a filter.

    Args:
        document: in PostHog's shape; every value must be one that the backend takes.
        actions: by id.
        test_accounts: the project's test-account filters.
        expressions: the bytecode of the expressions that the filter holds, by their source.
    """
    known = expressions or {}
    parts: list[Code] = []
    if document.get("filter_test_accounts"):
        parts += [compile_property(condition, known) for condition in test_accounts]
    if document.get("properties"):
        parts.append(compile_group(document["properties"], known))
    entries: list[Code] = []
    for entry in [*document.get("events", ()), *document.get("actions", ())]:
        own: list[Code] = []
        if entry.get("type", "events") == "actions":
            own.append(compile_action((actions or {})[int(entry["id"])], known))
        elif entry.get("id") is not None:
            own.append(compare(_EQ, field("event"), constant(entry["id"])))
        if entry.get("properties"):
            own.append(compile_group(entry["properties"], known))
        entries.append(all_of(own))
    if entries:
        parts.append(any_of(entries))
    return all_of(parts)


def compile_group(group: Any, expressions: dict[str, Code]) -> Code:
    """Compile a list of conditions, or a tree of them."""
    if isinstance(group, list):
        return all_of([compile_property(each, expressions) for each in group])
    join = all_of if group["type"] == "AND" else any_of
    return join(
        [
            compile_group(each, expressions) if "values" in each else compile_property(each, expressions)
            for each in group["values"]
        ]
    )


def compile_action(action: dict[str, Any], expressions: dict[str, Code]) -> Code:
    """Compile an action: any of its steps."""
    steps: list[Code] = []
    for step in action["steps"]:
        parts: list[Code] = []
        if step.get("event"):
            parts.append(compare(_EQ, field("event"), constant(step["event"])))
        if step.get("event") == "$autocapture":
            parts += _compile_click(step)
        if step.get("url"):
            url = field("properties", "$current_url")
            parts.append(_matching(url, step["url"], step.get("url_matching") or "contains", _LIKE))
        if step.get("properties"):
            parts.append(compile_group(step["properties"], expressions))
        steps.append(all_of(parts))
    return any_of(steps)


def _compile_click(step: dict[str, Any]) -> list[Code]:
    parts: list[Code] = []
    if step.get("tag_name") is not None:
        parts.append(_has_tag(step["tag_name"]))
    if step.get("href") is not None:
        href = field("elements_chain_href")
        parts.append(_matching(href, step["href"], step.get("href_matching") or "exact", _ILIKE))
    if step.get("text") is not None:
        matching = step.get("text_matching") or "exact"
        parts.append(_some_text(lambda text: _matching(text, step["text"], matching, _ILIKE)))
    return parts


def _matching(value: Code, wanted: str, matching: str, like: int) -> Code:
    if matching == "regex":
        return compare(_REGEX, value, constant(wanted))
    if matching == "contains":
        return compare(like, value, constant(f"%{wanted}%"))
    return compare(_EQ, value, constant(wanted))


def _has_tag(tag: str) -> Code:
    return compare(_REGEX, field("elements_chain"), constant(f"(^|;){re.escape(tag)}(\\.|$|;|:)"))


def _some_text(ask: Callable[[Code], Code]) -> Code:
    """Ask about each text of a click, of which one must do."""
    body = [*ask([_GET_LOCAL, 0]), _RETURN]
    function = [_CALLABLE, "lambda", 1, 0, len(body), *body, _CLOSURE, 0]
    return call("arrayExists", function, field("elements_chain_texts"))


def compile_property(condition: dict[str, Any], expressions: dict[str, Code]) -> Code:
    """Compile one condition."""
    kind, key = condition.get("type", "event"), condition.get("key")
    if kind == "hogql":
        return expressions[condition["key"]]
    operator, value = condition.get("operator") or "exact", condition.get("value")
    if not key or (value is None and operator not in ("is_set", "is_not_set")):
        return constant(True)
    if kind == "element" and key in ("text", "tag_name"):
        whole = not isinstance(value, list) or operator in ("is_set", "is_not_set", "between", "not_between")
        values: list[Any] = [value] if whole else list(value or ())
        if key == "tag_name":
            tagged = any_of([_has_tag(one) for one in values])
            return tagged if operator == "exact" else negate(tagged)
        found = [_some_text(lambda text, one=one: operate(text, operator, one)) for one in values]  # type: ignore[misc]  # the default binds the value
        return all_of(found) if operator in _JOINED_BY_AND else any_of(found)
    return operate(_place(kind, key, condition), operator, value)


def _place(kind: str, key: str, condition: dict[str, Any]) -> Code:
    match kind:
        case "person":
            return field("distinct_id") if key == "distinct_id" else field("person", "properties", key)
        case "group":
            return field(f"group_{condition['group_type_index']}", "properties", key)
        case "event_metadata":
            return field(key)
        case "element":
            return field("elements_chain_href")
    return field("elements_chain") if key == "$elements_chain" else field("properties", key)


def operate(x: Code, operator: str, value: Any) -> Code:
    """Compile an operator with its whole value. Without rules that clean paths, a cleaned path is the path."""
    if operator == "is_cleaned_path_exact":
        operator = "exact"
    text = call("toString", x)
    if operator in ("is_set", "is_not_set"):
        return compare(_NOT_EQ if operator == "is_set" else _EQ, x, constant(None))
    if operator in ("between", "not_between"):
        low, high = constant(value[0]), constant(value[1])
        if operator == "between":
            return all_of([compare(_GT_EQ, x, low), compare(_LT_EQ, x, high)])
        return any_of([compare(_LT, x, low), compare(_GT, x, high)])
    if isinstance(value, list) and not value:
        return constant(True)
    if operator in ("in", "not_in"):
        return compare(_IN if operator == "in" else _NOT_IN, x, constant(value if isinstance(value, list) else [value]))
    if operator.endswith("icontains_multi"):
        return _search(text, value if isinstance(value, list) else [value], found=not operator.startswith("not"))
    if isinstance(value, list):
        if len(value) == 1:
            return operate(x, operator, value[0])
        if operator in ("exact", "is_not"):
            return operate(x, "in" if operator == "exact" else "not_in", value)
        if operator.endswith("icontains"):
            return _search(text, value, found=operator == "icontains")
        parts = [operate(x, operator, each) for each in value]
        return all_of(parts) if operator in _JOINED_BY_AND else any_of(parts)
    if operator.endswith("icontains"):
        return compare(_ILIKE if operator == "icontains" else _NOT_ILIKE, text, constant(f"%{_plain(value)}%"))
    if operator == "regex":
        return unless_null(call("match", text, constant(value)), constant(False))
    if operator == "not_regex":
        return unless_null(negate(call("match", text, constant(value))), constant(True))
    if operator in ("semver_tilde", "semver_caret", "semver_wildcard"):
        return _in_range(x, operator, value)
    if operator.startswith("semver"):
        return compare(_COMPARISONS[operator], call("sortableSemver", x), call("sortableSemver", constant(value)))
    if operator.startswith("is_date"):
        return compare(_COMPARISONS[operator], call("toDateTime", text), call("toDateTime", constant(value)))
    return compare(_COMPARISONS[operator], x, constant(value))


def _plain(value: Any) -> str:
    """Write a value of a filter as the backend puts it into a pattern."""
    return value if isinstance(value, str) else json.dumps(value)


def _search(text: Code, values: list[Any], *, found: bool) -> Code:
    needles = [*(part for each in values for part in constant(each)), _LIST, len(values)]
    return compare(_GT if found else _EQ, call("multiSearchAnyCaseInsensitive", text, needles), constant(0))


def _in_range(x: Code, operator: str, value: str) -> Code:
    parts = [int(part) for part in value.split(".") if part != "*"]
    major, minor, patch = (*parts, 0, 0)[:3]
    first: tuple[int, ...] = (major, minor, patch)
    past: tuple[int, ...] = (major, minor + 1, 0)
    if operator == "semver_wildcard" and len(parts) != 2:
        first, past = (
            ((major, 0, 0), (major + 1, 0, 0)) if len(parts) == 1 else ((*first, 0), (*first[:2], patch + 1, 0))
        )
    elif operator == "semver_caret":
        past = (major + 1, 0, 0) if major else (0, minor + 1, 0) if minor else (0, 0, patch + 1)
    low, high = (".".join(map(str, bound)) for bound in (first, past))
    version = call("sortableSemver", x)
    return all_of(
        [
            compare(_GT_EQ, version, call("sortableSemver", constant(low))),
            compare(_LT, version, call("sortableSemver", constant(high))),
        ]
    )


# ---- globals -----------------------------------------------------------------------------------------


def globals_of(
    event: dict[str, Any], person: dict[str, Any] | None, groups: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    """Lay out what a filter can read: `event` has `event`, `uuid`, `distinct_id`, `timestamp` and `properties`."""
    chain = event["properties"].get("$elements_chain") or ""
    scope: dict[str, Any] = {
        **event,
        "person": person,
        "pdi": None if person is None else {"distinct_id": event["distinct_id"], "person_id": "p", "person": person},
        "elements_chain": chain,
        "elements_chain_href": next(iter(re.findall(r'(?::|")href="(.*?)"', chain)), ""),
        "elements_chain_texts": list(dict.fromkeys(re.findall(r'(?::|")text="(.*?)"', chain))),
        "elements_chain_ids": list(dict.fromkeys(re.findall(r'(?::|")attr_id="(.*?)"', chain))),
        "elements_chain_elements": list(
            dict.fromkeys(re.findall(r"(?:^|;)(a|button|form|input|select|textarea|label)(?:\.|$|:)", chain))
        ),
        "variables": {},
    }
    for index in range(5):
        scope[f"$group_{index}"] = f"key-{index}" if index in groups else None
        scope[f"group_{index}"] = {"properties": groups.get(index, {})}
    return scope
