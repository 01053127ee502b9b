"""The log: what was accepted stays, in order, and is found again."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from smspipe import eventlog
from smspipe.model.event import Door
from smspipe.model.ids import EventUuid
from tests.eventlog.conftest import NOW, a_request

READER = "fanout"
EVERYTHING = 10**9
UUID = EventUuid("01930000-0000-7000-8000-000000000001")


def test_positions_begin_at_one_and_grow_by_one(connection: Connection) -> None:
    assert eventlog.last_position(connection) == 0
    assert eventlog.append(connection, [a_request(1), a_request(2), a_request(3)]) == 1
    assert eventlog.append(connection, [a_request(4)]) == 4
    assert eventlog.last_position(connection) == 4


@pytest.mark.parametrize("door", Door)
def test_a_request_comes_back_as_it_was_appended(connection: Connection, door: Door) -> None:
    full = a_request(1, door=door, body=b"\x00\xff" * 3, sent_at=NOW - timedelta(microseconds=1), ip="2001:db8::1")
    bare = a_request(2, door=door, body=b"")
    eventlog.append(connection, [full, bare])
    assert eventlog.read_after(connection, 0, EVERYTHING) == [(1, full), (2, bare)]


def test_reading_goes_on_behind_a_position_in_order(connection: Connection) -> None:
    requests = [a_request(nth) for nth in range(40)]
    eventlog.append(connection, requests)
    assert eventlog.read_after(connection, 37, EVERYTHING) == [
        (38, requests[37]),
        (39, requests[38]),
        (40, requests[39]),
    ]
    assert eventlog.read_after(connection, 40, EVERYTHING) == []


@pytest.mark.parametrize(("limit_bytes", "n"), [(0, 1), (99, 1), (100, 1), (199, 1), (200, 2), (399, 3), (400, 4)])
def test_a_read_is_bounded_in_bytes_and_gives_one_request_at_least(
    connection: Connection, limit_bytes: int, n: int
) -> None:
    eventlog.append(connection, [a_request(nth, body=b"x" * 100) for nth in range(4)])
    assert len(eventlog.read_after(connection, 0, limit_bytes)) == n


def test_a_log_longer_than_one_read_is_read_whole_in_several(connection: Connection) -> None:
    eventlog.append(connection, [a_request(nth) for nth in range(4500)])
    seen, position = 0, 0
    while found := eventlog.read_after(connection, position, EVERYTHING):
        assert [at for at, _ in found] == list(range(position + 1, position + 1 + len(found)))
        seen, position = seen + len(found), found[-1][0]
    assert seen == 4500


def test_a_reader_that_has_not_begun_stands_before_everything(connection: Connection) -> None:
    eventlog.append(connection, [a_request(), a_request()])
    assert eventlog.position_of(connection, READER) == 0
    assert eventlog.backlog(connection, READER) == 2


def test_each_reader_has_a_cursor_of_its_own(connection: Connection) -> None:
    eventlog.append(connection, [a_request(nth) for nth in range(5)])
    for position in (1, 2, 4):
        eventlog.move_cursor(connection, READER, position)
    eventlog.move_cursor(connection, "another", 1)
    assert eventlog.position_of(connection, READER) == 4
    assert eventlog.backlog(connection, READER) == 1
    assert eventlog.backlog(connection, "another") == 4


def test_an_event_is_found_in_every_request_that_brought_it_oldest_first(connection: Connection) -> None:
    requests = [a_request(nth) for nth in range(3)]
    eventlog.append(connection, requests)
    other = EventUuid("01930000-0000-7000-8000-000000000002")
    eventlog.remember(connection, [(UUID, 3), (other, 2), (UUID, 1), (UUID, 1)])
    assert eventlog.find(connection, UUID) == [(1, requests[0]), (3, requests[2])]
    assert eventlog.find(connection, other) == [(2, requests[1])]
    assert eventlog.find(connection, EventUuid("01930000-0000-7000-8000-000000000003")) == []


def test_the_same_place_may_be_remembered_again(connection: Connection) -> None:
    """A group that is decided on again after a crash remembers its events again."""
    eventlog.append(connection, [a_request()])
    for _ in range(2):
        eventlog.remember(connection, [(UUID, 1)])
    assert len(eventlog.find(connection, UUID)) == 1


@pytest.mark.parametrize(
    "uuid",
    [
        "ffffffff-ffff-4fff-bfff-ffffffffffff",
        "00000000-0000-0000-0000-000000000000",
        "80000000-0000-4000-8000-000000000000",
    ],
)
def test_an_event_is_found_whatever_the_bits_of_its_uuid(connection: Connection, uuid: str) -> None:
    eventlog.append(connection, [a_request()])
    eventlog.remember(connection, [(EventUuid(uuid), 1)])
    assert len(eventlog.find(connection, EventUuid(uuid))) == 1


@pytest.mark.parametrize(
    "typed", ["", "not a uuid", "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz", "ключ", "-" * 36, "1" * 99]
)
def test_what_is_no_uuid_is_that_of_no_event(connection: Connection, typed: str) -> None:
    eventlog.append(connection, [a_request()])
    eventlog.remember(connection, [(UUID, 1)])
    assert eventlog.find(connection, EventUuid(typed)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.uuids(version=4), unique=True, min_size=2, max_size=50))
def test_events_are_told_apart(connection: Connection, uuids: list[object]) -> None:
    """Each of many ids leads to its own request and to no other."""
    first = eventlog.append(connection, [a_request(nth) for nth, _ in enumerate(uuids)])
    ids = [EventUuid(str(uuid)) for uuid in uuids]
    eventlog.remember(connection, [(uuid, first + nth) for nth, uuid in enumerate(ids)])
    for nth, uuid in enumerate(ids):
        assert (first + nth, a_request(nth)) in eventlog.find(connection, uuid)
