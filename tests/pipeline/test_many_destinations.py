"""Many destinations: an event is held against those that could match it and no others, and a change compiles little."""

from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.destination import Destination, Text
from smspipe.model.errors import Fault
from smspipe.model.filter import Action, ActionFilter, ActionStep, EventFilter, Filter, Property, PropertyGroup
from smspipe.pipeline.prepare import Plan, Prepared, Site, prepare, prepare_all
from tests.pipeline.conftest import NOW, SITE, a_destination, an_event, only

NAMES: Final = ("signup", "order", "refund", "$pageview")
ACTIONS: Final = {
    "1": Action(id="1", name="Bought", steps=(ActionStep(event="order"), ActionStep(event="refund", url="/paid"))),
    "2": Action(id="2", name="Came", steps=(ActionStep(event="$pageview"),)),
    "3": Action(id="3", name="Was anywhere", steps=(ActionStep(event="signup"), ActionStep(url="/shop"))),
    "4": Action(id="4", name="Did anything"),
}
WITH_ACTIONS: Final = msgspec.structs.replace(SITE, actions=ACTIONS)

conditions = st.sampled_from(
    [PropertyGroup(), PropertyGroup(values=(Property(key="text", value="Hi", operator="exact"),))]
)
entries = st.builds(EventFilter, id=st.none() | st.sampled_from(NAMES[:3]), properties=conditions)
listed = st.builds(ActionFilter, id=st.sampled_from(sorted(ACTIONS)), properties=conditions)
filters = st.builds(
    Filter,
    events=st.lists(entries, max_size=3).map(tuple),
    actions=st.lists(listed, max_size=2).map(tuple),
    properties=conditions,
)


def names_of(filter_: Filter) -> set[str] | None:
    """Read off a filter, without compiling it, which names an event must have; None when any will do."""
    wanted: list[str | None] = [entry.id for entry in filter_.events]
    for entry in filter_.actions:
        wanted += [step.event for step in ACTIONS[entry.id].steps] or [None]
    return None if not wanted or None in wanted else {name for name in wanted if name is not None}


@given(st.lists(filters, max_size=12), st.sampled_from((*NAMES, "never heard of")))
def test_an_event_meets_exactly_the_destinations_that_its_name_could_match(given_: list[Filter], name: str) -> None:
    all_ = [prepare(a_destination(f"d{n}", filter=each), WITH_ACTIONS) for n, each in enumerate(given_)]
    expected = [each for each in all_ if (names := names_of(each.destination.filter)) is None or name in names]
    assert ids(Plan(all_).listening(name)) == ids(expected)


@given(st.lists(filters, max_size=12), st.sampled_from((*NAMES, "never heard of")), st.sampled_from(["Hi", "Bye"]))
def test_whoever_matches_is_among_those_who_listen(given_: list[Filter], name: str, text: str) -> None:
    all_ = [prepare(a_destination(f"d{n}", filter=each), WITH_ACTIONS) for n, each in enumerate(given_)]
    event = an_event(event=name, properties={"text": text, "$current_url": "https://example.com/shop/paid"})
    matching = [each for each in all_ if each.matcher.matches(event, None, (), NOW)]
    heard = [each for each in Plan(all_).listening(name) if each.matcher.matches(event, None, (), NOW)]
    assert ids(heard) == ids(matching)


def test_of_a_thousand_destinations_an_event_meets_only_the_ten_that_listen() -> None:
    all_ = [prepare(a_destination(f"d{n}", filter=only(f"event {n // 10}")), SITE) for n in range(1000)]
    assert ids(Plan(all_).listening("event 42")) == [f"d{n}" for n in range(420, 430)]


def test_a_reload_takes_over_what_did_not_change() -> None:
    before = plan_of([a_destination(f"d{n}", filter=only("order")) for n in range(5)])
    changed = a_destination("d3", filter=only("refund"), version=2)
    after = plan_of([changed if n == 3 else a_destination(f"d{n}", filter=only("order")) for n in range(5)], before)
    same = [id_ for id_, each in after.destinations.items() if each is before.destinations[id_]]
    assert same == ["d0", "d1", "d2", "d4"]
    assert ids(after.listening("refund")) == ["d3"]
    assert ids(after.listening("order")) == ["d0", "d1", "d2", "d4"]


def test_a_reload_leaves_out_what_was_switched_off_and_takes_in_what_is_new() -> None:
    before = plan_of([a_destination("old"), a_destination("stays")])
    after = plan_of([a_destination("stays"), a_destination("new")], before)
    assert list(after.destinations) == ["stays", "new"]


def test_a_destination_that_the_engine_paused_is_not_taken_over_as_it_was() -> None:
    """Pausing makes no version, so versions alone would not tell."""
    before = plan_of([a_destination("d")])
    after = plan_of([a_destination("d", paused="Twilio says no.")], before)
    assert after.destinations[a_destination("d").id].destination.paused == "Twilio says no."


@pytest.mark.parametrize(
    "site",
    [
        msgspec.structs.replace(WITH_ACTIONS, actions=ACTIONS | {"2": ACTIONS["1"]}),
        msgspec.structs.replace(WITH_ACTIONS, test_accounts=PropertyGroup(values=(Property(key="a", value="b"),))),
    ],
    ids=["an action", "the test accounts"],
)  # fmt: skip
def test_a_change_of_what_filters_refer_to_compiles_them_all_again(site: Site) -> None:
    destinations = [a_destination("d", filter=Filter(actions=(ActionFilter(id="2"),), filter_test_accounts=True))]
    before = plan_of(destinations, site=WITH_ACTIONS)
    after = plan_of(destinations, before, site=site)
    (one,), (other,) = before.destinations.values(), after.destinations.values()
    assert one is not other
    assert other.site is site


def test_a_reload_on_a_site_that_is_equal_still_takes_over() -> None:
    again = msgspec.structs.replace(WITH_ACTIONS, actions=dict(ACTIONS))
    first = plan_of([a_destination("d")], site=WITH_ACTIONS)
    second = plan_of([a_destination("d")], first, site=again)
    third = plan_of([a_destination("d"), a_destination("e")], second, site=again)
    assert third.destinations[a_destination("d").id] is first.destinations[a_destination("d").id]


def test_destinations_with_the_same_text_share_what_it_is_compiled_to() -> None:
    one, other = (prepare(a_destination(name), SITE) for name in ("one", "other"))
    assert one.body is other.body
    renamed = prepare(a_destination("third", body=Text(source="{event.properties.text}", field="elsewhere")), SITE)
    assert renamed.body is not one.body


def plan_of(destinations: Sequence[Destination], before: Plan | None = None, *, site: Site = SITE) -> Plan:
    """Compile all, of which none may be broken."""

    def broken(destination: Destination, fault: Fault) -> None:
        raise AssertionError(f"{destination.name}: {fault}")

    return prepare_all(destinations, site, broken, before)


def ids(prepared: Sequence[Prepared]) -> list[str]:
    """Name destinations."""
    return [each.destination.id for each in prepared]
