"""
One story: what happens, when, and with which troubles, all thrown from its seed.

A story chooses few kinds of trouble and lets them be frequent, rather than all of them rare: what is left out lets the
others come further. Then everything is mended, and the laws ask whether all has come to a good end.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from smspipe import telemetry
from smspipe.capture import events_of
from smspipe.deliveries import redrive
from smspipe.destinations import registry
from smspipe.model.errors import Fault, Temporary
from smspipe.model.event import Door, Payload
from smspipe.model.ids import DeliveryId, DestinationId
from smspipe.pipeline.webhooks import NotSigned
from smspipe.telemetry import STEPS
from tests.simulator.catalogue import CATALOGUE, LONG_CODE, SHORT_CODE, TOLL_FREE
from tests.simulator.disk import TROUBLES, Disk
from tests.simulator.house import INBOUND_URL, House
from tests.simulator.laws import Expected, Laws
from tests.simulator.network import FINE, Network, Weather
from tests.simulator.twilio import CALM, Moods, Twilio, path_of
from tests.simulator.world import Loop, PowerLoss, Stuck, World

_PATIENCE: Final = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 80.0, 120.0, 180.0, 240.0, 400.0, 700.0, 4000.0)
"""Seconds after everything is mended at which it is asked whether all is settled."""
_PHONES: Final = tuple(f"+1415555{2671 + n}" for n in range(3))
_SENDERS: Final = (LONG_CODE, TOLL_FREE, SHORT_CODE)
_BODIES: Final = ("Your order is on its way", "Your code is 1234", "Zwei ✓ " * 20)


class Told(NamedTuple):
    """How a story went."""

    seed: int
    violations: list[str]
    digest: str
    lines: list[str]


class Story:
    """What happens in one world."""

    def __init__(self, seed: int, disk: Disk) -> None:
        self.world = world = World(seed)
        chance = world.chance
        self.disk = disk
        self.chosen = sorted(chance.sample(sorted(CATALOGUE), chance.choice((1, 1, 1, 2, 3))))
        disk.renew(self.chosen, lambda: chance.randrange(20, 4000))
        self.twilio = Twilio(world, self._call)
        self.laws = Laws(world, self.twilio, disk, self.chosen)
        self.network = Network(world, self.twilio.serve, self.laws.leaves)
        self.house: House | None = None
        self.told = chance.random() < 0.6
        self.connections = chance.choice((1, 2, 4, 32))
        self.slots = chance.choice((1, 3, 8, 64))
        self.slowness = 0.0
        self.calls: dict[int, Callable[[bool], None]] = {}
        """Requests to the process that it has not answered."""
        self._calls = 0
        self.alike = chance.random() < 0.3
        """All texts have the same words and go to the same phone."""
        self.times: list[float] = []
        """When events are posted first."""
        self.runs = False
        """There is a process, though perhaps none that takes anything yet."""
        self.ended = False
        self.mended = False
        self.restart_after = 1.0
        self._write()

    # The plot

    def _write(self) -> None:
        """Throw what is to happen."""
        world, chance = self.world, self.world.chance
        length = chance.choice((1.0, 4.0, 12.0, 40.0))
        world.note(f"destinations {' '.join(self.chosen)}; told {self.told}; {length:g} s")
        for nth in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
            at = 0.2 if chance.random() < 0.3 else chance.uniform(0, length)
            self.times.append(at)
            world.at(at, partial(self._post, *self._event(nth)))
        kinds: list[Callable[[float], None]] = [
            self._plan_weather, self._plan_moods, self._plan_crashes, self._plan_disk, self._plan_clock,
            self._plan_persons, self._plan_account, self._plan_redrive, self._plan_switch,
        ]  # fmt: skip
        for plan in kinds:
            if chance.random() < 0.35:
                plan(length)
        world.at(length, self._mend)

    def _event(self, nth: int) -> tuple[str, Expected]:
        chance = self.world.chance
        uuid = f"01950000-0000-7000-8000-{chance.getrandbits(32):08x}{nth:04x}"
        body = chance.choice(_BODIES) if chance.random() < 0.6 else f"Number {nth}"
        if self.alike:
            return uuid, Expected(chance.choice("ab"), _PHONES[0], _BODIES[0])
        return uuid, Expected(chance.choice("ab"), chance.choice(_PHONES[: chance.choice((1, 3))]), body)

    def _plan_weather(self, length: float) -> None:
        chance = self.world.chance
        kinds = chance.sample(Weather._fields, chance.randint(1, 4))
        self.network.weather = Weather(**{kind: chance.choice((0.1, 0.3, 0.6)) for kind in kinds})
        if chance.random() < 0.3:
            self.world.at(chance.uniform(0, length), self._clear_up)

    def _clear_up(self) -> None:
        self.network.weather = FINE

    def _plan_moods(self, length: float) -> None:
        chance = self.world.chance
        kinds = chance.sample(Moods._fields, chance.randint(1, 5))
        self.twilio.moods = Moods(**{kind: chance.choice((0.1, 0.3, 0.6, 0.9)) for kind in kinds})
        self.twilio.ahead = timedelta(seconds=chance.uniform(-3, 3))
        self.twilio.page_size = chance.choice((1, 2, 50))
        if chance.random() < 0.2:
            self.twilio.bad_numbers.add(chance.choice(_PHONES))

    def _plan_crashes(self, length: float) -> None:
        chance = self.world.chance
        if chance.random() < 0.5:
            telemetry.crash_at(f"{chance.choice(STEPS)}:{chance.randint(1, 4)}", self._die)
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            self.world.at(chance.uniform(0, length), self._lose_power)
        if chance.random() < 0.3:
            self.world.at(chance.uniform(0, length), self._stop)
        self.restart_after = chance.choice((0.1, 2.0, 30.0, 100.0))

    def _plan_disk(self, length: float) -> None:
        chance = self.world.chance
        self.slowness = chance.choice((0.0, 0.0, 0.2, 8.0))
        for _ in range(chance.randint(1, 4)):
            trouble, at = chance.choice(TROUBLES), chance.uniform(0, length)
            self.world.at(at, partial(self._trouble, trouble))
            self.world.at(at + chance.choice((0.05, 0.5, 3.0, 20.0)), partial(self._trouble, None))

    def _trouble(self, trouble: str | None) -> None:
        if not self.mended:
            self.world.note(f"disk: {trouble or 'well'}")
            self.disk.driver.trouble = trouble

    def _plan_clock(self, length: float) -> None:
        """Set the clock, one way or the other, and perhaps set it right again."""
        chance = self.world.chance
        jump = chance.choice((timedelta(hours=1), timedelta(days=1))) * chance.choice((1, -1))
        self.world.at(chance.uniform(0, length), partial(self._set_clock, jump))
        if chance.random() < 0.5:
            self.world.at(chance.uniform(0, length), partial(self._set_clock, timedelta()))

    def _set_clock(self, off: timedelta) -> None:
        if off != self.world.off:
            self.laws.epoch += 1
            self.laws.went_back |= off < self.world.off
            self.world.off = off
            self.world.note(f"the machine's clock is set: {off.total_seconds() / 3600:+g} h")

    def _plan_persons(self, length: float) -> None:
        chance = self.world.chance
        pairs = [(phone, sender) for phone in _PHONES for sender in _SENDERS]
        senders = [CATALOGUE[of]["inputs"]["fromPhoneNumber"]["value"] for of in self.chosen]
        blocks = chance.random() < 0.5
        for _ in range(chance.randint(1, 3)):
            phone, sender = chance.choice(pairs) if chance.random() < 0.2 else (_PHONES[0], chance.choice(senders))
            # most often in the moment in which a text is about to leave
            at = (
                chance.uniform(0, length)
                if chance.random() < 0.4
                else chance.choice(self.times) + chance.uniform(0, 0.2)
            )
            for words in ("STOP", "START", "STOP", "START")[: chance.choice((1, 1, 2, 3, 4))]:
                self.world.at(at, partial(self._say, phone, sender, words, blocks))
                at += chance.choice((0.05, 2.0, 30.0)) * chance.random()

    def _say(self, phone: str, sender: str, words: str, blocks: bool) -> None:
        self.world.note(f"{phone} says {words} to {sender}")
        self.twilio.say(phone, sender, words, INBOUND_URL, blocks=blocks)

    def _plan_account(self, length: float) -> None:
        chance = self.world.chance
        self.world.at(chance.uniform(0, length), partial(self._set_account, False))
        self.world.at(chance.uniform(0, length), partial(self._set_account, True))

    def _set_account(self, works: bool) -> None:
        self.world.note(f"the account {'works' if works else 'is suspended'}")
        self.twilio.account_works = works

    def _plan_redrive(self, length: float) -> None:
        for _ in range(self.world.chance.randint(1, 2)):
            self.world.at(self.world.chance.uniform(0, length), self._redrive)

    def _redrive(self) -> None:
        """Let a person press the button for everything that failed or is held."""
        house = self.house
        if house is None:
            return
        ids = [DeliveryId(id_) for id_, row in self.laws.rows.items() if row["status"] in ("failed", "held")]
        self.world.note(f"a person sends again {' '.join(map(self.laws.name, ids))}")
        now = self.world.clock()
        forced = self.world.is_chance(0.3)
        (self.laws.forced if forced else self.laws.redriven).update(ids)
        wish = redrive.Wish(ids=tuple(ids), force=forced)

        def job(connection: Connection) -> int:
            return redrive.redrive_all(
                connection, wish, lambda *_: {}, now=now, expires_at=now + timedelta(hours=24),
                why="it is wanted" if forced else None,
            )  # fmt: skip

        def then(_: Any, error: BaseException | None) -> None:
            if error is None:
                house.pipe.dispatch.wake()
            elif not isinstance(error, Temporary):
                self.world.violate("no fault of ours", repr(error))

        self._write_job(job, then)

    def _plan_switch(self, length: float) -> None:
        chance = self.world.chance
        of = chance.choice(self.chosen)
        at = chance.uniform(0, length)
        self.world.at(at, partial(self._switch, of, False))
        self.world.at(at + chance.choice((0.05, 5.0, 60.0)) * chance.random(), partial(self._switch, of, True))

    def _switch(self, of: str, on: bool) -> None:
        house = self.house
        if house is None:
            if self.mended:
                self.world.at(0.5, partial(self._switch, of, on))
            return
        self.world.note(f"a person switches {of} {'on' if on else 'off'}")
        self.laws.switched.add(of)
        now, keyring = self.world.clock(), self.disk.keyring

        def job(connection: Connection) -> None:
            registry.change(connection, DestinationId(of), {"enabled": on}, keyring=keyring, now=now)

        def then(_: Any, error: BaseException | None) -> None:
            if error is None:
                house.pipe.changed()
            elif not isinstance(error, Temporary):
                self.world.violate("no fault of ours", repr(error))

        self._write_job(job, then)

    def _write_job(self, job: Callable[[Connection], Any], then: Callable[[Any, BaseException | None], None]) -> None:
        if self.house is not None:
            try:
                self.house.writer.submit(job, then)
            except Temporary:
                self.world.note("the process takes no orders")

    # Events

    def _post(self, uuid: str, event: Expected) -> None:
        """Post an event as an SDK does: until it is acknowledged, and now and then once more."""
        world, chance = self.world, self.world.chance
        if uuid not in self.laws.events:
            self.laws.events[uuid] = event
        number = self.laws.events.keys()
        place = list(number).index(uuid)
        again = chance.uniform(0.2, 1.5) if self.mended else chance.uniform(1.0, 8.0)
        if uuid not in self.laws.acknowledged or chance.random() < 0.1:
            world.at(again, partial(self._post, uuid, event))
        else:
            return
        if uuid in self.laws.acknowledged and chance.random() < 0.8:
            return
        house = self.house
        taken = house is not None and self._offer(house, uuid, event, place)
        world.note(f"event {place} ({event.name}) is posted{'' if taken else ', and not taken'}")

    def _offer(self, house: House, uuid: str, event: Expected, place: int) -> bool:
        properties = {"phone": event.to, "text": event.body}
        batch = [{"event": event.name, "distinct_id": "ada", "uuid": uuid, "properties": properties}]
        payload = Payload(
            door=Door.BATCH,
            body=msgspec.json.encode({"api_key": "phc_simulator", "batch": batch}),
            received_at=self.world.clock(),
            seed=self.world.system.randbytes(8),
        )

        def then(well: bool) -> None:
            self.world.note(f"event {place} is {'acknowledged' if well else 'refused'}")
            if well:
                self.laws.acknowledged.setdefault(uuid, self.world.now)

        try:
            return house.pipe.offer(payload, events_of(payload), then)
        except Temporary:
            return False

    # Callbacks

    def _call(self, url: str, body: bytes, headers: dict[str, str], answered: Callable[[bool], None]) -> None:
        """Bring what Twilio posts to the process."""
        house = self.house
        if house is None:
            answered(False)
            return
        self._calls += 1
        nth = self._calls
        heard = _inbound_of(url, body)
        if heard is not None:
            self.laws.begins_to_hear(*heard)
        task = house.loop.create_task(house.take(path_of(url), body, headers))
        self.calls[nth] = answered
        self.world.at(15.0, partial(self._answer, nth, False))

        def done(task: Any) -> None:
            error = None if task.cancelled() else task.exception()
            if isinstance(error, NotSigned) or (error is not None and not isinstance(error, Fault)):
                self.world.violate("what Twilio posts is believed", repr(error))
            well = error is None and not task.cancelled()
            if well and heard is not None:
                self.world.note(f"{heard[1]} of {heard[2][0]} to {heard[2][1]} is heeded")
                self.laws.has_heard(*heard)
            # The answer itself may be lost on its way.
            self._answer(nth, well and not self.world.is_chance(self.network.weather.lost_after / 2))

        task.add_done_callback(done)

    def _answer(self, nth: int, well: bool) -> None:
        answered = self.calls.pop(nth, None)
        if answered is not None:
            answered(well)

    # The process

    def run(self) -> Told:
        """Tell the story to its end."""
        world = self.world
        with _chance_of(world):
            try:
                while not self.ended:
                    self._live()
                    if not self.ended:
                        world.pass_until(world.now + (0.5 if self.mended else self.restart_after))
            except Stuck as error:
                world.violate("the process goes on", str(error))
            finally:
                telemetry.crash_at("")
                self.disk.driver.trouble = None
                self.disk.driver.rollback()
        self.laws.at_the_end()
        return Told(world.seed, world.violations, world.digest(), world.lines)

    def _live(self) -> None:
        """Run one process, from its start to its end, whatever that is."""
        world = self.world
        loop = Loop(world, self.network.connect)
        house = House(
            world, loop, self.disk, told=self.told, connections=self.connections, slots=self.slots,
            committed=self.laws.committed,
        )  # fmt: skip
        house.writer.slowness = self.slowness
        world.note("the process starts")
        loop.create_task(self._start(house))
        self.runs = True
        try:
            loop.run_forever()
        except PowerLoss:
            world.note("power loss")
        finally:
            self.runs = False
            self.house = None
            loop.kill()
            self.disk.driver.rollback()
            for nth in list(self.calls):
                self._answer(nth, False)

    async def _start(self, house: House) -> None:
        try:
            await house.pipe.start()
        except Temporary as error:
            self.world.note(f"the process cannot start: {error}")
            self.restart_after = max(self.restart_after, 2.0)
            house.loop.stop()
        else:
            self.house = house

    def _die(self) -> None:
        """End the process at a labelled step, once."""
        telemetry.crash_at("")
        self._lose_power()

    def _lose_power(self) -> None:
        if self.runs and not self.mended:
            raise PowerLoss

    def _stop(self) -> None:
        """End the process as a supervisor does."""
        house = self.house
        if house is None or self.mended:
            return
        self.world.note("the process is told to stop")

        async def stop() -> None:
            await house.pipe.stop()
            self.world.note("the process has stopped")
            house.loop.stop()

        house.loop.create_task(stop())

    # The end

    def _mend(self) -> None:
        """Let all troubles end."""
        world = self.world
        world.note("all is mended")
        self.mended = True
        telemetry.crash_at("")
        self.network.weather = FINE
        self.twilio.moods = CALM
        self.twilio.account_works = True
        self.disk.driver.trouble = None
        self.slowness = 0.0
        if self.house is not None:
            self.house.writer.slowness = 0.0
        self._set_clock(timedelta())
        for of in sorted(self.laws.switched):
            world.at(1.0, partial(self._switch, of, True))
        for patience in _PATIENCE:
            world.at(patience, partial(self._ask, last=patience == _PATIENCE[-1]))

    def _ask(self, *, last: bool) -> None:
        """End the story when all is settled."""
        if self.house is None and not last:
            return
        if last or self.laws.is_settled():
            self.ended = True
            if self.house is not None:
                self.house.loop.stop()


def _inbound_of(url: str, body: bytes) -> tuple[str, str, tuple[str, str]] | None:
    """Give an incoming text's SID, its words, and who wrote to whom."""
    if url != INBOUND_URL:
        return None
    from urllib.parse import parse_qs

    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    return form["MessageSid"], form["Body"], (form["From"], form["To"])


@contextmanager
def _chance_of(world: World) -> Iterator[None]:
    """Give the process the world's randomness for its system's."""
    urandom = os.urandom
    os.urandom = world.system.randbytes
    try:
        yield
    finally:
        os.urandom = urandom
