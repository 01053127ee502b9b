"""A text in doubt is settled by what Twilio's list shows or proves, never by a guess, whatever the clocks do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from smspipe import destinations
from smspipe.db import Database, Writer, migrate, open_database
from smspipe.db.engine import begin_write, end_write
from smspipe.deliveries import evidence, ledger, queries
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.states import Move
from smspipe.destinations import Keyring
from smspipe.model.delivery import Delivery, Status
from smspipe.model.destination import Account, Secret
from smspipe.model.ids import DeliveryId, DestinationId, MessageSid, uuid7
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason
from smspipe.model.phone import E164
from smspipe.pipeline.settle import Heard
from smspipe.pipeline.sweep import SETTLING, Sweep
from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox, keep_drop
from smspipe.sending import Accepted, Client, build_request
from tests.deliveries.conftest import a_delivery
from tests.pipeline.conftest import HASHER
from tests.support.serving import serve

PATIENCE_SECONDS = 10.0
SENDER = "+15005550006"
PHONE = "+14155550123"
BODY = "Order 1001 is on its way."
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
SECRET = "k" * 40
ACCOUNT = Account(sid=DEMO_ACCOUNT_SID, username=DEMO_ACCOUNT_SID, password=Secret(DEMO_AUTH_TOKEN))


class Office:
    """A sweep with clocks that a test sets, a ledger, and the sandbox that it asks."""

    def __init__(self, client: Client, database: Database, writer: Writer, http: aiohttp.ClientSession, url: str):
        self.client = client
        self.http = http
        self.url = url
        self.database = database
        self.writer = writer
        self.keyring = Keyring(SECRET)
        self.wall = timedelta()
        """How far the clock on the wall is set forward."""
        self.passed = 0.0
        """Seconds that have passed beside those of the test itself."""
        self.heard: list[Heard] = []
        self.moved: list[Settlement] = []
        self.mended = 0
        self.busy = False
        """Texts are leaving."""
        self.sweep = self._sweep()

    def _sweep(self) -> Sweep:
        return Sweep(
            client=self.client,
            writer=self.writer,
            keyring=self.keyring,
            clock=self.now,
            monotonic=lambda: time.monotonic() + self.passed,
            told=False,
            hasher=HASHER,
            heard=self.heard.append,
            moved=self.moved.append,
            mended=self._mend,
            busy=lambda: self.busy,
        )

    def _mend(self) -> None:
        self.mended += 1

    async def restart(self) -> None:
        """Let another process take over: it knows nothing but the ledger."""
        await self.sweep.stop()
        self.sweep = self._sweep()

    def now(self) -> datetime:
        """Read the clock on the wall."""
        return datetime.now(UTC) + self.wall

    def wait(self, span: timedelta) -> None:
        """Let time pass by every clock but Twilio's."""
        self.wall += span
        self.passed += span.total_seconds()

    def do(self, job: Callable[[Connection], Any]) -> Any:
        """Do something in a transaction that writes, beside the writer's own."""
        with self.database.engine.connect() as connection:
            begin_write(connection)
            result = job(connection)
            end_write(connection)
        return result

    def destination(self, token: str = DEMO_AUTH_TOKEN, **options: Any) -> DestinationId:
        """Make a destination."""
        inputs = {"accountSid": DEMO_ACCOUNT_SID, "authToken": token, "fromPhoneNumber": SENDER, "smsBody": BODY}
        body = {"name": "shop", "template_id": "template-twilio", "enabled": True, "smspipe": options,
                "inputs": {key: {"value": value} for key, value in inputs.items()}}  # fmt: skip
        made = self.do(lambda c: destinations.registry.create(c, body, keyring=self.keyring, now=self.now()))
        return DestinationId(made.id)

    def lose(self, status: Status = Status.UNCONFIRMED, **fields: Any) -> Delivery:
        """Write down a delivery whose answer was lost just now."""
        now = self.now()
        fields = {"to": PHONE, "sender": SENDER, "body": BODY, "created_at": now, "sent_at": now, "settled_at": now,
                  "attempts": 1, "not_before": None, "expires_at": now + HOUR, "id": DeliveryId(uuid7(now)),
                  "reason": Reason.UNCONFIRMED} | fields  # fmt: skip
        lost = a_delivery(status, **({"destination_id": self.destination()} | fields))

        def job(connection: Connection) -> None:
            ledger.open_deliveries(connection, [lost])
            evidence.ask_later(connection, [(lost.id, now, 0)])

        self.do(job)
        return lost

    async def send(self, to: str = PHONE, body: str = BODY) -> MessageSid:
        """Have Twilio take a text."""
        message = Message(to=E164(to), sender=SENDER, body=body, encoding=Encoding.GSM_7, segments=1)
        answer = await self.client.send(build_request(message, ACCOUNT))
        assert isinstance(answer, Accepted)
        return answer.sid

    async def order(self, **rule: Any) -> None:
        """Put a fault of the sandbox in force."""
        async with self.http.post(self.url + "/faults", json=[rule]) as answered:
            answered.raise_for_status()

    async def mend(self) -> None:
        """Take the faults away."""
        async with self.http.delete(self.url + "/faults") as answered:
            answered.raise_for_status()

    async def drain(self) -> None:
        """Wait until every text has reached its end at Twilio."""
        async with self.http.post(self.url + "/drain") as answered:
            answered.raise_for_status()

    def row(self, delivery: Delivery) -> Delivery:
        """Read a delivery."""
        found = self._read(delivery)
        assert isinstance(found, Delivery)
        return found

    def _read(self, delivery: Delivery) -> Delivery | None:
        with self.database.read() as connection:
            return queries.get(connection, delivery.id)

    async def look(self, delivery: Delivery) -> Delivery:
        """Let its time to be asked about come, wait until it was asked about, and give it as it is then."""
        before = self.row(delivery)
        self.do(lambda connection: evidence.ask_later(connection, [(delivery.id, self.now(), before.looks)]))
        asked = msgspec.structs.replace(before, ask_at=None)
        self.sweep._look()  # a timer would ring by the clock that the test has left behind
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                await asyncio.sleep(0.005)
                after = self.row(delivery)
                if msgspec.structs.replace(after, ask_at=None) != asked and not (
                    self.sweep._asking or self.sweep._looking
                ):
                    return after


@asynccontextmanager
async def office_at(folder: Path, url: str) -> AsyncIterator[Office]:
    database = open_database(f"sqlite:///{folder}/smspipe.db")
    migrate(database)
    writer = Writer(database, asyncio.get_running_loop().call_soon_threadsafe)
    writer.start()
    async with Client(url) as client, aiohttp.ClientSession() as http:
        office = Office(client, database, writer, http, url)
        yield office
        await office.sweep.stop()
    writer.stop()
    database.close()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    sandbox = Sandbox(account_sid=DEMO_ACCOUNT_SID, auth_token=DEMO_AUTH_TOKEN, prefix="/sandbox", step_seconds=0)
    async with serve(keep_drop(sandbox)) as url, office_at(tmp_path, url + "/sandbox") as office:
        yield office
    await sandbox.close()


# ---- what the list shows ---------------------------------------------------------------------------------------------


async def test_a_text_that_the_list_shows_is_taken_for_what_it_is(office: Office) -> None:
    lost = office.lose()
    sid = await office.send()
    await office.drain()
    found = await office.look(lost)
    assert (found.status, found.sid, found.reason, found.error_message) == (Status.DELIVERED, sid, None, None)
    assert found.price is not None
    assert [each.settlement is not None for each in office.heard] == [True]


async def test_absence_proves_nothing_before_the_settling_time(office: Office) -> None:
    lost = office.lose()
    for _ in range(3):
        found = await office.look(lost)
        assert (found.status, found.reason) == (Status.UNCONFIRMED, Reason.UNCONFIRMED)
        office.wait(SETTLING / 3 - SECOND)
    assert found.looks == 3
    assert found.ask_at is not None
    assert found.ask_at > office.now() - SETTLING


async def test_a_text_that_turns_up_late_is_found_and_not_sent_again(office: Office) -> None:
    lost = office.lose()
    await office.look(lost)
    office.wait(SETTLING / 2)
    sid = await office.send()
    found = await office.look(lost)
    assert found.sid == sid
    assert found.status in (Status.ACCEPTED, Status.DELIVERED)


async def test_absence_after_the_settling_time_lets_the_text_be_sent(office: Office) -> None:
    lost = office.lose()
    await office.look(lost)
    office.wait(SETTLING + SECOND)
    found = await office.look(lost)
    assert (found.status, found.reason, found.sid) == (Status.PENDING, None, None)
    assert found.not_before is not None
    assert found.not_before <= office.now()
    assert found.ask_at is None
    assert len(office.moved) == 1


async def test_absence_after_the_settling_time_is_held_where_the_destination_wishes_so(office: Office) -> None:
    lost = office.lose(destination_id=office.destination(unconfirmed="hold"))
    await office.look(lost)
    office.wait(SETTLING + SECOND)
    found = await office.look(lost)
    assert (found.status, found.reason) == (Status.HELD, Reason.UNCONFIRMED)
    assert found.error_message is not None
    assert "never took the text" in found.error_message


async def test_what_twilio_never_took_and_is_no_longer_news_fails(office: Office) -> None:
    lost = office.lose(expires_at=office.now() + SETTLING)
    await office.look(lost)
    office.wait(SETTLING + SECOND)
    found = await office.look(lost)
    assert (found.status, found.reason) == (Status.FAILED, Reason.TOO_OLD)


async def test_a_text_of_another_delivery_is_not_taken_for_the_lost_one(office: Office) -> None:
    lost = office.lose()
    sid = await office.send()
    office.lose(Status.ACCEPTED, sid=sid)
    found = await office.look(lost)
    assert found.status is Status.UNCONFIRMED


async def test_a_text_of_the_same_words_whose_time_does_not_fit_is_left_to_a_person(office: Office) -> None:
    """Our clock was an hour ahead when it was sent, or it is somebody else's: nobody can say."""
    await office.send()
    lost = office.lose(sent_at=office.now() + HOUR, settled_at=office.now() + HOUR)
    found = await office.look(lost)
    assert (found.status, found.reason) == (Status.HELD, Reason.UNCONFIRMED)
    assert found.error_message is not None
    assert "its time does not fit" in found.error_message


async def test_two_texts_that_look_the_same_are_told_of_and_the_first_is_ours(office: Office) -> None:
    lost = office.lose()
    first, second = await office.send(), await office.send()
    with capture_logs() as lines:
        found = await office.look(lost)
    assert found.sid in (first, second)
    (line,) = [line for line in lines if line["event"] == "second_text"]
    assert {line["sid"], found.sid} == {first, second}


async def test_a_text_far_down_the_list_is_found_behind_its_pages(office: Office) -> None:
    lost = office.lose()
    sid = await office.send()
    for nth in range(120):
        await office.send(body=f"Another text, number {nth}.")
    assert (await office.look(lost)).sid == sid


# ---- when Twilio cannot be asked -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["503", "html_502", "reset_before", "429"])
async def test_while_twilio_cannot_be_asked_a_text_stays_in_doubt_and_says_so(office: Office, fault: str) -> None:
    lost = office.lose()
    await office.order(fault=fault, match={"operation": "list"})
    for _ in range(3):
        found = await office.look(lost)
        assert (found.status, found.reason) == (Status.UNCONFIRMED, Reason.UNCONFIRMED)
        assert found.error_message is not None
        assert found.error_message.startswith("Perhaps sent. ")
        office.wait(2 * HOUR)
    await office.mend()
    await office.send()
    assert (await office.look(lost)).status in (Status.ACCEPTED, Status.DELIVERED)


async def test_a_list_that_could_not_be_read_does_not_begin_the_settling_time(office: Office) -> None:
    lost = office.lose()
    await office.order(fault="503", match={"operation": "list"})
    await office.look(lost)
    office.wait(SETTLING + SECOND)
    await office.mend()
    assert (await office.look(lost)).status is Status.UNCONFIRMED
    office.wait(SETTLING + SECOND)
    assert (await office.look(lost)).status is Status.PENDING


async def test_with_credentials_that_twilio_does_not_take_a_text_stays_in_doubt(office: Office) -> None:
    lost = office.lose(destination_id=office.destination(token="0" * 32))
    for _ in range(2):
        found = await office.look(lost)
        office.wait(HOUR)
    assert (found.status, found.error_message is not None) == (Status.UNCONFIRMED, True)


PAGE = f"/2010-04-01/Accounts/{DEMO_ACCOUNT_SID}/Messages.json?Page=1"


def a_page(*messages: dict[str, Any], more: bool = False) -> bytes:
    return msgspec.json.encode({"messages": messages, "next_page_uri": PAGE if more else None})


def an_entry(**fields: Any) -> dict[str, Any]:
    made = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return {"sid": "SM" + "7" * 32, "account_sid": DEMO_ACCOUNT_SID, "to": PHONE, "from": SENDER, "body": BODY,
            "status": "sent", "direction": "outbound-api", "date_created": made} | fields  # fmt: skip


class Scripted:
    """An API that answers what a test has written, the last answer again and again."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []
        self.now = self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.asked.append(time.monotonic())
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([(200, a_page(an_entry(body="Another"), more=True)), (500, b"{}")], id="second page fails"),
        pytest.param([(200, a_page(an_entry(sid=None)))], id="entry without SID"),
        pytest.param([(200, a_page(an_entry())[:-9])], id="cut off"),
        pytest.param([(200, b'{"messages": null}')], id="no list"),
        pytest.param([(200, b"<html>")], id="no JSON"),
        pytest.param(
            [(200, a_page(more=True)), (200, b'{"messages": [], "next_page_uri": "//elsewhere"}')], id="astray"
        ),
        pytest.param([(404, b"")], id="no such account"),
    ],
)
async def test_nothing_is_concluded_from_a_list_that_is_not_whole(
    tmp_path: Path, answers: list[tuple[int, bytes]]
) -> None:
    async with serve(Scripted(*answers)) as url, office_at(tmp_path, url) as office:
        lost = office.lose()
        found = await office.look(lost)
        office.wait(SETTLING + SECOND)
        found = await office.look(lost) if len(answers) == 1 else found
        assert (found.status, found.sid) == (Status.UNCONFIRMED, None)
        assert (found.error_message or "").startswith("Perhaps sent. ")


@pytest.mark.slow
async def test_a_text_that_is_there_but_cannot_be_read_is_asked_about_again_and_not_at_once(tmp_path: Path) -> None:
    api = Scripted((200, a_page(an_entry(status=None))))
    async with serve(api) as url, office_at(tmp_path, url) as office:
        lost = office.lose()
        with capture_logs() as lines:
            found = await office.look(lost)
            await asyncio.sleep(0.2)
        assert found.status is Status.UNCONFIRMED
        assert found.ask_at is not None
        assert found.ask_at > office.now()
        assert len(api.asked) == 1
        assert [line["event"] for line in lines] == ["receipt_unreadable"]


@pytest.mark.slow
async def test_questions_are_asked_at_a_polite_pace(tmp_path: Path) -> None:
    api = Scripted((200, a_page()))
    async with serve(api) as url, office_at(tmp_path, url) as office:
        shop = office.destination()
        lost = [office.lose(destination_id=shop, to=f"+1415555{nth:04d}") for nth in range(30)]
        office.sweep._look()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(office.row(each).looks == 0 for each in lost):  # noqa: ASYNC110 (seen in the database alone)
                await asyncio.sleep(0.02)
    assert len(api.asked) == 30
    assert api.most <= 8
    spans = [late - early for early, late in zip(api.asked, api.asked[20:], strict=False)]
    assert min(spans) > 0.85, "no more than twenty a second, but for the unrest of a busy machine"


# ---- clocks that are wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(days=1), -timedelta(days=1)])
async def test_a_clock_that_jumps_never_makes_absence_proved_early(office: Office, jump: timedelta) -> None:
    lost = office.lose()
    await office.look(lost)
    office.wall += jump
    for _ in range(2):
        assert (await office.look(lost)).status is Status.UNCONFIRMED
        office.wait(SETTLING / 4)


async def test_a_clock_that_was_set_forward_does_not_hide_the_text_that_is_there(office: Office) -> None:
    lost = office.lose()
    sid = await office.send()
    office.wall += HOUR
    found = await office.look(lost)
    assert (found.sid, found.status is Status.UNCONFIRMED) == (sid, False)


async def test_after_a_clock_was_set_back_a_text_that_looks_the_same_is_left_to_a_person(office: Office) -> None:
    """It may be one of an hour ago: it is not taken for ours, and nothing is sent in its place."""
    lost = office.lose()
    await office.send()
    office.wall -= HOUR
    found = await office.look(lost)
    assert (found.status, found.reason, found.sid) == (Status.HELD, Reason.UNCONFIRMED, None)


async def test_after_a_clock_was_set_back_the_one_that_nobody_sets_decides(office: Office) -> None:
    lost = office.lose()
    office.wall -= HOUR
    await office.look(lost)
    office.wait(SETTLING - SECOND)
    assert (await office.look(lost)).status is Status.UNCONFIRMED
    office.wait(2 * SECOND)
    assert (await office.look(lost)).status is Status.PENDING


async def test_after_a_restart_the_settling_time_begins_anew(office: Office) -> None:
    """The new process cannot know whether the clock was set while nothing ran."""
    lost = office.lose()
    await office.look(lost)
    await office.restart()
    office.wall += 2 * SETTLING
    assert (await office.look(lost)).status is Status.UNCONFIRMED
    office.wait(SETTLING + SECOND)
    assert (await office.look(lost)).status is Status.PENDING


async def test_a_second_attempt_that_is_lost_too_has_a_settling_time_of_its_own(office: Office) -> None:
    lost = office.lose()
    await office.look(lost)
    office.wait(SETTLING + SECOND)
    again = await office.look(lost)
    (sending,) = office.do(lambda connection: ledger.claim(connection, [again], office.now()))
    office.do(lambda connection: ledger.lose_sending(connection, office.now(), office.now()))
    assert (await office.look(sending)).status is Status.UNCONFIRMED
    assert office.row(lost).attempts == 2


# ---- texts that Twilio took ------------------------------------------------------------------------------------------


async def test_a_text_that_nobody_reports_on_is_asked_for_until_its_price_is_known(office: Office) -> None:
    sid = await office.send()
    taken = office.lose(Status.ACCEPTED, sid=sid, reason=None)
    await office.drain()
    found = await office.look(taken)
    assert (found.status, found.price is not None, found.ask_at) == (Status.DELIVERED, True, None)


async def test_once_the_price_is_known_nothing_more_is_asked(office: Office) -> None:
    sid = await office.send()
    taken = office.lose(Status.DELIVERED, sid=sid, reason=None)
    await office.drain()
    found = await office.look(taken)
    assert (found.price is not None, found.ask_at) == (True, None)


async def test_a_text_that_twilio_has_deleted_keeps_its_last_word(office: Office) -> None:
    taken = office.lose(Status.ACCEPTED, sid=MessageSid("SM" + "9" * 32), reason=None)
    found = await office.look(taken)
    assert (found.status, found.ask_at) == (Status.ACCEPTED, None)


async def test_a_receipt_that_came_while_twilio_was_asked_wins(office: Office) -> None:
    lost = office.lose()
    await office.order(fault="latency", seconds=0.3, match={"operation": "list"})
    office.sweep._look()
    await asyncio.sleep(0.1)
    taken = Settlement(delivery=lost, move=Move.ACCEPT, at=office.now(), sid=MessageSid("SM" + "8" * 32))
    office.do(lambda connection: ledger.settle(connection, [taken]))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while office.sweep._asking:  # noqa: ASYNC110 (its end is told to nobody)
            await asyncio.sleep(0.01)
    assert (office.row(lost).status, office.row(lost).sid) == (Status.ACCEPTED, "SM" + "8" * 32)
    assert (office.heard, office.moved) == ([], [])


# ---- accounts that are paused ----------------------------------------------------------------------------------------


def is_paused(office: Office) -> bool:
    return bool(office.do(lambda connection: destinations.load_paused(connection, office.keyring)))


def pause(office: Office, destination: DestinationId) -> None:
    office.do(lambda connection: destinations.pause(connection, destination, "Twilio says no.", office.now()))


async def test_a_paused_destination_resumes_once_its_account_works_again(tmp_path: Path) -> None:
    api = Scripted((401, b'{"code": 20003, "message": "Authenticate", "status": 401}'))
    async with serve(api) as url, office_at(tmp_path, url) as office:
        shop = office.destination()
        pause(office, shop)
        await office.sweep._probe_paused()
        assert (is_paused(office), office.mended) == (True, 0)
        api.answers = [(200, msgspec.json.encode({"sid": DEMO_ACCOUNT_SID, "status": "active"}))]
        office.wait(timedelta(minutes=1) + SECOND)
        with capture_logs() as lines:
            await office.sweep._probe_paused()
        assert (is_paused(office), office.mended) == (False, 1)
        assert [line["event"] for line in lines] == ["destinations_resumed"]


@pytest.mark.slow
async def test_an_account_that_stays_broken_is_asked_less_and_less_often(tmp_path: Path) -> None:
    api = Scripted((401, b'{"code": 20003, "message": "Authenticate", "status": 401}'))
    async with serve(api) as url, office_at(tmp_path, url) as office:
        pause(office, office.destination())
        asked_at = []
        for minute in range(24 * 60):
            before = len(api.asked)
            await office.sweep._probe_paused()
            if len(api.asked) > before:
                asked_at.append(minute)
            office.wait(timedelta(minutes=1))
    assert asked_at[:5] == [0, 1, 3, 7, 15]
    gaps = [late - early for early, late in pairwise(asked_at)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 60


async def test_a_destination_that_is_paused_again_at_once_is_not_tried_each_minute(office: Office) -> None:
    """Its credentials work and its sender does not: each resumption costs a refused text."""
    shop = office.destination()
    resumed_at = []
    for minute in range(4 * 60):
        pause(office, shop)
        before = office.mended
        await office.sweep._probe_paused()
        if office.mended > before:
            resumed_at.append(minute)
        office.wait(timedelta(minutes=1))
    assert len(resumed_at) < 12
    assert resumed_at[0] == 0


@pytest.mark.slow
async def test_what_is_not_learnt_when_the_service_ends_is_asked_by_the_next(office: Office) -> None:
    lost = office.lose()
    sid = await office.send()
    await office.order(fault="latency", seconds=1, match={"operation": "list"})
    office.sweep._look()
    await asyncio.sleep(0.1)
    await office.restart()
    await office.mend()
    assert office.row(lost).status is Status.UNCONFIRMED
    assert (await office.look(lost)).sid == sid


async def test_while_texts_are_leaving_only_what_is_in_doubt_is_asked_about(office: Office) -> None:
    """Every question costs what a text costs; those that can wait do, for two minutes at most."""
    now = office.now()
    lost, taken = office.lose(to="+15005550001"), office.lose(Status.ACCEPTED, to="+15005550002", reason=None)

    def due(patience: timedelta, at: datetime) -> set[DeliveryId]:
        with office.database.read() as connection:
            return {each.id for each in evidence.to_ask(connection, at, 10, patience=patience)}

    at = now + timedelta(seconds=90)
    assert due(timedelta(), at) == {lost.id, taken.id}
    assert due(timedelta(minutes=2), at) == {lost.id}
    assert due(timedelta(minutes=2), now + timedelta(minutes=3)) == {lost.id, taken.id}
    office.busy = True
    await office.look(lost)
    assert office.row(taken).looks == 0
