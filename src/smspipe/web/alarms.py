"""The door to the alarms."""

from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency

from smspipe.deliveries import alarms
from smspipe.deliveries.alarms import Alarm, Kind
from smspipe.model.clock import to_iso
from smspipe.web.problems import PROBLEMS
from smspipe.web.services import Services


class AlarmState(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm."""

    id: int
    kind: Kind
    destination_id: str | None
    """Null for what concerns all."""
    what: str
    raised_at: str
    reminded_at: str
    """When it was last told of while it lasted."""
    resolved_at: str | None
    told: bool
    """The webhook knows of it as it stands, if there is one."""


class AlarmList(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and what was, the newest first."""

    open: list[AlarmState]
    recent: list[AlarmState]


@get("/alarms", sync_to_thread=True, operation_id="list_alarms", responses=PROBLEMS)
def list_alarms(services: NamedDependency[Services]) -> AlarmList:
    """List the alarms that are open, and the last hundred that are over."""
    with services.database.read() as connection:
        return AlarmList(
            open=[_show(each) for each in alarms.list_open(connection)],
            recent=[_show(each) for each in alarms.list_recent(connection)],
        )


def _show(alarm: Alarm) -> AlarmState:
    return AlarmState(
        id=alarm.id,
        kind=alarm.kind,
        destination_id=alarm.destination_id or None,
        what=alarm.what,
        raised_at=to_iso(alarm.raised_at),
        reminded_at=to_iso(alarm.reminded_at),
        resolved_at=None if alarm.resolved_at is None else to_iso(alarm.resolved_at),
        told=alarm.tell_at is None,
    )


HANDLERS: Final = (list_alarms,)
