"""Filters and events that nobody thought of, of few enough names and values that they meet."""

from typing import Any, Final

from hypothesis import strategies as st

from smspipe.model.event import Group
from smspipe.model.filter import Mode
from tests.matching.conftest import make_event, make_person

NAMES: Final = ("order", "signup", "$autocapture", "$pageview")
KEYS: Final = ("plan", "amount", "seen", "version")
CHAINS: Final = ('a.b:text="Buy"href="/a";div:text="x"', 'div.b;a:nth-child="1"attr_id="i"')

# ---- values, few enough that conditions and events meet ----------------------------------------------

texts = st.sampled_from(
    ["", "pro", "Pro team", "null", "5", " 5 ", "0x5", "2026-03-10", "1.2.3", "v1.10.0", "true", "Köln"]
)
numbers = st.integers(-1, 6) | st.sampled_from([5.0, 0.5, 2**53, 2**53 + 1, 10**400])
values = st.none() | st.booleans() | numbers | texts | st.text(max_size=3)
json = st.recursive(
    values | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)

# ---- filters, mostly of the right shape --------------------------------------------------------------


def operators(names: str, wanted: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Operators with values that they take."""
    return st.fixed_dictionaries({"operator": st.sampled_from(names.split()), "value": wanted})


def one_or_more(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return of | st.lists(of, max_size=3)


tests = st.one_of(
    operators("exact is_not in not_in is_cleaned_path_exact is_set is_not_set", one_or_more(values)),
    operators("icontains not_icontains icontains_multi not_icontains_multi", one_or_more(values | st.just("a%m"))),
    operators("regex not_regex", one_or_more(st.sampled_from(["", "^p", "[0-9]+$", "null", "(?i)TEAM"]))),
    operators("gt gte lt lte min max", one_or_more(numbers | texts | st.booleans())),
    operators("between not_between", st.sampled_from([[0, 5], ["1", "5"], [-1, 0], [5, 5]])),
    operators(
        "is_date_exact is_date_before is_date_after", one_or_more(st.sampled_from(["2026-03-10", "-5d", "dStart"]))
    ),
    operators("semver_eq semver_neq semver_gt semver_gte semver_lt semver_lte", one_or_more(st.just("1.2.3"))),
    operators("semver_tilde semver_caret semver_wildcard", st.sampled_from(["1.2.3", "1.2"])),
)
places = st.one_of(
    st.fixed_dictionaries({"key": st.sampled_from(KEYS)}, optional={"type": st.sampled_from(["event", "person"])}),
    st.fixed_dictionaries(
        {"type": st.just("group"), "key": st.sampled_from(KEYS), "group_type_index": st.integers(0, 1)}
    ),
    st.fixed_dictionaries({"type": st.just("element"), "key": st.sampled_from(["text", "href"])}),
    st.fixed_dictionaries(
        {"type": st.just("event_metadata"), "key": st.sampled_from(["event", "$group_0", "timestamp"])}
    ),
)
structures = st.fixed_dictionaries(
    {"type": st.just("element"), "operator": st.sampled_from(["exact", "is_not"])}
    | {"key": st.sampled_from(["selector", "tag_name"]), "value": one_or_more(st.sampled_from(["a", "div", "b"]))}
)
expressions = st.fixed_dictionaries(
    {
        "type": st.just("hogql"),
        "key": st.sampled_from(["properties.amount > 1", "person.properties.plan", "'a' in properties.x"]),
    }
)
negations = st.fixed_dictionaries({}, optional={"negation": st.booleans()})
conditions = st.builds(
    lambda place, negation: place | negation,
    st.builds(lambda place, test: place | test, places, tests) | structures | expressions,
    negations,
)
groups_of_conditions = st.recursive(
    conditions,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["AND", "OR"]), "values": st.lists(inner, max_size=3)}
    ),
    max_leaves=5,
).map(lambda group: group if "values" in group else [group])
properties = st.fixed_dictionaries({}, optional={"properties": groups_of_conditions})
entries = st.builds(lambda name, more: {"id": name} | more, st.sampled_from([*NAMES, None]), properties)
action_entries = st.builds(lambda index, more: {"id": index} | more, st.integers(1, 2), properties)
filters = st.fixed_dictionaries(
    {},
    optional={
        "events": st.lists(entries, max_size=3),
        "actions": st.lists(action_entries, max_size=2),
        "properties": groups_of_conditions,
    },
)
steps = st.fixed_dictionaries(
    {"event": st.sampled_from([*NAMES, None])},
    optional={
        "url": st.sampled_from(["/a", "%"]),
        "selector": st.sampled_from(["a", "div > a.b"]),
        "text": st.sampled_from(["Buy", ""]),
        "text_matching": st.sampled_from(["exact", "contains"]),
        "properties": groups_of_conditions,
    },
)
actions = st.lists(st.lists(steps, max_size=2), min_size=2, max_size=2)

# ---- events ------------------------------------------------------------------------------------------

known = st.dictionaries(st.sampled_from(KEYS), values | json, max_size=4)
clicks = st.fixed_dictionaries(
    {}, optional={"$elements_chain": st.sampled_from(CHAINS) | json, "$elements": json, "$current_url": texts | json}
)
events = st.builds(
    lambda name, own, click: make_event(name, own | click), st.sampled_from([*NAMES, "other"]), known, clicks
)
people = st.none() | known.map(lambda own: make_person(**own))
memberships = st.lists(
    st.builds(lambda index, own: Group(type="t", key="k", index=index, properties=own), st.integers(0, 4), known),
    max_size=2,
)
modes = st.sampled_from(Mode)
