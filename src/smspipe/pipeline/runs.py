"""Work that takes a while, in a thread of its own: how far it has come, what came of it, and how it is ended early."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
import structlog

from smspipe.model.errors import Fault, Temporary
from smspipe.model.ids import uuid7
from smspipe.pipeline.forecast import Cancelled, Told
from smspipe.telemetry import count

log = structlog.get_logger("smspipe.runs")

_AT_ONCE: Final = 2
"""More would keep the real events waiting for the processor."""
_REMEMBERED: Final = 20
Work = Callable[[Told], Any]
"""Does it, telling how far it has come; gives what came of it."""


class State(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Run(msgspec.Struct, kw_only=True):
    """One piece of work."""

    id: str
    kind: str
    started_at: datetime
    status: State = State.RUNNING
    events: int = 0
    """How many events were looked at."""
    share: float = 0.0
    """How much is done, 0 to 1."""
    result: Any = None
    error: str | None = None
    """A sentence, when it failed."""


class Runs:
    """The runs of one service; the latest are remembered until it stops."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._unwanted: set[str] = set()
        self._lock = threading.Lock()

    def start(self, kind: str, work: Work) -> Run:
        """
        Begin work in a thread.

        Raises:
            Temporary: two others run already.
        """
        now = self._clock()
        with self._lock:
            if sum(run.status is State.RUNNING for run in self._runs.values()) >= _AT_ONCE:
                raise Temporary("Two forecasts or replays run already: wait for one, or cancel it.")
            run = Run(id=uuid7(now), kind=kind, started_at=now)
            self._runs[run.id] = run
            for old in [each.id for each in self._runs.values() if each.status is not State.RUNNING][:-_REMEMBERED]:
                del self._runs[old]
        threading.Thread(target=self._work, args=(run, work), name=f"smspipe-{kind}", daemon=True).start()
        return run

    def get(self, id: str) -> Run | None:  # noqa: A002 (the model's own word)
        """Give a run, None for one that is not known (any more)."""
        return self._runs.get(id)

    def cancel(self, id: str) -> Run | None:  # noqa: A002 (as above)
        """Ask a run to end; it does so at its next step."""
        run = self._runs.get(id)
        if run is not None and run.status is State.RUNNING:
            self._unwanted.add(id)
        return run

    def stop(self) -> None:
        """Ask all to end."""
        for id_ in list(self._runs):
            self.cancel(id_)

    def _work(self, run: Run, work: Work) -> None:
        def told(events: int, share: float) -> bool:
            run.events, run.share = events, share
            return run.id not in self._unwanted

        try:
            run.result = work(told)
            run.share, run.status = 1.0, State.DONE
        except Cancelled:
            run.status = State.CANCELLED
        except Fault as fault:
            run.error, run.status = str(fault), State.FAILED
        except Exception as error:  # noqa: BLE001 (the thread's end: whoever asks is told, and the log has the kind)
            count("smspipe_faults_total")
            log.error("run_failed", run=run.id, kind=type(error).__name__)
            run.error, run.status = "It failed for a reason that should not be. The log says more.", State.FAILED
        finally:
            self._unwanted.discard(run.id)
