"""
What one event asks of profiles, and what comes of two persons who turn out to be one.

Everything here is a function of its arguments. The order of one event is: merge, then `$set_once`, `$set` and `$unset`,
then the event is shown the person as all this has left them.

Source:
    https://posthog.com/docs/product-analytics/identify and PostHog's ingestion (`nodejs/src/worker/ingestion/`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from smspipe.model.event import Event
from smspipe.model.person import Person
from smspipe.persons.copied import FLEETING, INITIAL, copied

MAX_ID_CHARACTERS: Final = 200
"""Distinct_ids are cut to this length when they arrive; one inside a property is cut alike, so that both are equal."""

ALIAS_OF: Final[Mapping[str, str]] = {
    "$identify": "$anon_distinct_id",
    "$create_alias": "alias",
    "$merge_dangerously": "alias",
}
"""The events that join two distinct_ids, and the property that holds the one to be merged into the event's own."""
WITHOUT_PROPERTIES: Final = frozenset({"$groupidentify", "$exception", "$$heatmap"})
"""Events that tell nothing of their person, whatever they carry."""
PLAIN_SET: Final = "$set"
_NOTHING: Final = frozenset[str]()
PERSON_EVENTS: Final = frozenset({*ALIAS_OF, PLAIN_SET})
"""Events that are about the person: every change they bring is written, fleeting ones too."""
RELATED: Final = frozenset({*ALIAS_OF, "$groupidentify"})
"""Events that name another distinct_id or a group outside `$groups`."""
SPECIAL: Final = PERSON_EVENTS | WITHOUT_PROPERTIES
"""Events that do something else to profiles than an ordinary one."""

_ILLEGAL_IN_ANY_CASE = (
    *("anonymous", "guest", "distinctid", "distinct_id", "id"),
    *("not_authenticated", "email", "undefined", "true", "false"),
)
_ILLEGAL_AS_WRITTEN = ("[object Object]", "NaN", "None", "none", "null", "0")


def _with_quotes(ids: Iterable[str]) -> frozenset[str]:
    return frozenset(quote + each + quote for each in ids for quote in ("", "'", '"'))


_IN_ANY_CASE = _with_quotes(_ILLEGAL_IN_ANY_CASE)
_AS_WRITTEN = _with_quotes(_ILLEGAL_AS_WRITTEN)


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """Join the person of `other` into that of the event's distinct_id; `forced` even an identified one."""

    other: str
    forced: bool = False


class GroupUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What a `$groupidentify` tells of one group: `properties` are merged over those it has."""

    type: str
    key: str
    properties: dict[str, Any]


class Operations(msgspec.Struct, frozen=True, kw_only=True):
    """What one event asks of profiles, in the order in which it is done: `merge`, `set_once`, `set`, `unset`."""

    profile: bool = True
    """False: the event has no profile (`$process_person_profile` false), and nothing else here counts but `group`."""
    merge: Merge | None = None
    set_once: dict[str, Any] = {}
    set: dict[str, Any] = {}
    unset: tuple[str, ...] = ()
    thorough: bool = False
    """Write every change, not only those that are more than `FLEETING`."""
    vouched: frozenset[str] = frozenset()
    """The properties that a trusted event names itself, in `$set` or `$set_once`; none for any other event."""
    group: GroupUpdate | None = None


def operations_of(event: Event) -> Operations:
    """
    Say what `event` asks of profiles.

    What the event names itself comes before what is copied from it; between `$set` and `$set_once` for the same
    property, `$set` wins. A null is not kept as an `$initial_…` value: SDKs send every absent campaign parameter as
    null, and the first real one must still find the place empty.
    """
    properties = event.properties
    group = _group_update(event) if event.event == "$groupidentify" else None
    if properties.get("$process_person_profile") is False:
        return Operations(profile=False, group=group)
    if event.event in WITHOUT_PROPERTIES:
        return Operations(group=group)
    to_set, to_set_once = _mapping(properties.get("$set")), _mapping(properties.get("$set_once"))
    pairs = copied(properties)
    return Operations(
        merge=merge_of(event),
        set={name: properties[source] for name, source in pairs} | to_set,
        set_once={INITIAL[name]: properties[source] for name, source in pairs if properties[source] is not None}
        | to_set_once,
        unset=_names(properties.get("$unset")),
        thorough=event.event in PERSON_EVENTS,
        vouched=frozenset((*to_set, *to_set_once)) - FLEETING if event.trusted else _NOTHING,
    )


def merge_of(event: Event) -> Merge | None:
    """Say which person an event wants joined into its own; None for nobody, an illegal id, or its own id."""
    if event.properties.get("$process_person_profile") is False:
        return None
    alias = ALIAS_OF.get(event.event)
    if alias is None:
        return None
    other = _id(event.properties.get(alias))
    if other is None or other == event.distinct_id or is_illegal(other) or is_illegal(event.distinct_id):
        return None
    return Merge(other=other, forced=event.event == "$merge_dangerously")


def is_illegal(distinct_id: str) -> bool:
    """
    Can this id not be anybody's own? Such ids come of mistakes (`"undefined"`, an empty variable), and merging
    on one would make all who share the mistake one person.
    """
    return not distinct_id.strip() or distinct_id.lower() in _IN_ANY_CASE or distinct_id in _AS_WRITTEN


def apply(operations: Operations, properties: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """
    Do `set_once`, `set` and `unset` to a person's properties.

    Returns:
        The properties that the event sees, and whether they are worth writing. The same object as `properties` when
        nothing changed; `properties` itself is never changed.
    """
    news = {name: value for name, value in operations.set_once.items() if name not in properties}
    worth = bool(news)
    for name, value in operations.set.items():
        if name not in properties:
            worth = True
        elif same(properties[name], value):
            continue
        elif operations.thorough or name not in FLEETING:
            worth = True
        news[name] = value
    gone = [name for name in operations.unset if name in properties or name in news]
    if not news and not gone:
        return properties, False
    changed = properties | news
    for name in gone:
        changed.pop(name, None)
    return changed, worth or bool(gone)


def trusted_after(operations: Operations, before: Person, after: dict[str, Any]) -> frozenset[str]:
    """
    Say which properties of a person are trusted after an event.

    A trusted event vouches for what it names, also where `$set` finds the value there already; what changes otherwise
    loses its trust. Fleeting properties are never trusted: they may change without being written.

    Args:
        operations: what the event asked.
        before: the person until then.
        after: its properties, as `apply` gave them.
    """
    if after is before.properties:
        kept = before.trusted
    else:
        kept = frozenset(
            name for name in before.trusted if name in after and same(after[name], before.properties.get(name))
        )
    if not operations.vouched:
        return kept
    return kept | {
        name
        for name in operations.vouched
        if name in after and (name in operations.set or name not in before.properties)
    }


def same(one: Any, other: Any) -> bool:
    """Are two JSON values the same? Unlike in Python, true is not 1, however deep."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return all(map(same, one, other))
    return True


def is_refused(away: Person, merge: Merge) -> bool:
    """Is this person known by a name already, and so not to be merged into another's?"""
    return away.identified and not merge.forced


def merged(into: Person, away: Person) -> Person:
    """
    Make one person of two: `into` stays, its properties win, and it is known since the earlier of the two.

    A property is trusted when the one that it was taken from was.
    """
    return Person(
        id=into.id,
        properties=away.properties | into.properties,
        created_at=min(into.created_at, away.created_at),
        identified=True,
        trusted=into.trusted | frozenset(name for name in away.trusted if name not in into.properties),
    )


def groups_named(event: Event) -> list[tuple[str, str]]:
    """List the groups that an event names, as pairs of type and key: in `$groups`, or as what it identifies."""
    named = {
        clean(type_): clean(key)
        for type_, key in _mapping(event.properties.get("$groups")).items()
        if isinstance(key, str) and type_ and key
    }
    if event.event == "$groupidentify" and (update := _group_update(event)):
        named[update.type] = update.key
    return list(named.items())


def clean(text: str) -> str:
    """Make an id fit for a key, as capture does with a distinct_id: no NUL (PostgreSQL takes none), not too long."""
    return text.replace("\0", "\ufffd")[:MAX_ID_CHARACTERS]


def _group_update(event: Event) -> GroupUpdate | None:
    type_, key = _id(event.properties.get("$group_type")), _id(event.properties.get("$group_key"))
    if not type_ or not key:
        return None
    return GroupUpdate(type=type_, key=key, properties=_mapping(event.properties.get("$group_set")))


def _id(value: Any) -> str | None:
    """Read an id as capture reads a distinct_id: numbers as their text; None for what cannot be one."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: Any) -> tuple[str, ...]:
    """Read `$unset`: a list of names, or an object whose keys they are."""
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list | dict) else ()
