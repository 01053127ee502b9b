"""What one service can foresee and repeat: forecasts and replays with its database, its register and its writer."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from smspipe.db import Database, Writer
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.filter import Shared
from smspipe.optouts import Hasher
from smspipe.pipeline.fanout import Done
from smspipe.pipeline.forecast import Forecast, Question, Told, forecast
from smspipe.pipeline.prepare import Prepared, Site, prepare
from smspipe.pipeline.replay import Outlook, Replayed, Wish, look_ahead, replay
from smspipe.pipeline.sources import FileSource, LogSource


class Foresight:
    """Runs in threads that may wait: none of it belongs on the event loop."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        hasher: Hasher,
        site: Site,
        clock: Callable[[], datetime],
        replayed: Callable[[Done], None],
    ) -> None:
        """
        Prepare.

        Args:
            database: where events, profiles and opt-outs are read.
            writer: who opens deliveries.
            hasher: of the register of opt-outs.
            site: what all destinations share.
            clock: what time it is.
            replayed: told what each transaction of a replay led to.
        """
        self._database = database
        self._writer = writer
        self._hasher = hasher
        self._site = site
        self._clock = clock
        self._replayed = replayed

    def prepare(self, destination: Destination, shared: Shared) -> Prepared:
        """Compile a destination with what its filters refer to; raises `Invalid`."""
        return prepare(destination, self._site.sharing(shared))

    def others(self, found: Iterable[Destination], shared: Shared) -> list[Prepared]:
        """Compile the destinations that are on; what does not compile does not run either."""
        prepared = []
        for destination in found:
            if destination.enabled:
                with suppress(Invalid):
                    prepared.append(self.prepare(destination, shared))
        return prepared

    def over_log(self, question: Question, since: datetime, until: datetime, told: Told) -> Forecast:
        """Forecast over the stored events of a range."""
        source = LogSource(self._database, since, until)
        return forecast(source, question, hasher=self._hasher, real=self._database, known_before=since, told=told)

    def over_file(self, question: Question, path: Path, name: str, told: Told, *, trusted: bool) -> Forecast:
        """Forecast over the events of a file."""
        source = FileSource(path, trusted=trusted, name=name)
        return forecast(source, question, hasher=self._hasher, real=self._database, told=told)

    def before(self, prepared: Prepared, wish: Wish, told: Told) -> Outlook:
        """Say what a replay would do."""
        return look_ahead(self._database, prepared, wish, hasher=self._hasher, now=self._clock(), told=told)

    def replay(self, prepared: Prepared, wish: Wish, expected: int, told: Told) -> Replayed:
        """Do it."""
        return replay(
            self._database,
            self._writer,
            prepared,
            wish,
            expected=expected,
            hasher=self._hasher,
            clock=self._clock,
            told=told,
            opened=self._replayed,
        )
