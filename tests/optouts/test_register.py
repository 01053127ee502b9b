"""The register: who gets no texts from whom, what ends it, and what is kept of it."""

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write, driver_of, end_write
from smspipe.destinations import Keyring
from smspipe.model.errors import Permanent, Temporary
from smspipe.model.phone import E164
from smspipe.optouts import (
    Action,
    Hasher,
    New,
    OptOut,
    Query,
    Source,
    add,
    add_many,
    erase,
    get,
    history_of,
    is_empty,
    list_opt_outs,
    open_hasher,
    opted_out,
    reencrypt,
    remove,
    scope_of,
)
from tests.optouts.conftest import KEY, NOW

ADA, GRACE, DAN = E164("+12025550143"), E164("+12025550172"), E164("+447700900123")
ONE, TWO, SERVICE = "+15005550006", "+15005550007", "MG" + "ab" * 16


def new(number: E164 = ADA, scope: str = ONE, **more: Any) -> New:
    return New(**{"number": number, "source": Source.PERSON, "scope": scope, **more})


def blocked(
    connection: Connection, hasher: Hasher, number: str, senders: Sequence[str] = (ONE, TWO, SERVICE)
) -> set[str]:
    """Name the senders that must not text a number."""
    return {sender for _, sender in opted_out(connection, hasher, [(number, sender) for sender in senders])}


def test_an_opt_out_keeps_one_sender_away_from_one_number(connection: Connection, hasher: Hasher) -> None:
    assert blocked(connection, hasher, ADA) == set()
    assert add(connection, hasher, new(), now=NOW)
    assert blocked(connection, hasher, ADA) == {ONE}
    assert blocked(connection, hasher, GRACE) == set()


def test_an_opt_out_everywhere_keeps_every_sender_away(connection: Connection, hasher: Hasher) -> None:
    add(connection, hasher, new(scope="*"), now=NOW)
    assert blocked(connection, hasher, ADA, (ONE, SERVICE, "ACME", "12345")) == {ONE, SERVICE, "ACME", "12345"}
    assert blocked(connection, hasher, GRACE) == set()


@pytest.mark.parametrize(
    ("kept", "asked"),
    [("MG" + "AB" * 16, "MG" + "ab" * 16), ("Acme News", "ACME NEWS"), (" +15005550006 ", ONE), ("12345", "12345")],
)
def test_two_spellings_of_a_sender_are_one(kept: str, asked: str, connection: Connection, hasher: Hasher) -> None:
    add(connection, hasher, new(scope=kept), now=NOW)
    assert blocked(connection, hasher, ADA, [asked]) == {asked}


def test_a_sender_of_another_channel_keeps_its_address() -> None:
    assert scope_of("whatsapp:+15005550006") == "whatsapp:+15005550006"


def test_a_group_is_asked_in_one_statement(connection: Connection, hasher: Hasher) -> None:
    add_many(connection, hasher, [new(), new(GRACE, "*")], now=NOW)
    seen: list[str] = []
    driver_of(connection).set_trace_callback(seen.append)
    pairs = [(number, sender) for number in (ADA, GRACE, DAN) for sender in (ONE, TWO)]
    found = opted_out(connection, hasher, pairs)
    driver_of(connection).set_trace_callback(None)
    assert found == {(ADA, ONE), (GRACE, ONE), (GRACE, TWO)}
    assert len(seen) == 1


def test_a_register_is_empty_until_something_is_written_down(connection: Connection, hasher: Hasher) -> None:
    assert is_empty(connection)
    add(connection, hasher, new(), now=NOW)
    assert not is_empty(connection)
    erase(connection, hasher(ADA))
    assert not is_empty(connection)
    remove(connection, hasher(ADA), scope=None, source=Source.PERSON, now=NOW)
    assert is_empty(connection)


def test_a_group_of_none_asks_nothing(connection: Connection, hasher: Hasher) -> None:
    assert opted_out(connection, hasher, []) == set()


def test_the_lookup_uses_the_index_alone(connection: Connection, hasher: Hasher) -> None:
    """However large the register is, a claim costs a few steps down one tree."""
    seen: list[str] = []
    driver_of(connection).set_trace_callback(seen.append)
    opted_out(connection, hasher, [(ADA, ONE)])
    driver_of(connection).set_trace_callback(None)
    plan = " ".join(str(row[3]) for row in driver_of(connection).execute("explain query plan " + seen[0]))
    assert "SEARCH opt_outs USING COVERING INDEX" in plan


def test_what_is_written_down_again_stays_as_it_was(connection: Connection, hasher: Hasher) -> None:
    assert add(connection, hasher, new(who="ada", why="asked"), now=NOW)
    assert not add(connection, hasher, new(who="bob", source=Source.IMPORT), now=NOW + timedelta(days=1))
    (kept,) = get(connection, hasher(ADA))
    assert (kept.who, kept.why, kept.since, kept.source) == ("ada", "asked", NOW, Source.PERSON)
    assert len(history_of(connection, hasher(ADA))) == 1


def test_a_group_may_name_one_pair_twice(connection: Connection, hasher: Hasher) -> None:
    assert add_many(connection, hasher, [new(who="first"), new(who="second"), new(GRACE)], now=NOW) == 2
    assert [each.who for each in get(connection, hasher(ADA))] == ["first"]


def test_an_entry_tells_everything_it_was_given(connection: Connection, hasher: Hasher) -> None:
    since = NOW - timedelta(days=900)
    add(connection, hasher, new(service=SERVICE, since=since, who="Ada", why="Called us.", keyword="Stop!"), now=NOW)
    (kept,) = get(connection, hasher(ADA))
    assert kept == OptOut(
        id=1, number_hash=hasher(ADA), number=ADA, scope=ONE, service=SERVICE, since=since, source=Source.PERSON,
        who="Ada", why="Called us.", keyword="Stop!",
    )  # fmt: skip


def test_an_end_is_kept_with_who_and_why(connection: Connection, hasher: Hasher) -> None:
    add_many(connection, hasher, [new(), new(scope="*")], now=NOW)
    later = NOW + timedelta(hours=1)
    ended = remove(
        connection, hasher(ADA), scope=ONE, source=Source.PERSON, who="Bob", why="She wrote a letter.", now=later
    )
    assert [each.scope for each in ended] == [ONE]
    assert [each.scope for each in get(connection, hasher(ADA))] == ["*"]
    last = history_of(connection, hasher(ADA))[-1]
    assert (last.action, last.scope, last.at, last.who, last.why) == (
        Action.OPT_IN, ONE, later, "Bob", "She wrote a letter.",
    )  # fmt: skip


def test_all_opt_outs_of_a_number_can_end_at_once(connection: Connection, hasher: Hasher) -> None:
    add_many(connection, hasher, [new(), new(scope="*"), new(scope=SERVICE), new(GRACE)], now=NOW)
    assert len(remove(connection, hasher(ADA), scope=None, source=Source.PERSON, now=NOW)) == 3
    assert blocked(connection, hasher, ADA) == set()
    assert blocked(connection, hasher, GRACE) == {ONE}
    assert [each.action for each in history_of(connection, hasher(ADA))] == [Action.OPT_OUT] * 3 + [Action.OPT_IN] * 3


def test_the_end_of_what_is_not_there_is_nothing(connection: Connection, hasher: Hasher) -> None:
    assert remove(connection, hasher(ADA), scope=ONE, source=Source.PERSON, now=NOW) == []
    assert history_of(connection, hasher(ADA)) == []


# ---- failing closed --------------------------------------------------------------------------------------------------


def test_a_register_that_cannot_be_read_raises(connection: Connection, hasher: Hasher) -> None:
    connection.execute(text("drop table opt_outs"))
    with pytest.raises((Temporary, Permanent)):
        opted_out(connection, hasher, [(ADA, ONE)])
    with pytest.raises((Temporary, Permanent)):
        is_empty(connection)


def test_a_closed_database_raises(database: Database, connection: Connection, hasher: Hasher) -> None:
    driver = driver_of(connection)
    driver.rollback()
    driver.close()
    with pytest.raises((Temporary, Permanent)) as caught:
        opted_out(connection, hasher, [(ADA, ONE)])
    assert ADA not in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    connection.invalidate()


def test_a_connection_that_was_given_back_raises(connection: Connection, hasher: Hasher) -> None:
    connection.close()
    with pytest.raises((Temporary, Permanent)):
        opted_out(connection, hasher, [(ADA, ONE)])
    with pytest.raises((Temporary, Permanent)):
        add(connection, hasher, new(), now=NOW)


def test_without_its_key_every_question_raises(connection: Connection, hasher: Hasher) -> None:
    stranger = open_hasher(connection, Keyring("x" * 40))
    with pytest.raises(Permanent, match="register of opt-outs"):
        opted_out(connection, stranger, [(ADA, ONE)])
    with pytest.raises(Permanent, match="register of opt-outs"):
        add(connection, stranger, new(), now=NOW)


def test_a_new_key_of_the_installation_finds_the_same_opt_outs(connection: Connection, hasher: Hasher) -> None:
    add(connection, hasher, new(), now=NOW)
    both, alone = Keyring("n" * 40 + "," + KEY), Keyring("n" * 40)
    assert blocked(connection, open_hasher(connection, both), ADA) == {ONE}
    reencrypt(connection, both)
    assert blocked(connection, open_hasher(connection, alone), ADA) == {ONE}


def test_two_installations_hash_a_number_differently(
    database: Database, connection: Connection, hasher: Hasher, tmp_path: Any, keyring: Keyring
) -> None:
    other = open_database(f"sqlite:///{tmp_path}/other.db")
    migrate(other)
    with other.engine.connect() as beside:
        begin_write(beside)
        stranger = open_hasher(beside, keyring)
        end_write(beside)
    other.close()
    assert stranger(ADA) != hasher(ADA)
    assert len(hasher(ADA)) == 64
    assert "***" in repr(hasher)


def test_the_key_lies_encrypted_and_is_made_once(connection: Connection, hasher: Hasher, keyring: Keyring) -> None:
    assert open_hasher(connection, keyring)(ADA) == hasher(ADA)
    (sealed,) = connection.execute(text("select sealed from opt_out_key")).scalars()
    assert keyring.decrypt(sealed).keys() == {"opt_out_key"}


# ---- erasure ---------------------------------------------------------------------------------------------------------


def test_an_erased_number_stays_opted_out_and_is_nowhere_to_be_read(connection: Connection, hasher: Hasher) -> None:
    add_many(
        connection, hasher, [new(why=f"{ADA} called", who="Bob"), new(scope="*", keyword="STOP"), new(GRACE)], now=NOW
    )
    remove(connection, hasher(ADA), scope=ONE, source=Source.PERSON, now=NOW, why=f"{ADA} again")
    add(connection, hasher, new(scope=TWO, why="her wish"), now=NOW)
    assert erase(connection, hasher(ADA)) == 2
    assert blocked(connection, hasher, ADA) == {ONE, TWO, SERVICE}
    assert history_of(connection, hasher(ADA)) == []
    for table in ("opt_outs", "opt_out_history"):
        rows = connection.execute(text(f"select * from {table}")).all()
        assert ADA not in str(rows)
        assert "her wish" not in str(rows)
    assert len(get(connection, hasher(GRACE))) == 1


def test_an_erased_number_can_be_lifted_by_its_hash_and_comes_back_with_its_number(
    connection: Connection, hasher: Hasher
) -> None:
    add(connection, hasher, new(), now=NOW)
    erase(connection, hasher(ADA))
    assert not add(connection, hasher, new(), now=NOW)
    assert [each.number for each in get(connection, hasher(ADA))] == [None]
    remove(connection, hasher(ADA), scope=None, source=Source.PERSON, now=NOW)
    assert add(connection, hasher, new(), now=NOW)
    assert [each.number for each in get(connection, hasher(ADA))] == [ADA]


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_the_list_is_paged_both_ways(connection: Connection, hasher: Hasher) -> None:
    add_many(connection, hasher, [new(E164(f"+1202555010{n}")) for n in range(7)], now=NOW)

    def ids(**place: int) -> list[int]:
        return [each.id for each in list_opt_outs(connection, Query(), limit=3, **place)]

    assert ids() == [7, 6, 5]
    assert ids(older_than=5) == [4, 3, 2]
    assert ids(older_than=2) == [1]
    assert ids(newer_than=4) == [7, 6, 5]
    assert ids(newer_than=1) == [4, 3, 2]
    assert ids(newer_than=0) == [3, 2, 1]


def test_an_id_is_never_given_again(connection: Connection, hasher: Hasher) -> None:
    add(connection, hasher, new(), now=NOW)
    remove(connection, hasher(ADA), scope=None, source=Source.PERSON, now=NOW)
    add(connection, hasher, new(GRACE), now=NOW)
    assert [each.id for each in get(connection, hasher(GRACE))] == [2]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [DAN, GRACE, ADA]),
        ({"scope": SERVICE.replace("a", "A")}, [GRACE]),
        ({"search": "2025550"}, [GRACE, ADA]),
        ({"search": "BOB"}, [DAN]),
        ({"search": "100%"}, [ADA]),
        ({"search": "_"}, []),
        ({"search": "'"}, []),
    ],
    ids=str,
)
def test_filters_choose(query: dict[str, str], expected: list[str], connection: Connection, hasher: Hasher) -> None:
    add_many(connection, hasher, [new(why="100% sure"), new(GRACE, SERVICE, why="1000"), new(DAN, who="bob")], now=NOW)
    found = list_opt_outs(connection, Query(**query), limit=9)
    assert [each.number for each in found] == expected


def test_the_hash_chooses_a_number(connection: Connection, hasher: Hasher) -> None:
    add_many(connection, hasher, [new(), new(GRACE)], now=NOW)
    found = list_opt_outs(connection, Query(number_hash=hasher(ADA)), limit=9)
    assert [each.number for each in found] == [ADA]


@pytest.mark.slow
def test_a_hundred_thousand_are_written_in_seconds_and_again_without_a_trace(
    connection: Connection, hasher: Hasher
) -> None:
    numbers = [E164(f"+1202{n:07d}") for n in range(100_000)]
    chunks = [[new(number, "*") for number in numbers[at : at + 1000]] for at in range(0, len(numbers), 1000)]
    assert sum(add_many(connection, hasher, chunk, now=NOW) for chunk in chunks) == 100_000
    assert sum(add_many(connection, hasher, chunk, now=NOW) for chunk in chunks) == 0
    assert opted_out(connection, hasher, [(numbers[99_999], ONE), (DAN, ONE)]) == {(numbers[99_999], ONE)}


# ---- what always holds -----------------------------------------------------------------------------------------------

NUMBERS, SENDERS = st.sampled_from([ADA, GRACE]), st.sampled_from([ONE, TWO, SERVICE, "*"])


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "erase"]), NUMBERS, SENDERS), max_size=12))
def test_the_register_is_the_set_of_what_began_and_did_not_end(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, E164, str]]
) -> None:
    expected: set[tuple[str, str]] = set()
    database = open_database("sqlite:///:memory:")
    with database.engine.connect() as connection:
        from smspipe.db import metadata

        metadata.create_all(connection)
        hasher = Hasher(b"k" * 32)
        for move, number, scope in moves:
            if move == "add":
                assert add(connection, hasher, new(number, scope), now=NOW) is ((number, scope) not in expected)
                expected.add((number, scope))
            elif move == "remove":
                ended = remove(connection, hasher(number), scope=scope, source=Source.PERSON, now=NOW)
                assert len(ended) == ((number, scope) in expected)
                expected.discard((number, scope))
            else:
                erase(connection, hasher(number))
        pairs = [(number, sender) for number in (ADA, GRACE) for sender in (ONE, TWO, SERVICE)]
        assert opted_out(connection, hasher, pairs) == {
            pair for pair in pairs if pair in expected or (pair[0], "*") in expected
        }
    database.close()
