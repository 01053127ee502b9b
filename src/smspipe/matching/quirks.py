"""
On which of PostHog's quirks the answer of a filter depends, each shown with a value.

Nothing is guessed: each condition is compiled for both modes and asked about values that lie close to its own, and a
quirk is told only for a value about which the two really disagree. Then an event with that value is looked for about
which the whole filters disagree; where the search ends without one, the quirk has no effect and is left out (a missing
`amount` beside `amount is_set`). Expressions are not looked into.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec

from smspipe.hog import to_number, to_string
from smspipe.hog.dates import parse_date
from smspipe.matching.match import FilterError, compile_filter
from smspipe.matching.ordering import EXACT_LIMIT
from smspipe.matching.sentences import show
from smspipe.matching.survey import Asked, Joined, Laid, Made, Place, Values, conditions_of, lay_out, make
from smspipe.matching.tree import Check
from smspipe.model.clock import EPOCH, to_iso
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action, Filter, Mode, PropertyGroup

_NO_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType({})
_MOST_STEPS: Final = 2000
"""Answers of conditions in the search for one event."""
_MOST_CONDITIONS: Final = 60
"""Conditions in a filter for whose quirks an event is looked for; in a larger one each is told by itself."""
_MOST_SAMPLES: Final = 50
"""Events that whole filters are asked about for one quirk."""
_ANY_VALUES: Final = (None, "", "null", "some text", 0, 1, -1, 5, "5", True, False)


class QuirkName(StrEnum):
    """PostHog's ways of comparing that surprise."""

    MISSING_IS_ZERO = "missing_is_zero"
    MISSING_READS_NULL = "missing_reads_null"
    STRICT_MEMBERS = "strict_members"
    NULL_MEMBER = "null_member"
    NO_VERSION_IS_LOWEST = "no_version_is_lowest"
    UNREADABLE_VALUE = "unreadable_value"
    NO_CLICK_IS_EMPTY = "no_click_is_empty"
    UNFINISHED = "unfinished"


WHAT: Final[Mapping[QuirkName, str]] = MappingProxyType(
    {
        QuirkName.MISSING_IS_ZERO: "To PostHog a missing value is 0 when it is put in order.",
        QuirkName.MISSING_READS_NULL: "To PostHog a missing value is the text null when something is looked for in it.",
        QuirkName.STRICT_MEMBERS: "To PostHog a number and its text are not the same among several values.",
        QuirkName.NULL_MEMBER: "To PostHog a missing value is among the values when null is one of them.",
        QuirkName.NO_VERSION_IS_LOWEST: "To PostHog what is no version comes before all versions.",
        QuirkName.UNREADABLE_VALUE: "PostHog takes a date or version to compare with that is none.",
        QuirkName.NO_CLICK_IS_EMPTY: "To PostHog an event without a click has an empty chain of elements, not none.",
        QuirkName.UNFINISHED: "To PostHog an unfinished condition holds, also among alternatives.",
    }
)
"""What each quirk is, in a sentence."""


class Quirk(msgspec.Struct, frozen=True, kw_only=True):
    """One condition whose answer is different in the two modes."""

    name: QuirkName
    field: str
    """The condition's place: `filters__properties__0`."""
    sentence: str
    """What it means for this condition, with the example."""
    example: Any
    """A value about which the modes disagree; None for a missing one."""
    posthog: bool
    """What the condition answers about the example in the mode `posthog`."""
    sane: bool | None
    """And in the mode `sane`; None where that mode refuses the condition."""
    made: Made
    """An event with that value."""
    decisive: bool
    """Whether the whole filters, too, disagree about `made`; False where that could not be found out."""


def quirks(
    filter: Filter,  # noqa: A002 (the word everyone uses)
    *,
    actions: Mapping[str, Action] = _NO_ACTIONS,
    test_accounts: PropertyGroup | None = None,
    field: str = "filters",
) -> list[Quirk]:
    """
    Tell on which of PostHog's quirks a filter's answer depends; on none, when its mode is `sane`.

    Args:
        filter: as `read_filter` read it.
        actions: the project's actions by id.
        test_accounts: the project's test-account filters.
        field: the filter's place in its document.

    Returns:
        One for each condition and quirk, in the filter's order.

    Raises:
        Invalid: as `compile_filter`.
    """
    if filter.mode is Mode.SANE:
        return []
    given = {"actions": actions, "test_accounts": test_accounts, "field": field}
    whole = compile_filter(filter, **given)  # type: ignore[arg-type]  # each has the type of its key
    try:
        other = compile_filter(msgspec.structs.replace(filter, mode=Mode.SANE), **given)  # type: ignore[arg-type]
    except Invalid:
        other = None

    def disagree(made: Made) -> bool:
        if other is None:
            return False
        answers = []
        for matcher in (whole, other):
            try:
                answers.append(matcher.matches(made.event, made.person, made.groups, EPOCH))
            except FilterError:
                answers.append(False)
        return answers[0] is not answers[1]

    laid = lay_out(filter, **given)  # type: ignore[arg-type]
    pairs = {id(asked): _Pair(asked) for asked in conditions_of(laid)}
    search = _Search(laid, pairs) if other is not None and len(pairs) <= _MOST_CONDITIONS else None
    found: list[Quirk] = []
    for asked in conditions_of(laid):
        for name, values in _differing(asked, pairs[id(asked)]).items():
            quirk = _confirm(asked, name, values, pairs[id(asked)], search, disagree)
            if quirk is not None:
                found.append(quirk)
    return found


class _Pair:
    """A condition compiled for both modes."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.posthog: Check = asked.check(Mode.POSTHOG)
        self.sane: Check | None
        try:
            self.sane = asked.check(Mode.SANE)
        except Invalid:
            self.sane = None

    def ask(self, values: Values) -> tuple[bool, bool | None]:
        """Ask both about an event with these values."""
        made = make(values)
        return made.ask(self.posthog), None if self.sane is None else made.ask(self.sane)


# ---- values at which a condition's answers differ ----------------------------------------------------


def _differing(asked: Asked, pair: _Pair) -> dict[QuirkName, list[Any]]:
    """Sort the values about which the modes disagree by the quirk that this is."""
    found: dict[QuirkName, list[Any]] = {}
    if asked.unfinished:
        return {QuirkName.UNFINISHED: [None]}
    if asked.condition is None or asked.place is None:
        return {}
    for value in _candidates(asked):
        posthog, sane = pair.ask({asked.place: value})
        if posthog is not sane:
            found.setdefault(_name(asked, value, sane), []).append(value)
    return found


def _name(asked: Asked, value: Any, sane: bool | None) -> QuirkName:
    condition = asked.condition
    operator = "" if condition is None else condition.operator or "exact"
    if sane is None:
        return QuirkName.UNREADABLE_VALUE
    if asked.place == ("chain",) and not (isinstance(value, str) and value):
        return QuirkName.NO_CLICK_IS_EMPTY
    if operator.startswith("semver"):
        return QuirkName.NO_VERSION_IS_LOWEST
    if operator in ("exact", "is_not", "in", "not_in", "is_cleaned_path_exact"):
        return QuirkName.NULL_MEMBER if value is None else QuirkName.STRICT_MEMBERS
    return QuirkName.MISSING_READS_NULL if "contains" in operator or "regex" in operator else QuirkName.MISSING_IS_ZERO


def _candidates(asked: Asked) -> list[Any]:
    """Give values close to a condition's own: what it asks for, a little beside it, and in other words."""
    if asked.condition is None:
        return [*(asked.names or ()), "another event"]
    value = asked.condition.value
    found: list[Any] = [*_ANY_VALUES]
    for wanted in value if isinstance(value, list) else [value]:
        if isinstance(wanted, dict | list):
            continue
        found += [wanted, to_string(wanted), f"{to_string(wanted)}x"]
        number = to_number(wanted)
        if number == number and abs(number) < EXACT_LIMIT:
            whole = int(number) if number == int(number) else number
            found += [whole, whole + 1, whole - 1, to_string(whole), to_string(whole + 1), to_string(whole - 1)]
        if isinstance(wanted, str):
            found += _around_text(wanted)
    return list({(type(each), each): each for each in found}.values())


def _around_text(wanted: str) -> list[Any]:
    found: list[Any] = [wanted.replace("%", "").replace("_", "x"), wanted.strip("^$.*"), wanted.lower(), wanted.upper()]
    at = parse_date(wanted, UTC)
    if at is not None:
        found += [to_iso(at + timedelta(days=days)) for days in (-1, 0, 1) if 1 < at.year < 9999]
    if "." in wanted and wanted.replace(".", "").isdecimal() and wanted.isascii():
        head, _, last = wanted.rpartition(".")
        found += ["0.0.1", f"{head}.{int(last or 0) + 1}", f"{int(wanted.split('.')[0] or 0) + 1}.0.0"]
    return found


# ---- an event about which the whole filters differ ---------------------------------------------------


def _confirm(
    asked: Asked,
    name: QuirkName,
    values: Sequence[Any],
    pair: _Pair,
    search: "_Search | None",
    disagree: Callable[[Made], bool],
) -> Quirk | None:
    """Look for an event that shows the quirk; None when the quirk is seen to have no effect."""
    start: list[Values] = [{} if asked.place is None else {asked.place: value} for value in values]
    if search is not None:
        budget, exhausted = _Budget(), True
        for known in start:
            for number, env in enumerate(search.events(asked, known, budget)):
                made = make(env)
                if disagree(made):
                    return _quirk(asked, name, known, pair, made, decisive=True)
                if number >= _MOST_SAMPLES:
                    exhausted = False
                    break
        if exhausted and budget.left > 0 and search.complete:
            return None
    return _quirk(asked, name, start[0], pair, make(start[0]), decisive=False)


def _quirk(asked: Asked, name: QuirkName, known: Values, pair: _Pair, made: Made, *, decisive: bool) -> Quirk:
    posthog, sane = pair.ask(known)
    example = None if asked.place is None else known[asked.place]
    if sane is None:
        then = "The mode sane refuses this condition."
    elif name is QuirkName.UNFINISHED:
        then = "This one lets every event through, where the mode sane passes over it."
    else:
        seen = "missing" if example is None else show(example)
        does, instead = ("holds", "does not") if posthog else ("does not hold", "does")
        then = f"Where {asked.subject} is {seen} the condition {does}; in the mode sane it {instead}."
    sentence = f"{WHAT[name]} {then}"
    return Quirk(
        name=name, field=asked.field, sentence=sentence, example=example, posthog=posthog, sane=sane, made=made,
        decisive=decisive,
    )  # fmt: skip


class _Budget:
    """Answers that may still be asked for."""

    def __init__(self) -> None:
        self.left = _MOST_STEPS


class _Search:
    """
    Looks for values at all places so that one condition's answers reach the top of the filter.

    A pair of answers (of the two modes) climbs through "every" when all beside it hold, and through "any" when none
    beside it does. What stands beside is brought to that by choosing values for the places it reads.
    """

    def __init__(self, laid: Laid, pairs: Mapping[int, _Pair]) -> None:
        self._laid = laid
        self._pairs = pairs
        self.pools: dict[Place, list[Any]] = {}
        for pair in pairs.values():
            if pair.asked.place is not None:
                pool = self.pools.setdefault(pair.asked.place, [])
                known = {(type(each), each) for each in pool}
                pool += [each for each in _candidates(pair.asked) if (type(each), each) not in known]
        self.complete = all(self._is_known(pair) for pair in pairs.values())
        """Whether values are known for every condition with which it holds, and with which it does not."""

    def _is_known(self, pair: _Pair) -> bool:
        place = pair.asked.place
        if pair.asked.unfinished:
            return True
        if place is None:
            return False
        return {True, False} <= {pair.ask({place: value})[0] for value in self.pools[place]}

    def events(self, asked: Asked, known: Values, budget: _Budget) -> Iterator[Values]:
        """Give values with which what stands beside `asked`, all the way up, leaves the answer to it."""
        yield from self._free(self._laid, asked, dict(known), budget)

    def _free(self, laid: Laid, asked: Asked, env: Values, budget: _Budget) -> Iterator[Values]:
        if isinstance(laid, Asked):
            yield env
            return
        inside = next(index for index, part in enumerate(laid.parts) if any(c is asked for c in conditions_of(part)))
        beside = [part for index, part in enumerate(laid.parts) if index != inside]
        for settled in self._all_to(beside, laid.every, env, budget):
            yield from self._free(laid.parts[inside], asked, settled, budget)

    def _all_to(self, parts: Sequence[Laid], wanted: bool, env: Values, budget: _Budget) -> Iterator[Values]:
        """Bring every one of the parts to this answer, in both modes."""
        if not parts:
            yield env
            return
        for settled in self._to(parts[0], wanted, env, budget):
            yield from self._all_to(parts[1:], wanted, settled, budget)

    def _to(self, laid: Laid, wanted: bool, env: Values, budget: _Budget) -> Iterator[Values]:
        if isinstance(laid, Joined):
            if laid.every is wanted:
                yield from self._all_to(laid.parts, wanted, env, budget)
            else:
                for part in laid.parts:
                    yield from self._to(part, wanted, env, budget)
            return
        place, pair = laid.place, self._pairs[id(laid)]
        if place is None:
            yield env  # nothing is known of it: the filters themselves will say
            return
        choices = [env[place]] if place in env else self.pools[place]
        for value in choices:
            if budget.left <= 0:
                return
            budget.left -= 1
            answers = pair.ask({place: value})
            # At a place that is settled already the modes may differ; the filters themselves will say.
            if answers == (wanted, wanted) or (place in env and wanted in answers):
                yield {**env, place: value}
