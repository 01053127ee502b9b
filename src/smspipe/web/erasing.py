"""The door through which a person, or a number, is erased."""

from typing import Any, Final

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from smspipe.model.errors import Invalid
from smspipe.web.problems import PROBLEMS
from smspipe.web.services import Services

MOST_PERSONS: Final = 10
"""A number that more profiles hold than this is hardly that of one person."""
_FIELDS: Final = ("number", "distinct_id", "persons", "dry_run")


class WouldErase(msgspec.Struct, frozen=True, kw_only=True):
    """Who is meant."""

    persons: int
    distinct_ids: list[str]


class ErasedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, in numbers."""

    persons: int
    profiles_changed: int
    """Profiles of others, and groups, that held it among their properties."""
    events: int
    deliveries: int
    in_doubt: int
    """Texts of which it is not known yet whether they were sent: erase again once it is."""
    opt_outs: int
    """Opt-outs that go on counting, of which only a keyed hash is left."""
    file_rewritten: bool
    still_found: bool
    """It still stands in the database: in a destination's own settings, mostly."""


@post("/erase", status_code=200, operation_id="erase_person", responses=PROBLEMS)
async def erase_person(
    services: NamedDependency[Services], data: JSONBody[dict[str, Any]]
) -> WouldErase | ErasedReport:
    """
    Erase a person (`distinct_id`, or the person's id) or a `number` from everything that is kept.

    Of a number the persons whose profile holds it are erased too, unless `persons` is `keep`: then only the properties
    that hold it go. With `dry_run` nothing is changed, and the answer says who is meant.
    """
    for key in data:
        if key not in _FIELDS:
            raise Invalid(f"There is no field {key[:40]!r}.", field=key[:40], hint=f"There are {', '.join(_FIELDS)}.")
    number, who = _read(data, "number"), _read(data, "distinct_id")
    if (number is None) == (who is None):
        raise Invalid("Name either a number or a distinct_id.", field="number")
    keep = data.get("persons", "erase")
    if keep not in ("erase", "keep"):
        raise Invalid('persons must be "erase" or "keep".', field="persons")
    target = await services.eraser.find(None if number is None else services.read_number(number), who)
    if data.get("dry_run", False) is True:
        return WouldErase(persons=len(target.persons), distinct_ids=sorted(target.distinct_ids)[:100])
    if number is not None and keep == "erase" and len(target.persons) > MOST_PERSONS:
        raise Invalid(
            f"{len(target.persons)} profiles hold this number, which is hardly that of one person.",
            field="persons",
            hint='Send "persons": "keep" to take the number alone, or erase each by distinct_id.',
        )
    made = await services.eraser.erase(target, keep_persons=keep == "keep")
    return ErasedReport(**msgspec.structs.asdict(made))


def _read(data: dict[str, Any], field: str) -> str | None:
    given = data.get(field)
    if given is not None and (not isinstance(given, str) or not given.strip()):
        raise Invalid("Not a valid string.", field=field)
    return given


HANDLERS: Final = (erase_person,)
