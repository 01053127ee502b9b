"""
Proofs that a filter can never match: conditions that no event meets together.

What is said is sure, what is not said is not: a filter without a finding may still never match. One exception: to Hog
the value false equals every text but `true`, which nobody means; where that value alone would do, the sentence says so.
A condition may be impossible by itself (an empty pattern). Else there are three kinds of proof, each over conditions
that must all hold about one and the same value:

    few values    one condition leaves only so many values (`exact` "pro", not set), and none of them meets the rest
    an order      the value must lie above one number, date or version and not above another that is no lower
    the same      a condition and its own opposite

Of alternatives each one must be impossible, by itself or beside what must hold anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from types import MappingProxyType
from typing import Any, Final

from smspipe.hog import to_number
from smspipe.hog.dates import parse_date
from smspipe.matching.dates import read_relative_date
from smspipe.matching.match import compile_filter
from smspipe.matching.operators import Test, compile_test
from smspipe.matching.ordering import EXACT_LIMIT
from smspipe.matching.semver import read_version
from smspipe.matching.sentences import show_list
from smspipe.matching.survey import NAME, Asked, Joined, Laid, Place, lay_out, make
from smspipe.matching.tree import Check
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action, Filter, Mode, Property, PropertyGroup

_NO_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType({})
_MOST_BRANCHES: Final = 200
"""Alternatives that are gone into; each may be one inside another."""
_NOT_ONE_VALUE: Final = ("text", "href", "key")
"""Places that hold several values, or whose value cannot be made up exactly."""
_OPPOSITES: Final = {
    "is_not": "exact",
    "is_not_set": "is_set",
    "not_icontains": "icontains",
    "not_icontains_multi": "icontains_multi",
    "not_regex": "regex",
    "not_in": "in",
}
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "exact": ("number", "=="), "gt": ("number", ">"), "gte": ("number", ">="), "min": ("number", ">="),
    "lt": ("number", "<"), "lte": ("number", "<="), "max": ("number", "<="),
    "is_date_exact": ("date", "=="), "is_date_after": ("date", ">"), "is_date_before": ("date", "<"),
    "semver_eq": ("version", "=="), "semver_gt": ("version", ">"), "semver_gte": ("version", ">="),
    "semver_lt": ("version", "<"), "semver_lte": ("version", "<="),
}  # fmt: skip


def contradictions(
    filter: Filter,  # noqa: A002 (the word everyone uses)
    *,
    actions: Mapping[str, Action] = _NO_ACTIONS,
    test_accounts: PropertyGroup | None = None,
    field: str = "filters",
) -> list[str]:
    """
    Prove that a filter can never match.

    Args:
        filter: as `read_filter` read it; it is judged in its own mode.
        actions: the project's actions by id.
        test_accounts: the project's test-account filters.
        field: the filter's place in its document.

    Returns:
        Sentences, one for each alternative that is impossible, when all are; nothing when some event may match, or when
        nothing is known. A filter that does not compile never matches either, and the sentence says why.
    """
    given = {"actions": actions, "test_accounts": test_accounts, "field": field}
    try:
        compile_filter(filter, **given)  # type: ignore[arg-type]  # each has the type of its key
    except Invalid as error:
        return [f"It cannot be evaluated: {error}"]
    found = _Proof(filter.mode).of([lay_out(filter, **given)], [])  # type: ignore[arg-type]
    return [] if found is None else list(dict.fromkeys(found))


class _Proof:
    """One search for a proof, with a limit on how many alternatives it goes into."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._left = _MOST_BRANCHES
        self._checks: dict[int, Check] = {}

    def of(self, open_: Sequence[Laid], held: Sequence[Asked]) -> list[str] | None:
        """Prove that what is open and what is held cannot hold together; None without a proof."""
        conditions, choices, waiting = list(held), [], list(open_)
        while waiting:
            laid = waiting.pop(0)
            if isinstance(laid, Asked):
                conditions.append(laid)
            elif laid.every or len(laid.parts) == 1:
                waiting[:0] = laid.parts
            else:
                choices.append(laid)
        if self._mode is Mode.SANE and any(asked.unfinished for asked in conditions):
            return []  # an alternative that is passed over, of which nobody needs to hear
        if (reason := self._clash(conditions)) is not None:
            return [reason]
        for choice in choices:
            others = [each for each in choices if each is not choice]
            if (reasons := self._none_of(choice, others, conditions)) is not None:
                return reasons
        return None

    def _none_of(self, choice: Joined, others: Sequence[Laid], held: Sequence[Asked]) -> list[str] | None:
        """Prove each of the alternatives impossible; further choices may help only where few are left to try."""
        reasons: list[str] = []
        for part in choice.parts:
            self._left -= 1
            if self._left < 0:
                return None
            found = self.of([part, *others], held)
            if found is None:
                return None
            reasons += found
        return reasons

    def _clash(self, conditions: Sequence[Asked]) -> str | None:
        """Find conditions about one place that cannot hold together."""
        by_place: dict[Place, list[Asked]] = {}
        for asked in conditions:
            if (reason := self._impossible(asked)) is not None:
                return reason
            if asked.place is not None:
                by_place.setdefault(asked.place, []).append(asked)
        for place, together in by_place.items():
            reason = self._opposites(together)
            if reason is None and place[0] not in _NOT_ONE_VALUE:
                reason = self._few_values(place, together) or self._order(together)
            if reason is not None:
                return reason
        return None

    # ---- the kinds of proof ----------------------------------------------------------------------

    def _impossible(self, asked: Asked) -> str | None:
        """Find what holds for no value: nothing is before or after no date, and no pattern matches nothing."""
        condition = asked.condition
        if condition is None or condition.negation or condition.type == "hogql":
            return None
        values = condition.value if isinstance(condition.value, list) else [condition.value]
        operator = condition.operator or "exact"
        if operator == "regex" and all(value == "" for value in values):
            return f"{_begin(asked.subject)} {self._must(asked)}, and an empty pattern matches nothing."
        if operator.startswith("is_date") and not any(_is_date(value) for value in values):
            return f"{_begin(asked.subject)} {self._must(asked)}, which is no date."
        return None

    def _opposites(self, together: Sequence[Asked]) -> str | None:
        seen: dict[tuple[str, str], tuple[Asked, bool]] = {}
        for asked in together:
            if asked.condition is None or asked.place == ("text",):
                continue
            operator = asked.condition.operator or "exact"
            wanted = operator not in _OPPOSITES
            wanted = wanted is not asked.condition.negation
            operator = _OPPOSITES.get(operator, operator)
            key = (operator, "" if operator == "is_set" else repr(asked.condition.value))
            if key in seen and seen[key][1] is not wanted:
                first, second = self._must(seen[key][0]), self._must(asked)
                return f"{_begin(asked.subject)} {first} and {second}, which is the opposite."
            seen.setdefault(key, (asked, wanted))
        return None

    def _few_values(self, place: Place, together: Sequence[Asked]) -> str | None:
        """Ask all conditions about each of the few values that one of them leaves."""
        checks = [self._check(each) for each in together]
        for asked, own in zip(together, checks, strict=True):
            few = self._left_by(asked)
            if few is None:
                continue
            possible = [value for value in few if _can_be(place, value) and make({place: value}).ask(own)]
            if not possible:
                return f"{_begin(asked.subject)} {self._must(asked)}, which nothing is."
            met = [value for value in possible if all(make({place: value}).ask(check) for check in checks)]
            if not met or (len(together) > 1 and all(type(value) is bool for value in met)):
                listed = " and ".join(dict.fromkeys(self._must(each) for each in together))
                but = f"but {show_list(list(dict.fromkeys(met)))} " if met else ""
                return f"{_begin(asked.subject)} {listed}, which no value {but}is."
        return None

    def _check(self, asked: Asked) -> Check:
        """Compile a condition once, however many alternatives it stands beside."""
        found = self._checks.get(id(asked))
        if found is None:
            found = self._checks[id(asked)] = asked.check(self._mode)
        return found

    def _left_by(self, asked: Asked) -> list[Any] | None:
        """Give all values that can meet a condition, and perhaps others; None when they are too many to list."""
        if asked.names is not None:
            return list(asked.names)
        condition = asked.condition
        if condition is None:
            return None
        operator, value = condition.operator or "exact", condition.value
        if condition.negation:
            operator = {"is_set": "is_not_set", "is_not": "exact", "not_in": "in"}.get(operator, "")
        if operator == "is_not_set":
            return [None]
        if operator == "is_cleaned_path_exact":
            operator = "exact"
        if operator not in ("exact", "in"):
            return None
        several = operator == "in" or (isinstance(value, list) and len(value) > 1)
        values = value if isinstance(value, list) else [value]
        if not all(type(each) is str for each in values):
            return None  # a number equals any text that reads so, and false any text but one
        if several and self._mode is Mode.POSTHOG:
            return list(values)
        numbers = [number for each in values if (number := to_number(each)) == number]
        if any(abs(number) >= EXACT_LIMIT for number in numbers):
            return None  # so large that several whole numbers are the same to a comparison
        return [*values, True, False, *numbers, *(int(number) for number in numbers if number == int(number))]

    def _order(self, together: Sequence[Asked]) -> str | None:
        """Compare the highest lower bound with the lowest upper one, of numbers, dates and versions each."""
        for kind in ("number", "date", "version"):
            lower: tuple[Any, bool, Asked] | None = None
            upper: tuple[Any, bool, Asked] | None = None
            for asked in together:
                for sign, bound in _bounds(asked, kind):
                    open_ = sign in ("<", ">")
                    if sign in (">", ">=", "==") and (lower is None or (bound, open_) > lower[:2]):
                        lower = (bound, open_, asked)
                    if sign in ("<", "<=", "==") and (upper is None or (bound, not open_) < (upper[0], not upper[1])):
                        upper = (bound, open_, asked)
            if lower is None or upper is None or lower[2] is upper[2]:
                continue
            if lower[0] > upper[0] or (lower[0] == upper[0] and (lower[1] or upper[1])):
                low, high = self._must(lower[2]), self._must(upper[2])
                return f"{_begin(lower[2].subject)} {low} and {high}, which no value is."
        return None

    def _must(self, asked: Asked) -> str:
        """Say what a condition wants: "must be greater than 10"."""
        if asked.names is not None:
            return f"must be {show_list(sorted(asked.names))}"
        condition = asked.condition or Property()
        test: Test = compile_test(condition.operator, condition.value, self._mode, asked.field)
        return f"must {'' if test.wanted is not condition.negation else 'not '}{test.do}"


def _begin(subject: str) -> str:
    return subject[:1].upper() + subject[1:]


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and (parse_date(value, UTC) is not None or read_relative_date(value) is not None)


def _can_be(place: Place, value: Any) -> bool:
    """Tell whether a value can lie at a place: an event's name and ids are texts, always there."""
    if place in (NAME, ("distinct_id",), ("uuid",)):
        return isinstance(value, str)
    return place != ("chain",) or value is None or isinstance(value, str)


def _bounds(asked: Asked, kind: str) -> Iterator[tuple[str, Any]]:
    """Give what a condition says of where its value lies: `(">", 10)`; of several, the widest."""
    condition = asked.condition
    if condition is None or condition.negation:
        return
    operator, value = condition.operator or "exact", condition.value
    values = value if isinstance(value, list) else [value]
    if operator == "between" and kind == "number":
        bounds = [_key(each, kind) for each in values]
        if None not in bounds:
            yield ">=", bounds[0]
            yield "<=", bounds[1]
        return
    if operator not in _BOUNDS or _BOUNDS[operator][0] != kind or (operator == "exact" and len(values) > 1):
        return
    sign = _BOUNDS[operator][1]
    keys = [_key(each, kind) for each in values]
    if not keys or None in keys or (sign == "==" and len(keys) > 1):
        return
    yield sign, min(keys) if sign in (">", ">=") else max(keys)


def _key(value: Any, kind: str) -> Any:
    """Give what a bound is compared by; None for one that says nothing sure."""
    if kind == "number":
        # Against a text or a boolean a value is not always compared by its number, nor by all of it when it is huge.
        return value if type(value) in (int, float) and abs(value) < EXACT_LIMIT else None
    if not isinstance(value, str):
        return None
    return parse_date(value, UTC) if kind == "date" else read_version(value) or None
