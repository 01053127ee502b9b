"""Doors that stop everything, and let it go on."""

from typing import Any, Final

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.pipeline.halt import Held
from smspipe.web.problems import PROBLEMS
from smspipe.web.services import Services

_LONGEST: Final = 500
_NEEDS_WORD: Final = 'Write {"held": "send"}, "drop" or "keep": what becomes of the texts that were held.'


class StoppedState(msgspec.Struct, frozen=True, kw_only=True):
    """Since when everything is stopped, who did it and why."""

    at: str
    why: str
    by: str


class ResumedState(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the texts that were held."""

    was_stopped: bool
    sent: int
    """Let go: they leave at their senders' pace, but for those that are too old by now."""
    dropped: int
    kept: int
    """Still held; another resume decides on them."""


@post("/stop", status_code=200, operation_id="stop_everything", responses=PROBLEMS)
async def stop_everything(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> StoppedState:
    """
    Stop everything: once this is answered no text leaves any more, until somebody resumes.

    Events are taken and decided on; the texts that come to be due are held. A stop that is there already is told.
    """
    _refuse_others(data, ("why", "by"))
    made = await services.halt.stop(_read(data, "why", ""), _read(data, "by", "api"))
    return StoppedState(at=to_iso(made.at), why=made.why, by=made.by)


@post("/resume", status_code=200, operation_id="resume_everything", responses=PROBLEMS)
async def resume_everything(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> ResumedState:
    """End the stop, with a word on the texts that were held: `send`, `drop` or `keep` them."""
    _refuse_others(data, ("held",))
    word = data.get("held")
    if word not in list(Held):
        raise Invalid("This field is required." if word is None else f"There is no word {str(word)[:40]!r}.",
                      field="held", hint=_NEEDS_WORD)  # fmt: skip
    made = await services.halt.resume(Held(word))
    services.wake()
    return ResumedState(was_stopped=made.was_stopped, sent=made.sent, dropped=made.dropped, kept=made.kept)


def _refuse_others(data: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in data:
        if key not in known:
            raise Invalid(f"There is no field {key[:40]!r}.", field=key[:40], hint=f"There are {', '.join(known)}.")


def _read(data: dict[str, Any], field: str, default: str) -> str:
    given = data.get(field)
    if given is None:
        return default
    if not isinstance(given, str):
        raise Invalid("Not a valid string.", field=field)
    if len(given) > _LONGEST:
        raise Invalid(f"Ensure this field has no more than {_LONGEST} characters.", field=field)
    return given


HANDLERS: Final = (stop_everything, resume_everything)
