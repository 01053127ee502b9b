"""What one service can foresee and repeat: forecasts and replays with its database, its register and its writer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from smspipe.db import Database, Writer
from smspipe.destinations import Keyring, load_all, load_shared, registry
from smspipe.destinations.short import expand, is_short
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.ids import DestinationId
from smspipe.optouts import Hasher
from smspipe.pipeline.fanout import Done
from smspipe.pipeline.forecast import Forecast, Question, Told, forecast
from smspipe.pipeline.prepare import Prepared, Site, prepare
from smspipe.pipeline.replay import Outlook, Replayed, Wish, look_ahead, replay
from smspipe.pipeline.sources import FileSource, LogSource

_STAND_IN: Final = "not needed to look ahead"


class Foresight:
    """Runs in threads that may wait: none of it belongs on the event loop."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        keyring: Keyring,
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
            keyring: opens the destinations' secrets.
            hasher: of the register of opt-outs.
            site: what all destinations share.
            clock: what time it is.
            replayed: told what each transaction of a replay led to.
        """
        self._database = database
        self._writer = writer
        self._keyring = keyring
        self._hasher = hasher
        self._site = site
        self._clock = clock
        self._replayed = replayed

    def question(self, id: DestinationId | None, configuration: Mapping[str, Any] | None) -> Question | None:  # noqa: A002 (the model's own word)
        """
        Compile the version in question, the saved one where that is another, and the destinations beside it.

        Args:
            id: the saved destination, None for a new one.
            configuration: what is to be changed of it, or a whole new one, in PostHog's shape or the short form; None
                for the saved one as it is. A new one needs no token: nothing is sent with it.

        Returns:
            None when there is no such destination.

        Raises:
            Invalid: it breaks a rule, or does not compile.
        """
        with self._database.read() as connection:
            shared = load_shared(connection)
            known = load_all(connection, self._keyring)
            saved = next((each for each in known if each.id == id), None)
            if (id is not None and saved is None) or (id is None and configuration is None):
                return None
            site = self._site.sharing(shared)
            draft = saved
            if configuration is not None:
                draft = registry.draft_of(
                    connection, _settings_of(configuration, new=id is None), keyring=self._keyring, id=id,
                    check=lambda each, _: prepare(each, site),
                )  # fmt: skip
        if draft is None:
            return None
        changed = saved is not None and saved.enabled and configuration is not None
        return Question(
            candidate=prepare(draft, site),
            running=next(_compiled([saved], site), None) if changed and saved is not None else None,
            beside=tuple(_compiled((each for each in known if each.enabled), site)),
        )

    def find(self, name_or_id: str, configuration: Mapping[str, Any] | None) -> Question | None:
        """As `question`, of the destination with this id or name; with a configuration a new one if there is none."""
        with self._database.read() as connection:
            known = load_all(connection, self._keyring)
        found = [each.id for each in known if each.id == name_or_id.lower()] or [
            each.id for each in known if each.name == name_or_id
        ]
        if len(found) > 1:
            raise Invalid(f"{len(found)} destinations are called {name_or_id!r}. Name one by its id.")
        return self.question(found[0] if found else None, configuration)

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


def _compiled(found: Iterable[Destination], site: Site) -> Iterator[Prepared]:
    """Compile destinations; what does not compile does not run either."""
    for destination in found:
        with suppress(Invalid):
            yield prepare(destination, site)


def _settings_of(configuration: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
    """Leave out what says nothing of what it would do, and put something in the place of a token that is not there."""
    given = expand(configuration) if is_short(configuration) else configuration
    settings = {key: value for key, value in given.items() if key not in ("enabled", "deleted", "id")}
    inputs = settings.get("inputs")
    if new and isinstance(inputs, Mapping) and "accountSid" in inputs and not inputs.get("authToken"):
        settings["inputs"] = {**inputs, "authToken": {"value": _STAND_IN}}
    return settings
