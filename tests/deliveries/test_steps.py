"""Steps come out of the ledger as they went in, and take little room there."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from smspipe.deliveries.steps import pack, unpack
from smspipe.model.outcome import Reason, Step
from tests.deliveries.conftest import a_delivery, put, row

STEPS = st.builds(
    Step,
    name=st.text(),
    ok=st.booleans(),
    saw=st.text(),
    reason=st.none() | st.sampled_from(Reason),
    data=st.none() | st.dictionaries(st.text(), st.integers() | st.text()),
)


@given(st.lists(STEPS).map(tuple))
def test_steps_are_read_as_they_were_written(steps: tuple[Step, ...]) -> None:
    assert unpack(msgspec.json.decode(pack(steps))) == steps


@given(st.lists(STEPS).map(tuple))
def test_steps_that_were_written_out_are_read_as_well(steps: tuple[Step, ...]) -> None:
    assert unpack(msgspec.json.decode(msgspec.json.encode(steps))) == steps


@pytest.mark.parametrize("stored", [None, [], ()])
def test_no_steps_are_none(stored: object) -> None:
    assert unpack(stored) == ()  # type: ignore[arg-type]  # as a column has it


def test_a_delivery_keeps_its_steps(connection: Connection) -> None:
    steps = (
        Step(name="match", ok=True),
        Step(name="recipient", ok=True, saw="+15•••••••09"),
        Step(name="quiet_hours", ok=True, saw="It is night there.", reason=Reason.QUIET_HOURS),
        Step(name="cooldown", ok=False, saw="Too early.", reason=Reason.COOLDOWN),
    )
    delivery = a_delivery(steps=steps)
    put(connection, delivery)
    assert row(connection, delivery).steps == steps


def test_the_steps_of_a_text_take_less_than_half_a_page_line() -> None:
    names = ("match", "opted_out", "duplicate", "age", "cooldown", "velocity")
    told = (("recipient", "+15•••••••09"), ("body", "33 characters, GSM-7, 1 segment."), ("country", "US"))
    steps = [*(Step(name=name, ok=True) for name in names), *(Step(name=name, ok=True, saw=saw) for name, saw in told)]
    assert len(pack(steps)) < len(msgspec.json.encode(steps)) / 2
