"""
Time, chance and the order of things: all that a story shares, and the event loop that lives in it.

There is one queue of what happens outside the process: a request that arrives, a disk that has written, a person who
writes STOP. The process has its own loop, asyncio's but for its selector: where that would sleep, the world moves on to
whatever comes first, a timer of the loop or something outside. So no second passes that nobody needs, and nothing
happens in another order when it is run again.
"""

import asyncio
import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

BEGINNING: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_MOST_TURNS: Final = 200_000
"""Turns of the loop within one life: beyond it something runs in circles."""


class PowerLoss(SystemExit):
    """The process ends here and now. No handler of ours catches it, and asyncio lets it pass."""


class Stuck(AssertionError):
    """Nothing would ever happen again, or the same over and over."""


class World:
    """One story's time, chance, and what has happened so far."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        """What happens outside."""
        self.system = random.Random(f"system {seed}")
        """The randomness that the process gets from its system."""
        self.now = 0.0
        """Seconds since the beginning, which nobody can set."""
        self.off = timedelta()
        """How far the machine's clock is ahead of the true time."""
        self.lines: list[str] = []
        self.violations: list[str] = []
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._nth = 0

    def at(self, delay: float, happens: Callable[[], object]) -> None:
        """Let something happen after a delay, in seconds."""
        self._nth += 1
        heapq.heappush(self._queue, (self.now + delay, self._nth, happens))

    def clock(self) -> datetime:
        """Tell the time by the machine's clock, which may be wrong."""
        return self.true_time() + self.off

    def true_time(self) -> datetime:
        """Tell the time by everybody else's clock."""
        return BEGINNING + timedelta(microseconds=round(self.now * 1e6))

    def monotonic(self) -> float:
        """Tell the seconds by the clock that nobody can set."""
        return self.now

    def is_chance(self, probability: float) -> bool:
        """Throw a dice, unless the outcome is certain."""
        return probability > 0.0 and self.chance.random() < probability

    def note(self, text: str) -> None:
        """Write a line of the story."""
        self.lines.append(f"{self.now:11.3f} {text}")

    def violate(self, law: str, how: str) -> None:
        """Write down that a law was broken."""
        self.violations.append(f"{law}: {how}")
        self.note(f"!! {law}: {how}")

    def digest(self) -> str:
        """Give a hash of all that has happened."""
        return blake2b("\n".join(self.lines).encode(), digest_size=8).hexdigest()

    def next_at(self) -> float | None:
        """Tell when the next thing outside happens."""
        return self._queue[0][0] if self._queue else None

    def happen(self) -> None:
        """Let the next thing outside happen, at its time."""
        at, _, happens = heapq.heappop(self._queue)
        self.now = max(self.now, at)
        happens()

    def pass_until(self, until: float) -> None:
        """Let time pass while there is no process."""
        while self._queue and self._queue[0][0] <= until:
            self.happen()
        self.now = max(self.now, until)


class Loop(asyncio.BaseEventLoop):
    """The event loop of one process in one world."""

    _scheduled: list[asyncio.TimerHandle]
    _ready: Any

    def __init__(self, world: World, connect: Callable[..., Any]) -> None:
        """`connect` makes the network's end of a connection, see `network.Network.connect`."""
        super().__init__()
        self._world = world
        self._connect = connect
        self._selector = self
        self._clock_resolution = 1e-9
        self._turns = 0
        self.dead = False
        self.set_exception_handler(self._tell)

    def time(self) -> float:
        """Tell the world's time."""
        return self._world.now

    def select(self, timeout: float | None) -> list[Any]:
        """Let what is due outside happen; when the loop has nothing to do, go to the time of what comes first."""
        world = self._world
        self._turns += 1
        if self._turns > _MOST_TURNS:
            raise Stuck(f"the loop has made {_MOST_TURNS} turns in one life")
        timer = self._scheduled[0].when() if self._scheduled else None
        while not self._ready and not self._stopping:  # type: ignore[attr-defined]  # asyncio's own flag
            outside = world.next_at()
            if outside is not None and (timer is None or outside <= timer):
                world.happen()
                timer = self._scheduled[0].when() if self._scheduled else None
            elif timer is not None:
                world.now = max(world.now, timer)
                break
            else:
                raise Stuck("nothing will ever happen again")
        return []

    def kill(self) -> None:
        """Forget everything that was to happen in this process."""
        self.dead = True
        self._ready.clear()
        self._scheduled.clear()
        self.close()

    # What runs in a process that is dead (a `finally` of a coroutine that is thrown away) reaches nothing any more.

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]  # as exact as is needed
        """Call soon, in a process that lives."""
        if self.dead:
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]  # as exact as is needed
        """There are no threads."""
        return self.call_soon(callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]  # as exact as is needed
        """Call later, in a process that lives."""
        if self.dead:
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # no thread, no executor
        """Run it at once: there are no threads."""
        future = self.create_future()
        future.set_result(func(*args))
        return future

    async def create_connection(self, factory: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]  # what the client asks for
        """Open a connection into the world's network."""
        return await self._connect(self, factory)

    def _process_events(self, event_list: list[Any]) -> None:
        """The world lets things happen by itself."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who were to be woken."""

    def _tell(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self.dead:
            error = context.get("exception")
            self._world.violate("no fault of ours", f"{context['message']} {type(error).__name__} {error}")
