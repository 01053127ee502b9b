"""Names that a destination asks for and no recent event or person has: mostly slips of the pen."""

import difflib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from smspipe.destinations.templates import RECIPIENT
from smspipe.matching.mentions import Kind, Mention, mentions
from smspipe.model.destination import Templating, Text
from smspipe.pipeline.prepare import Prepared, Site
from smspipe.pipeline.recent import Recent
from smspipe.rendering.mentions import paths_of

_FALLBACKS: Final = ("??", "default", "coalesce", "ifNull", "empty")
"""Where one of these stands in a template, a value that is never there may be meant so."""


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A name that was not seen, as two sentences for a person."""

    kind: Kind
    field: str
    saw: str
    hint: str


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The names that there are, by kind, and in how many events or persons they were looked for."""

    names: dict[Kind, AbstractSet[str]]
    counts: dict[Kind, int]
    among: str
    """Which events were looked at for their properties."""


def unknown_names(prepared: Prepared, site: Site, recent: Recent) -> Iterator[Unknown]:
    """
    Compare what a destination names with what was seen, each name once a field.

    Properties are looked for in the events that the destination listens to; where there are none such, nothing is said
    of properties. A name that stands in a template beside a fallback is only told of when one like it was seen.
    """
    seen = _seen(prepared, recent)
    told: set[tuple[Kind, str, str]] = set()
    destination = prepared.destination
    for mention in mentions(destination.filter, site.actions):
        if (unknown := _judge(mention, seen)) and (mention.kind, mention.key, mention.field) not in told:
            told.add((mention.kind, mention.key, mention.field))
            yield unknown
    for text in _templates(prepared):
        asked = [mention for mention in _of_template(text) if (mention.kind, mention.key, mention.field) not in told]
        told.update((mention.kind, mention.key, mention.field) for mention in asked)
        lenient = any(word in text.source for word in _FALLBACKS)
        for mention in asked:
            unknown = _judge(mention, seen)
            if unknown is not None and (not lenient or _nearest(mention.key, seen.names[mention.kind])):
                yield unknown


def _seen(prepared: Prepared, recent: Recent) -> _Seen:
    listened = prepared.matcher.event_names
    heard = [each for each in recent.met if listened is None or each.event.event in listened]
    persons = {each.person.id: each.person for each in heard if each.person is not None}
    names = sorted(listened or ())
    return _Seen(
        names={
            "name": recent.names.keys(),
            "event": {key for each in heard for key in each.event.properties},
            "person": {key for person in persons.values() for key in person.properties},
        },
        counts={"name": len(recent.met), "event": len(heard), "person": len(persons)},
        among=f" named {names[0]!r}" if len(names) == 1 else " that it listens to" if names else "",
    )


def _templates(prepared: Prepared) -> Iterator[Text]:
    destination = prepared.destination
    yield destination.body
    yield destination.sender
    yield from (route.to for route in destination.routes if route.to.source != RECIPIENT)
    if destination.cooldown is not None:
        yield destination.cooldown.key
    if destination.extras is not None:
        yield from destination.extras.media_urls
        yield from () if destination.extras.send_at is None else (destination.extras.send_at,)
    yield from (
        value for key, value in destination.inputs.items() if key in prepared.inputs and isinstance(value, Text)
    )


def _of_template(text: Text) -> Iterator[Mention]:
    if text.templating is Templating.NONE:
        return
    for path in sorted(paths_of(text)):
        match path:
            case ("event", "properties", key, *_):
                yield Mention(kind="event", key=key, field=text.field)
            case ("person", "properties", key, *_):
                yield Mention(kind="person", key=key, field=text.field)


def _judge(mention: Mention, seen: _Seen) -> Unknown | None:
    """Say that a name was not seen, None where it was, or where there was nothing to look at."""
    count = seen.counts[mention.kind]
    if not count or mention.key in seen.names[mention.kind]:
        return None
    plural = "s" * (count != 1)
    saw = {
        "name": f"No event named {mention.key!r} is among the last {count} event{plural}.",
        "event": f"None of {count} event{plural}{seen.among} has the property {mention.key!r}.",
        "person": f"None of the {count} person{plural} of these events has the property {mention.key!r}.",
    }[mention.kind]
    near = _nearest(mention.key, seen.names[mention.kind])
    what = "name" if mention.kind == "name" else "property"
    hint = f"Did you mean {near!r}?" if near else f"Check the {what}'s spelling, also upper and lower case."
    return Unknown(kind=mention.kind, field=mention.field, saw=saw, hint=hint)


def _nearest(key: str, names: AbstractSet[str]) -> str | None:
    """Find the name most like `key`, upper and lower case and separators aside."""
    plain = {_fold(name): name for name in sorted(names)}
    near = difflib.get_close_matches(_fold(key), plain, n=1, cutoff=0.75)
    return plain[near[0]] if near else None


def _fold(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").replace("$", "")
