"""One process: the real pipeline, put together as the service does, with the world's time, disk and network."""

from collections.abc import Callable
from typing import Any, Final

from smspipe.model.delivery import Delivery
from smspipe.model.destination import Secret
from smspipe.optouts import choose_words
from smspipe.pipeline.pipe import Limits, Pipe
from smspipe.pipeline.prepare import Site
from smspipe.pipeline.webhooks import INBOUND_PATH, RETRIED, STATUS_PATH, Webhooks
from smspipe.receipts import SigningKey
from smspipe.receipts.token import Seal
from smspipe.sending import Client
from tests.simulator.disk import KEY, Disk, TurnWriter
from tests.simulator.twilio import TOKEN
from tests.simulator.world import Loop, World

PUBLIC_URL: Final = "https://texts.example.com"
INBOUND_URL: Final = PUBLIC_URL + INBOUND_PATH
_WORDS: Final = choose_words(("en",))
_SEAL: Final = Seal([KEY])
_SITE: Final = Site(project={"id": 1, "name": "smspipe", "url": f"{PUBLIC_URL}/project/1"})


class House:
    """Every object of one process."""

    def __init__(
        self,
        world: World,
        loop: Loop,
        disk: Disk,
        *,
        told: bool,
        connections: int,
        slots: int,
        committed: Callable[[], None],
    ) -> None:
        """Build it; `told` asks Twilio for callbacks, `committed` is told after each commit."""
        self.loop = loop
        self.writer = TurnWriter(disk.database, world, loop, committed)
        self.client = Client("http://api.twilio.test", concurrency=connections)
        self.pipe = Pipe(
            writer=self.writer,
            client=self.client,
            keyring=disk.keyring,
            hasher=disk.hasher,
            site=_SITE,
            clock=world.clock,
            monotonic=world.monotonic,
            chance=world.system.random,
            limits=Limits(slots=slots),
            callback=_callback if told else None,
        )
        self.webhooks = Webhooks(
            base_url=PUBLIC_URL,
            seal=_SEAL,
            extra_keys=[SigningKey(secret=Secret(TOKEN))],
            words=_WORDS,
            database=disk.database,
            writer=self.writer,
            keyring=disk.keyring,
            hasher=disk.hasher,
            pipe=self.pipe,
            clock=world.clock,
            told=told,
        )

    async def take(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Take what Twilio posts, as the doors do."""
        if path == INBOUND_PATH:
            await self.webhooks.inbound(path=path, query="", headers=headers, body=body)
        else:
            token = path.removeprefix(STATUS_PATH)
            await self.webhooks.status(token, path=path, query="", headers=headers, body=body)


def _callback(delivery: Delivery) -> str:
    return f"{PUBLIC_URL}{STATUS_PATH}{_SEAL.make(delivery.id, delivery.attempts)}{RETRIED}"


def delivery_of(callback: str | None) -> tuple[Any, int] | None:
    """Tell which delivery, and which of its attempts, a callback's address is for."""
    sealed = None if callback is None else _SEAL.read(callback.partition("#")[0].rpartition("/")[2])
    return None if sealed is None else (sealed.delivery, sealed.attempt)
