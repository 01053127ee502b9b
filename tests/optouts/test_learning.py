"""What incoming texts and Twilio's refusals do to the register."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from smspipe.db import metadata, open_database
from smspipe.model.phone import E164
from smspipe.optouts import (
    Action,
    Applied,
    Family,
    Hasher,
    Inbound,
    Keyword,
    New,
    Source,
    add,
    apply_keyword,
    erase,
    get,
    history_of,
    learn,
    opted_out,
)
from tests.optouts.conftest import NOW

ADA = E164("+12025550143")
ONE, TWO, THREE, TOLL_FREE = "+15005550006", "+15005550007", "+15005550008", "+18885550100"
SERVICE, OTHER = "MG" + "ab" * 16, "MG" + "cd" * 16
SENDERS = (ONE, TWO, THREE, TOLL_FREE, SERVICE, OTHER)


def hear(
    connection: Connection, hasher: Hasher, word: str, sender: str = ONE, service: str | None = None, sid: str = "SM1"
) -> Applied:
    """Let somebody text a word to one of our numbers."""
    family = {"YES": Family.START}.get(word, Family.__members__.get(word, Family.STOP))
    keyword = Keyword(family=family, word=word)
    inbound = Inbound(number=ADA, sender=sender, service=service, message_sid=sid, keyword=keyword)
    return apply_keyword(connection, hasher, inbound, now=NOW)


def blocked(connection: Connection, hasher: Hasher) -> set[str]:
    return {sender for _, sender in opted_out(connection, hasher, [(ADA, sender) for sender in SENDERS])}


def test_a_stop_counts_for_the_number_it_was_sent_to(connection: Connection, hasher: Hasher) -> None:
    assert hear(connection, hasher, "STOP").begun == 1
    assert blocked(connection, hasher) == {ONE}
    (kept,) = get(connection, hasher(ADA))
    assert (kept.source, kept.keyword, kept.who) == (Source.KEYWORD, "STOP", None)


def test_a_stop_to_a_number_of_a_service_counts_for_the_service(connection: Connection, hasher: Hasher) -> None:
    assert hear(connection, hasher, "STOP", ONE, SERVICE).begun == 2
    assert blocked(connection, hasher) == {ONE, SERVICE}


def test_a_start_to_any_number_of_the_service_ends_it(connection: Connection, hasher: Hasher) -> None:
    hear(connection, hasher, "STOP", ONE, SERVICE)
    assert {each.scope for each in hear(connection, hasher, "START", TWO, SERVICE, "SM2").ended} == {ONE, SERVICE}
    assert blocked(connection, hasher) == set()


def test_a_start_elsewhere_ends_nothing(connection: Connection, hasher: Hasher) -> None:
    hear(connection, hasher, "STOP", ONE, SERVICE)
    hear(connection, hasher, "STOP", THREE, None, "SM2")
    assert hear(connection, hasher, "START", TWO, None, "SM3").ended == ()
    assert hear(connection, hasher, "START", TWO, OTHER, "SM4").ended == ()
    assert blocked(connection, hasher) == {ONE, SERVICE, THREE}


def test_a_start_leaves_an_opt_out_everywhere(connection: Connection, hasher: Hasher) -> None:
    add(connection, hasher, New(number=ADA, source=Source.PERSON), now=NOW)
    assert hear(connection, hasher, "START", ONE, SERVICE).ended == ()
    assert blocked(connection, hasher) == set(SENDERS)


def test_a_number_that_joined_a_service_later_is_ended_through_it(connection: Connection, hasher: Hasher) -> None:
    hear(connection, hasher, "STOP", ONE)
    hear(connection, hasher, "STOP", ONE, SERVICE, "SM2")
    hear(connection, hasher, "START", TWO, SERVICE, "SM3")
    assert blocked(connection, hasher) == set()


def test_a_webhook_that_comes_again_does_nothing(connection: Connection, hasher: Hasher) -> None:
    """Not even after the opposite was said: a late copy of a STOP must not undo a START, nor the other way round."""
    hear(connection, hasher, "STOP", ONE, SERVICE, "SM1")
    hear(connection, hasher, "START", ONE, SERVICE, "SM2")
    assert hear(connection, hasher, "STOP", ONE, SERVICE, "SM1") == Applied(repeated=True)
    assert blocked(connection, hasher) == set()
    hear(connection, hasher, "STOP", ONE, SERVICE, "SM3")
    assert hear(connection, hasher, "START", ONE, SERVICE, "SM2").repeated
    assert blocked(connection, hasher) == {ONE, SERVICE}


def test_a_start_that_ended_nothing_is_remembered_as_well(connection: Connection, hasher: Hasher) -> None:
    hear(connection, hasher, "START", ONE, None, "SM1")
    hear(connection, hasher, "STOP", ONE, None, "SM2")
    assert hear(connection, hasher, "START", ONE, None, "SM1").repeated
    assert blocked(connection, hasher) == {ONE}


def test_the_history_tells_every_keyword(connection: Connection, hasher: Hasher) -> None:
    for at, word in enumerate(("STOP", "QUIT", "START", "YES", "STOP")):
        hear(connection, hasher, word, sid=f"SM{at}")
    told = history_of(connection, hasher(ADA))
    assert [(each.action, each.keyword, each.message_sid) for each in told] == [
        (Action.OPT_OUT, "STOP", "SM0"), (Action.OPT_OUT, "QUIT", "SM1"), (Action.OPT_IN, "START", "SM2"),
        (Action.OPT_IN, "YES", "SM3"), (Action.OPT_OUT, "STOP", "SM4"),
    ]  # fmt: skip


def test_the_last_keyword_is_kept_and_the_first_instant(connection: Connection, hasher: Hasher) -> None:
    hear(connection, hasher, "STOP")
    hear(connection, hasher, "QUIT", sid="SM2")
    (kept,) = get(connection, hasher(ADA))
    assert (kept.keyword, kept.since) == ("QUIT", NOW)


def test_help_changes_nothing(connection: Connection, hasher: Hasher) -> None:
    hear(connection, hasher, "STOP")
    assert hear(connection, hasher, "HELP", sid="SM2") == Applied()
    assert blocked(connection, hasher) == {ONE}


def test_a_stop_of_an_erased_number_does_not_bring_the_number_back(connection: Connection, hasher: Hasher) -> None:
    hear(connection, hasher, "STOP")
    erase(connection, hasher(ADA))
    hear(connection, hasher, "STOP", sid="SM2")
    assert [each.number for each in get(connection, hasher(ADA))] == [None]
    assert blocked(connection, hasher) == {ONE}


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "sender", "service", "expected"),
    [
        (21610, ONE, None, {ONE}),
        (21610, SERVICE, None, {SERVICE}),
        (21610, ONE, SERVICE, {ONE, SERVICE}),
        (30004, TOLL_FREE, None, {TOLL_FREE}),
        (30004, TOLL_FREE, SERVICE, {TOLL_FREE, SERVICE}),
        (30004, ONE, None, set()),
        (30004, SERVICE, None, set()),
        (30003, TOLL_FREE, None, set()),
        (21614, ONE, None, set()),
    ],
)
def test_only_the_codes_that_tell_of_an_opt_out_are_learnt(
    code: int, sender: str, service: str | None, expected: set[str], connection: Connection, hasher: Hasher
) -> None:
    def again() -> bool:
        return learn(connection, hasher, number=ADA, sender=sender, service=service, code=code, now=NOW)

    assert again() is bool(expected)
    assert blocked(connection, hasher) == expected
    assert not again()


@pytest.mark.parametrize(
    ("code", "source"), [(21610, Source.TWILIO_21610), (30004, Source.CARRIER_30004)], ids=["21610", "30004"]
)
def test_what_was_learnt_says_from_which_code(
    code: int, source: Source, connection: Connection, hasher: Hasher
) -> None:
    learn(connection, hasher, number=ADA, sender=TOLL_FREE, code=code, now=NOW)
    assert [each.source for each in get(connection, hasher(ADA))] == [source]
    assert [each.source for each in history_of(connection, hasher(ADA))] == [source]


def test_a_start_ends_what_was_learnt(connection: Connection, hasher: Hasher) -> None:
    learn(connection, hasher, number=ADA, sender=SERVICE, code=21610, now=NOW)
    hear(connection, hasher, "START", ONE, SERVICE)
    assert blocked(connection, hasher) == set()


# ---- what always holds -----------------------------------------------------------------------------------------------

TEXTS = st.tuples(st.sampled_from(["STOP", "START"]), st.sampled_from([(ONE, SERVICE), (TWO, SERVICE), (THREE, None)]))


@given(st.lists(TEXTS, max_size=8), st.data())
def test_after_the_last_stop_nothing_leaves_whatever_is_repeated(texts: list[Any], data: st.DataObject) -> None:
    """Every text may be delivered again, at any later time."""
    database = open_database("sqlite:///:memory:")
    with database.engine.connect() as connection:
        metadata.create_all(connection)
        hasher = Hasher(b"k" * 32)
        last: dict[str, str] = {}
        for at, (word, (sender, service)) in enumerate(texts):
            hear(connection, hasher, word, sender, service, f"SM{at}")
            last[service or sender] = word
            again = data.draw(st.integers(0, at))
            word, (sender, service) = texts[again]
            assert hear(connection, hasher, word, sender, service, f"SM{again}").repeated
        stopped = {unit for unit, word in last.items() if word == "STOP"}
        assert blocked(connection, hasher) & {SERVICE, THREE} == stopped
        # What is opted out of through the service holds for its numbers by themselves only while it holds for it.
        assert SERVICE in stopped or not blocked(connection, hasher) & {ONE, TWO}
    database.close()
