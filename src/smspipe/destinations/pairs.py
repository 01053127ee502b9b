"""
Read the older plugin's list of who gets a text for what: `event:number,event:number`.

    signup:+15005550006                      one event, one number
    signup:+15005550006,signup:+15005550009  an event again: another number for it
    action:Big order:+15005550006            an action, by its name
    "invoice: paid, late":+15005550006       a name in quotes may hold : and , (a quote inside is written twice)
    signup:{person.properties.phone}         a template instead of a number

A name that is the name of an existing action means that action, with or without `action:` before it; put the name of
an event in quotes if there is an action of the same name.
"""

import re
from collections.abc import Mapping

import msgspec

from smspipe.model.destination import Route, Templating, Text
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action

FIELD = "inputs__triggeringEventsAndNumber"
_HINT = "Write event:number pairs separated by commas, such as signup:+15005550006,purchase:+15005550009."
_NUMBER = re.compile(r"\+?[\d\s().-]+")


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the list. `number` is a phone number as it was written, or a template."""

    name: str
    number: str
    action: bool = False
    """Written as `action:name`."""
    quoted: bool = False


def read_pairs(source: str) -> tuple[Pair, ...]:
    """
    Read the list; an entry given twice counts once.

    Raises:
        Invalid: an entry is not a pair; the message counts entries from 1 and repeats no number.
    """
    pairs: dict[tuple[str, str, bool], Pair] = {}
    for number, (entry, at) in enumerate(_split(source), start=1):
        if entry.strip():
            pair = _read_entry(entry, number, at)
            pairs.setdefault((pair.name, pair.number, pair.action), pair)
    if not pairs:
        raise Invalid("There is no event:number pair.", field=FIELD, hint=_HINT)
    return tuple(pairs.values())


def to_routes(pairs: tuple[Pair, ...], actions: Mapping[str, Action]) -> tuple[Route, ...]:
    """
    Turn pairs into routes, numbered as they stand.

    Raises:
        Invalid: an entry says `action:name` and there is no such action.
    """
    by_name = {action.name: action.id for action in actions.values()}
    routes = []
    for pair in pairs:
        to = Text(source=pair.number, templating=Templating.HOG if "{" in pair.number else Templating.NONE, field=FIELD)
        action = by_name.get(pair.name) if pair.action or not pair.quoted else None
        if pair.action and action is None:
            raise Invalid(f"There is no action named {pair.name!r}.", field=FIELD)
        routes.append(Route(to=to, event=None if action else pair.name, action=action))
    return tuple(routes)


def _split(source: str) -> list[tuple[str, int]]:
    """Cut at commas outside of quotes and braces; give each piece with its offset."""
    pieces, start, quote, depth = [], 0, "", 0
    for at, character in enumerate(source):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'" and (depth or not source[start:at].strip()):
            # Outside of braces a quote opens only at an entry's beginning: `user's:+1…` is a plain name.
            quote = character
        elif character in "{}":
            depth = max(0, depth + (1 if character == "{" else -1))
        elif character == "," and not depth:
            pieces.append((source[start:at], start))
            start = at + 1
    if quote and not depth:
        raise Invalid("A quote is not closed.", field=FIELD, position=start, hint=_HINT)
    return [*pieces, (source[start:], start)]


def _read_entry(entry: str, number: int, at: int) -> Pair:
    text = entry.strip()
    quoted = re.match(r"""(action\s*:\s*)?("(?:[^"]|"")*"|'(?:[^']|'')*')\s*:""", text)
    if quoted:
        action, mark = bool(quoted[1]), quoted[2][0]
        name, to = quoted[2][1:-1].replace(mark * 2, mark), text[quoted.end() :].strip()
    else:
        # A number holds no colon, but a template may: the name ends at the last colon before any brace.
        head, brace, template = text.partition("{")
        name, _, to = head.rpartition(":")
        name, to = name.strip(), (to + brace + template).strip()
        action = bool(re.match(r"action\s*:", name))
        name = re.sub(r"^action\s*:\s*", "", name)
    if not name or not to:
        raise Invalid(f"Entry {number} is not an event:number pair.", field=FIELD, position=at, hint=_HINT)
    if "{" not in to and not (_NUMBER.fullmatch(to) and 5 <= sum(map(str.isdigit, to)) <= 15):
        raise Invalid(
            f"Entry {number} ({name!r}) has no phone number after its colon.", field=FIELD, position=at, hint=_HINT
        )
    return Pair(name=name, number=to, action=action, quoted=bool(quoted))
