"""One measurement after another: a scenario against the service or against the bare program, and the parts alone."""

import asyncio
import http.client
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
import uvloop

from bench.ceilings import Cost
from bench.check import Post, Received, check, quantile
from bench.events import PERSONS, Events
from bench.load import Load, send
from bench.measure import cpu_seconds, pss_bytes
from bench.processes import Process
from bench.scenarios import Scenario
from bench.service import TOKEN, Service
from bench.twilio_double import Setup

_EVENTS_MOST: Final = 10_000_000
"""Of one measurement: so far apart begin the numbers of any two."""
_WARM_EVENTS: Final = 1_000
_QUIET_SECONDS: Final = 0.4
"""So long nothing must reach the double before anyone is asked whether there is more to come."""
_DRAIN_SECONDS: Final = 30.0
"""How long texts may take after the load."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a scenario showed."""

    what: str
    """`service` or `bare`."""
    scenario: str
    round: int
    batch: int
    """Events in a request."""
    closed_loop: bool
    sent_events: int
    accepted_events: int
    refused_events: int
    """Answered with 503: back-pressure."""
    unanswered_events: int
    """Answered with anything else, or not at all."""
    accepted_per_second: float
    cpu_seconds: float
    """Of all its processes, from the first event to the last text."""
    events_per_cpu_second: float
    start_seconds: float
    """From the start of the process to the first event that was accepted."""
    pss_mib: float
    """After the load."""
    due: int
    delivered: int
    in_doubt: int
    lost: int
    doubled: int
    wrong: int
    p50_ms: float
    """From when an event was due to the first request for its text; so are the next three."""
    p95_ms: float
    p99_ms: float
    max_ms: float
    delivered_seconds: float
    """From the first event to the last request for a text."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one part does alone."""

    what: str
    """`http`, `commit` or `sender`."""
    batch: int
    """Events in a request; 0 for `sender`, which knows none."""
    round: int
    per_second: float
    per_cpu_second: float


class Target(Protocol):
    """What a scenario is run against: a started server."""

    port: int
    start_seconds: float

    @property
    def pid(self) -> int:
        """Its process."""

    def idle(self) -> bool:
        """Has it nothing left to do, as far as it knows?"""

    def unconfirmed(self) -> set[int]:
        """Give the events of which it says that it does not know whether their text was sent."""


class Ceiling:
    """A server of `bench.ceilings`; a context manager that ends it."""

    def __init__(self, part: str, folder: Path, *words: str) -> None:
        begin = time.monotonic()
        self._process = Process("bench.ceilings", part, *words, log=folder / f"{part}.log")
        try:
            self.port = int(self._process.first_line())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.start_seconds = time.monotonic() - begin

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def idle(self) -> bool:
        """It keeps no account: when nothing has come for a while, nothing will."""
        return True

    def unconfirmed(self) -> set[int]:
        """Give none: what it does not know it does not say."""
        return set()


class Twilio:
    """The double in a process of its own, and what is asked of it."""

    def __init__(self, process: Process) -> None:
        self.port = int(process.first_line())

    def arrange(self, setup: Setup) -> None:
        """Make it behave so, and forget what it received."""
        self._ask("POST", "setup", msgspec.json.encode(setup))

    def created(self) -> int:
        """Count the messages that it created since `arrange`."""
        return int(self._ask("GET", "count"))

    def received(self) -> list[Received]:
        """Give all POSTs since `arrange`."""
        return msgspec.msgpack.decode(self._ask("GET", "received"), type=list[Received])

    def _ask(self, method: str, what: str, body: bytes | None = None) -> bytes:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, f"/double/{what}", body)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the double answered {what} with {answer.status}")
        return text


class Site:
    """One round's processes: the double, the service and the bare program, which live as long as the round."""

    def __init__(self, stack: ExitStack) -> None:
        """Start them; leaving `stack` ends them and removes their folder."""
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smspipe-bench-")))
        self.twilio = Twilio(stack.enter_context(Process("bench.twilio_double", log=self.folder / "twilio.log")))
        self.service = stack.enter_context(Service(self.folder, self.twilio.port))
        words = ("--file", str(self.folder / "bare.db"), "--twilio-port", str(self.twilio.port))
        self.bare = stack.enter_context(Ceiling("bare", self.folder, *words))
        self._measurements = 0
        # What the profile of a person costs who was never seen is a scenario of its own; elsewhere they are known.
        everybody = Events(share=0, at=datetime.now(UTC), token=TOKEN)
        _send(self.service.port, everybody, Load(batch=100, connections=4, seconds=10, most=4 * PERSONS))

    def measure_service(self, scenario: Scenario, round_: int) -> Measured:
        """Run a scenario against the service."""
        return self._measure("service", self.service, scenario, round_)

    def measure_bare(self, scenario: Scenario, round_: int) -> Measured:
        """Run a scenario against the bare program."""
        return self._measure("bare", self.bare, scenario, round_)

    def _measure(self, what: str, target: Target, scenario: Scenario, round_: int) -> Measured:
        self._measurements += 1
        first = self._measurements * _EVENTS_MOST
        return measure(what, target, self.twilio, scenario, round_, first=first)


def measure(what: str, target: Target, twilio: Twilio, scenario: Scenario, round_: int, *, first: int) -> Measured:
    """
    Warm a target up, load it, wait for its last text, and judge.

    Args:
        what: the target's name.
        target: what is measured.
        twilio: the double that it sends to.
        scenario: the load.
        round_: of the run, from 0.
        first: number of the first event. `_EVENTS_MOST` numbers from here on must not have been used.
    """
    load = replace(scenario.load, first=first)
    events = Events(share=scenario.share, at=datetime.now(UTC), token=TOKEN, persons=scenario.persons)
    _send(target.port, events, _warm_up(load, first + _EVENTS_MOST - _WARM_EVENTS))
    _wait(target, twilio, due=None)
    twilio.arrange(Setup(latency_ms=scenario.latency_ms, faults=scenario.faults))

    cpu = cpu_seconds(target.pid)
    begin_ns = time.monotonic_ns()
    posts = _send(target.port, events, load)
    pss = pss_bytes(target.pid)
    accepted = _accepted(posts, load.batch)
    _wait(target, twilio, due=sum(events.matches(number) for number in accepted))
    cpu = cpu_seconds(target.pid) - cpu

    received = twilio.received()
    verdict = check(posts, received, events, batch=load.batch, unconfirmed=target.unconfirmed())
    refused = sum(post.status == 503 for post in posts) * load.batch
    answered_ns = max((post.answered_ns for post in posts), default=0)
    twilio.arrange(Setup())
    return Measured(
        what=what,
        scenario=scenario.name,
        round=round_,
        batch=load.batch,
        closed_loop=load.rate is None,
        sent_events=len(posts) * load.batch,
        accepted_events=len(accepted),
        refused_events=refused,
        unanswered_events=len(posts) * load.batch - len(accepted) - refused,
        accepted_per_second=len(accepted) / max((answered_ns - begin_ns) / 1e9, 1e-9),
        cpu_seconds=cpu,
        events_per_cpu_second=len(accepted) / max(cpu, 0.01),
        start_seconds=target.start_seconds,
        pss_mib=pss / 2**20,
        due=verdict.due,
        delivered=verdict.delivered,
        in_doubt=verdict.in_doubt,
        lost=verdict.lost,
        doubled=verdict.doubled,
        wrong=verdict.wrong,
        p50_ms=quantile(verdict.latencies_ns, 0.5) / 1e6,
        p95_ms=quantile(verdict.latencies_ns, 0.95) / 1e6,
        p99_ms=quantile(verdict.latencies_ns, 0.99) / 1e6,
        max_ms=quantile(verdict.latencies_ns, 1) / 1e6,
        delivered_seconds=max((each.at_ns - begin_ns for each in received), default=0) / 1e9,
    )


def measure_http(batch: int, round_: int, *, seconds: float) -> Part:
    """Load the server that only reads and answers."""
    load = Load(batch=batch, connections=32 if batch == 1 else 8, seconds=seconds)
    with tempfile.TemporaryDirectory(prefix="smspipe-bench-") as folder, Ceiling("http", Path(folder)) as server:
        events = Events(share=0.1, at=datetime.now(UTC), token=TOKEN)
        _send(server.port, events, _warm_up(load, _EVENTS_MOST))
        cpu, begin_ns = cpu_seconds(server.pid), time.monotonic_ns()
        accepted = len(_accepted(_send(server.port, events, load), batch))
        seconds = (time.monotonic_ns() - begin_ns) / 1e9
        cpu = cpu_seconds(server.pid) - cpu
    return Part(what="http", batch=batch, round=round_, per_second=accepted / seconds, per_cpu_second=accepted / cpu)


def measure_commit(batch: int, round_: int, *, seconds: float) -> Part:
    """Let the database alone write requests of `batch` events, as many in a commit as there are connections."""
    with tempfile.TemporaryDirectory(prefix="smspipe-bench-") as folder:
        words = ("--file", f"{folder}/commit.db", "--group", "32" if batch == 1 else "8", "--batch", str(batch))
        return _measure_itself("commit", batch, round_, Path(folder), seconds, *words)


def measure_sender(round_: int, *, seconds: float) -> Part:
    """Let aiohttp alone send texts."""
    with tempfile.TemporaryDirectory(prefix="smspipe-bench-") as name:
        folder = Path(name)
        with Process("bench.twilio_double", log=folder / "twilio.log") as process:
            words = ("--twilio-port", str(Twilio(process).port))
            return _measure_itself("sender", 0, round_, folder, seconds, *words)


def _measure_itself(part: str, batch: int, round_: int, folder: Path, seconds: float, *words: str) -> Part:
    log = folder / f"{part}.log"
    with Process("bench.ceilings", part, "--seconds", str(seconds), *words, log=log) as process:
        cost = msgspec.json.decode(process.first_line(within=60), type=Cost)
    return Part(
        what=part,
        batch=batch,
        round=round_,
        per_second=cost.done / cost.seconds,
        per_cpu_second=cost.done / cost.cpu_seconds,
    )


def _send(port: int, events: Events, load: Load) -> list[Post]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(send(port, events, load))


def _warm_up(load: Load, first: int) -> Load:
    """Make a load of some hundred events: what is made once is then made, and connections to Twilio are open."""
    return Load(batch=load.batch, connections=8, seconds=5, most=_WARM_EVENTS, first=first)


def _accepted(posts: Sequence[Post], batch: int) -> list[int]:
    """Give the numbers of the accepted events."""
    return [number for post in posts if post.accepted for number in range(post.first, post.first + batch)]


def _wait(target: Target, twilio: Twilio, *, due: int | None) -> None:
    """
    Wait until all texts that are due were created, or the target has nothing left to do; and then a moment longer.

    That moment is for the text that must not come: a second one.
    """
    until = time.monotonic() + _DRAIN_SECONDS
    seen, since = -1, time.monotonic()
    while time.monotonic() < until:
        created = twilio.created()
        if created != seen:
            seen, since = created, time.monotonic()
        elif time.monotonic() - since > _QUIET_SECONDS and (created == due or target.idle()):
            return
        time.sleep(0.05)
