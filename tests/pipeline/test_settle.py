"""Whatever Twilio says of a text, in whatever order, twice or not at all, leads to the one row that all of it means."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from structlog.testing import capture_logs

from smspipe import destinations, optouts
from smspipe.deliveries import evidence, ledger
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.states import MOVES, Move
from smspipe.destinations import Keyring
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, MessageSid
from smspipe.model.outcome import Reason
from smspipe.pipeline.settle import Heard, hear
from smspipe.receipts import Receipt, read_receipt, receipt_of
from tests.deliveries.conftest import a_delivery, put, row
from tests.pipeline.conftest import HASHER, NOW

SID = MessageSid("SM" + "5" * 32)
OTHER_SID = MessageSid("SM" + "6" * 32)
ACCOUNT = "AC" + "0" * 32
TOLL_FREE = "+18005550006"
WAYS = (("queued", None), ("sending", None), ("sent", None))
ENDS = (("delivered", None), ("undelivered", 30003), ("undelivered", 30008), ("failed", 30008), ("failed", 30410))
OPEN = (Status.PENDING, Status.SENDING, Status.UNCONFIRMED, Status.HELD)


def said(status: str, code: int | None = None, **fields: Any) -> Receipt:
    """Make what a callback says."""
    form = {"MessageSid": SID, "AccountSid": ACCOUNT, "MessageStatus": status} | fields
    return read_receipt(form | ({} if code is None else {"ErrorCode": str(code)}))


def shown(status: str, **fields: Any) -> Receipt:
    """Make what the API shows."""
    return receipt_of({"sid": SID, "account_sid": ACCOUNT, "status": status} | fields)


def tell(connection: Connection, delivery: Delivery, *receipts: Receipt, **given: Any) -> list[Heard]:
    """Have receipts of a delivery heard, one after the other."""
    told: dict[str, Any] = {"attempt": 1, "source": "callback", "now": NOW, "told": True, "hasher": HASHER}
    heard = [hear(connection, receipt, of=delivery.id, **(told | given)) for receipt in receipts]
    assert None not in heard
    return [each for each in heard if each is not None]


def opened(connection: Connection, status: Status = Status.SENDING, **fields: Any) -> Delivery:
    """Write a delivery as it may stand when Twilio says something of it."""
    delivery = a_delivery(status, **({"attempts": 1, "sent_at": NOW} | fields))
    put(connection, delivery)
    return delivery


def end_of(connection: Connection, receipts: Iterable[Receipt], status: Status = Status.SENDING, **fields: Any) -> Any:
    """Hear receipts of a new delivery; give all of its row that the receipts decide."""
    delivery = opened(connection, status, **fields)
    tell(connection, delivery, *receipts)
    found = msgspec.structs.asdict(row(connection, delivery))
    return {name: value for name, value in found.items() if name not in ("id", "event_uuid", "looks")}


# ---- no order leads elsewhere ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("end", "code"), ENDS)
def test_all_orders_of_five_callbacks_doubled_or_with_one_missing_end_in_the_same_row(
    connection: Connection, end: str, code: int | None
) -> None:
    five = [said("accepted"), *(said(*each) for each in WAYS), said(end, code)]
    meant = end_of(connection, five)
    assert meant["status"] is not Status.SENDING
    without_end = end_of(connection, five[:4])
    assert (without_end["status"], without_end["twilio_status"]) == (Status.ACCEPTED, "sent")
    for order in permutations(five):
        assert end_of(connection, order) == meant
        assert end_of(connection, [each for each in order for _ in range(2)]) == meant
        for missing in five:
            rest = [each for each in order if each is not missing]
            assert end_of(connection, rest) == (without_end if missing is five[-1] else meant)


@pytest.mark.parametrize("status", [*OPEN, Status.ACCEPTED])
def test_it_does_not_matter_where_the_delivery_stood_when_the_first_one_came(
    connection: Connection, status: Status
) -> None:
    """Before the request's answer, after it was lost, when a second try waits: what Twilio has, it has."""
    sid = SID if status is Status.ACCEPTED else None
    meant = end_of(connection, [said("sent"), said("delivered")])
    for order in permutations([said("queued"), said("sent"), said("delivered")]):
        assert end_of(connection, order, status, sid=sid) == meant


@given(st.lists(st.sampled_from([*WAYS, *ENDS, ("canceled", None), ("read", None), ("teleported", None)]), max_size=9))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_contradicts_itself_still_ends_the_same_in_every_order(
    connection: Connection, words: list[tuple[str, int | None]]
) -> None:
    if not words:
        return
    receipts = [said(*each) for each in words]
    assert end_of(connection, receipts) == end_of(connection, reversed(receipts)) == end_of(connection, receipts * 2)


@given(st.lists(st.sampled_from([*WAYS, *ENDS]), min_size=1, max_size=8))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_receipt_makes_a_move_that_the_table_does_not_have(
    connection: Connection, words: list[tuple[str, int | None]]
) -> None:
    delivery = opened(connection)
    for word in words:
        before = row(connection, delivery).status
        (heard,) = tell(connection, delivery, said(*word))
        after = row(connection, delivery).status
        if heard.settlement is None:
            assert after is before
        else:
            assert MOVES[before][heard.settlement.move] is after


def test_a_carrier_may_take_its_word_back_and_what_arrived_stays_arrived(connection: Connection) -> None:
    delivery = opened(connection)
    tell(connection, delivery, said("undelivered", 30003))
    assert row(connection, delivery).reason is Reason.UNDELIVERED
    tell(connection, delivery, said("delivered"))
    found = row(connection, delivery)
    assert (found.status, found.reason, found.error_code, found.error_message) == (Status.DELIVERED, None, None, None)
    tell(connection, delivery, said("undelivered", 30003), said("failed", 30008))
    assert row(connection, delivery).status is Status.DELIVERED


def test_the_code_that_says_most_stands_whichever_came_last(connection: Connection) -> None:
    vague, clear = said("undelivered", 30008), said("undelivered", 30005)
    for order in permutations([vague, clear]):
        found = end_of(connection, order)
        assert found["error_code"] == 30005
        assert "30005" in found["error_message"]


def test_every_receipt_is_kept_once_as_it_came(connection: Connection) -> None:
    delivery = opened(connection)
    words = ["sent", "delivered", "sent", "teleported", "delivered"]
    heard = tell(connection, delivery, *map(said, words))
    assert [each.repeated for each in heard] == [False, False, True, False, True]
    kept = evidence.receipts_of(connection, delivery.id)
    assert [each.status for each in kept] == ["sent", "delivered", "teleported"]


def test_a_status_that_nobody_knows_proves_that_twilio_has_the_text_and_no_more(connection: Connection) -> None:
    found = end_of(connection, [said("teleported")], Status.UNCONFIRMED)
    assert (found["status"], found["sid"], found["twilio_status"]) == (Status.ACCEPTED, SID, None)


# ---- whose text it is ------------------------------------------------------------------------------------------------


def test_a_second_text_of_a_delivery_is_told_once_and_moves_nothing(connection: Connection) -> None:
    delivery = opened(connection)
    tell(connection, delivery, said("sent"))
    before = row(connection, delivery)
    with capture_logs() as lines:
        tell(connection, delivery, *(said(word, MessageSid=OTHER_SID) for word in ("sent", "delivered", "delivered")))
    assert row(connection, delivery) == before
    assert [line["event"] for line in lines] == ["second_text"]
    assert lines[0]["log_level"] == "error"
    assert evidence.sids_to(connection, delivery.to or "").keys() == {SID, OTHER_SID}


@pytest.mark.parametrize("status", [Status.SUPPRESSED])
def test_a_report_of_a_text_that_was_never_sent_is_kept_and_told_as_a_contradiction(
    connection: Connection, status: Status
) -> None:
    delivery = opened(connection, status)
    with capture_logs() as lines:
        tell(connection, delivery, said("sent"), said("sent"))
    assert row(connection, delivery) == delivery
    assert [line["event"] for line in lines] == ["receipt_contradicts"]


def test_nothing_is_heard_of_a_delivery_that_does_not_exist(connection: Connection) -> None:
    nobody = DeliveryId("01930000-0000-7000-8000-00000000dead")
    assert hear(connection, said("sent"), of=nobody, attempt=1, source="callback", now=NOW, told=True,
                hasher=HASHER) is None  # fmt: skip
    assert evidence.receipts_of(connection, nobody) == []


def test_what_a_delivery_was_told_is_concluded_from_after_a_restart_too(connection: Connection) -> None:
    """Nothing is kept in memory: a second ear that reads the same database concludes the same."""
    delivery = opened(connection, Status.UNCONFIRMED)
    tell(connection, delivery, said("delivered"))
    assert ledger.lose_sending(connection, NOW, NOW) == 0
    tell(connection, delivery, said("sent"), now=NOW + timedelta(days=1))
    found = row(connection, delivery)
    assert (found.status, found.twilio_status) == (Status.DELIVERED, "delivered")


def test_a_delivery_that_a_dead_process_left_sending_is_accepted_by_its_receipt(connection: Connection) -> None:
    delivery = opened(connection)
    ledger.lose_sending(connection, NOW, NOW)
    assert row(connection, delivery).status is Status.UNCONFIRMED
    tell(connection, delivery, said("queued"))
    found = row(connection, delivery)
    assert (found.status, found.sid, found.reason, found.error_message) == (Status.ACCEPTED, SID, None, None)


def test_an_answer_that_a_receipt_overtook_changes_nothing_any_more(connection: Connection) -> None:
    delivery = opened(connection)
    tell(connection, delivery, said("delivered"))
    before = row(connection, delivery)
    answers = [
        Settlement(delivery=delivery, move=move, at=NOW + timedelta(seconds=1), sid=SID)
        for move in (Move.ACCEPT, Move.LOSE, Move.RETRY, Move.FAIL, Move.HOLD, Move.SUPPRESS)
    ]
    assert ledger.settle(connection, answers) == 0
    assert row(connection, delivery) == before


# ---- what else a report means ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "sender", "learnt"),
    [
        (30004, TOLL_FREE, True),
        (30004, "+15005550006", False),
        (21610, "+15005550006", True),
        (30003, TOLL_FREE, False),
    ],
)
def test_an_opt_out_is_learnt_from_the_codes_that_prove_one(
    connection: Connection, code: int, sender: str, learnt: bool
) -> None:
    delivery = opened(connection, sender=sender)
    tell(connection, delivery, said("undelivered", code))
    out = optouts.opted_out(connection, HASHER, [(delivery.to or "", sender)])
    assert bool(out) is learnt
    assert (row(connection, delivery).reason is Reason.OPTED_OUT) is learnt


def test_an_opt_out_learnt_through_a_messaging_service_is_that_of_the_sender_it_chose(connection: Connection) -> None:
    service = "MG" + "1" * 32
    delivery = opened(connection, sender=service)
    tell(connection, delivery, said("undelivered", 30004, From=TOLL_FREE, MessagingServiceSid=service))
    pairs = [(delivery.to or "", sender) for sender in (TOLL_FREE, service)]
    assert optouts.opted_out(connection, HASHER, pairs) == set(pairs)


@pytest.mark.parametrize(("code", "paused"), [(30002, True), (30034, True), (30003, False), (30008, False)])
def test_a_code_that_nothing_gets_past_pauses_the_destination(connection: Connection, code: int, paused: bool) -> None:
    made = destinations.registry.create(connection, document(), keyring=KEYRING, now=NOW)
    delivery = opened(connection, destination_id=made.id)
    first, again = tell(connection, delivery, said("undelivered", code), said("undelivered", code))
    assert (first.paused == made.id) is paused
    assert again.paused is None
    (found,) = destinations.load_all(connection, KEYRING)
    assert (found.paused is not None) is paused


KEYRING = Keyring("k" * 32)


def document() -> dict[str, Any]:
    """Write a destination in PostHog's shape."""
    inputs = {"accountSid": ACCOUNT, "authToken": "t" * 32, "fromPhoneNumber": "+15005550006", "smsBody": "Hi"}
    return {"name": "shop", "template_id": "template-twilio", "enabled": True,
            "inputs": {key: {"value": value} for key, value in inputs.items()}}  # fmt: skip


# ---- what it costs ---------------------------------------------------------------------------------------------------


def test_the_price_and_the_billed_segments_are_learnt_when_they_come(connection: Connection) -> None:
    delivery = opened(connection)
    tell(connection, delivery, said("delivered"))
    assert row(connection, delivery).ask_at == NOW + timedelta(minutes=5)
    full = shown("delivered", price="-0.01580", price_unit="USD", num_segments="2")
    (heard,) = tell(connection, delivery, full, source="fetch")
    found = row(connection, delivery)
    assert heard.settlement is None
    assert (found.price, found.price_unit, found.billed_segments) == ("0.01580", "USD", 2)
    assert found.ask_at is None, "there is nothing more to learn"


def test_a_price_is_corrected_upwards_alone(connection: Connection) -> None:
    delivery = opened(connection)
    for price, known in [("-0.0079", "0.0079"), ("-0.0158", "0.0158"), ("-0.0079", "0.0158"), (None, "0.0158")]:
        tell(connection, delivery, shown("delivered", price=price, price_unit="USD"), source="fetch")
        assert row(connection, delivery).price == known


def test_what_is_on_its_way_is_asked_about_later_where_reports_are_asked_for(connection: Connection) -> None:
    asked = {}
    for told in (True, False):
        delivery = opened(connection)
        tell(connection, delivery, said("queued"), told=told)
        asked[told] = row(connection, delivery).ask_at
    assert asked == {True: NOW + timedelta(minutes=15), False: NOW + timedelta(seconds=5)}
