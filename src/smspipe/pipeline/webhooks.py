"""
Webhooks: what Twilio posts to us, checked, kept and acted on before it is answered.

Nothing is believed that Twilio's signature does not vouch for, by the public address that Twilio was given. A callback
must also come to an address that only Twilio was told (`receipts.token`). What is refused is counted; what cannot be
written down now is not answered with success, so that Twilio delivers it again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from smspipe import destinations, optouts
from smspipe.db import Database, Writer
from smspipe.destinations import Keyring
from smspipe.model.destination import Account, Secret
from smspipe.model.errors import Invalid
from smspipe.model.phone import E164, mask
from smspipe.optouts import Applied, Family, Words
from smspipe.pipeline.pipe import Pipe
from smspipe.pipeline.settle import Heard, hear
from smspipe.receipts import (
    Algorithm,
    Inbound,
    SigningKey,
    address_of,
    is_signed,
    read_form,
    read_inbound,
    read_receipt,
)
from smspipe.receipts.token import Seal
from smspipe.telemetry import count, reached

log = structlog.get_logger("smspipe.webhooks")

STATUS_PATH: Final = "/twilio/status/"
INBOUND_PATH: Final = "/twilio/inbound"
RETRIED: Final = "#rc=5&rp=all"
"""Asks Twilio to deliver a callback that failed in any way up to five times more; it is no part of what is signed."""
_ACCOUNTS_KEPT_SECONDS: Final = 10.0


class NotSigned(Exception):
    """The request is not Twilio's, or not for us."""


class Webhooks:
    """Takes what Twilio posts; belongs to the event loop."""

    def __init__(
        self,
        *,
        base_url: str,
        seal: Seal,
        extra_keys: Sequence[SigningKey],
        words: Words,
        database: Database,
        writer: Writer,
        keyring: Keyring,
        hasher: optouts.Hasher,
        pipe: Pipe,
        clock: Callable[[], datetime],
        told: bool,
    ) -> None:
        """
        Take what is needed.

        Args:
            base_url: the address that Twilio reaches us at.
            seal: reads the tokens of callbacks' addresses.
            extra_keys: that Twilio may sign with beside the accounts' tokens.
            words: the keywords of incoming texts.
            database: for looking accounts up.
            writer: who commits.
            keyring: opens the accounts' secrets.
            hasher: of the register of opt-outs.
            pipe: told what came.
            clock: what time it is.
            told: status callbacks are asked for.
        """
        self._base_url = base_url
        self._seal = seal
        self._extra_keys = tuple(extra_keys)
        self._words = words
        self._database = database
        self._writer = writer
        self._keyring = keyring
        self._hasher = hasher
        self._pipe = pipe
        self._clock = clock
        self._told = told
        self._accounts: list[Account] = []
        self._accounts_until = 0.0

    async def status(self, token: str, *, path: str, query: str, headers: Mapping[str, str], body: bytes) -> None:
        """
        Take a status callback; return once what it says is on disk.

        Raises:
            NotSigned: it is not Twilio's, or for no text of ours.
            Invalid: it is Twilio's, and says nothing that can be understood.
            Temporary: it could not be written down.
        """
        sealed = self._seal.read(token)
        if sealed is None:
            raise self.refuse("the address was not made here")
        fields = await self._read(path, query, headers, body)
        receipt = read_receipt(fields)
        now = self._clock()

        def job(connection: Connection) -> Heard | None:
            heard = hear(
                connection,
                receipt,
                of=sealed.delivery,
                attempt=sealed.attempt,
                source="callback",
                now=now,
                told=self._told,
                hasher=self._hasher,
            )
            reached("receipt.before_commit")
            return heard

        heard = await asyncio.wrap_future(self._writer.run_job(job))
        reached("receipt.after_commit")
        count("smspipe_receipts_total")
        if heard is not None:
            self._pipe.heard(heard)

    async def inbound(self, *, path: str, query: str, headers: Mapping[str, str], body: bytes) -> None:
        """
        Take an incoming text: heed it if it is a keyword, and else only count it; its words are not kept.

        Raises:
            NotSigned: it is not Twilio's.
            Invalid: it is Twilio's, and says nothing that can be understood.
            Temporary: it could not be written down.
        """
        fields = await self._read(path, query, headers, body)
        text = read_inbound(fields)
        toll_free = optouts.is_toll_free(text.to)
        keyword = optouts.read_keyword(text.body, text.opt_out_type, toll_free=toll_free, words=self._words)
        count("smspipe_inbound_total")
        if keyword is None:
            log.info("inbound", sid=text.sid, number=mask(text.sender), keyword=None)
            return
        pairs = [(text.sender, ours) for ours in (text.to, text.service_sid) if ours is not None]
        applied = await self._apply(text, keyword)
        # In the order in which they were written down; a copy of one that came before says nothing new.
        if keyword.family is Family.STOP and not applied.repeated:
            self._pipe.dispatch.stop_texts(pairs)
        elif keyword.family is Family.START and not applied.repeated:
            self._pipe.dispatch.allow_texts(pairs)
        log.info("inbound", sid=text.sid, number=mask(text.sender), keyword=keyword.family.value,
                 repeated=applied.repeated)  # fmt: skip

    async def _apply(self, text: Inbound, keyword: optouts.Keyword) -> Applied:
        heard = optouts.Inbound(
            number=E164(text.sender),
            sender=text.to,
            service=text.service_sid,
            message_sid=text.sid,
            keyword=keyword,
        )
        now = self._clock()
        return await asyncio.wrap_future(
            self._writer.run_job(lambda connection: optouts.apply_keyword(connection, self._hasher, heard, now=now))
        )

    async def _read(self, path: str, query: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """
        Read a form that is certain to be Twilio's.

        Raises:
            NotSigned: it is not.
        """
        fields = read_form(body)
        account_sid = fields.get("AccountSid", "")
        url = address_of(self._base_url, path, query)
        known = [each.destination.account for each in self._pipe.plan.destinations.values()]
        if is_signed(url=url, body=body, headers=headers, keys=self._keys(account_sid, known)):
            return fields
        # A destination that is switched off, or a stored account that no destination names yet.
        stored = await self._load_accounts()
        if not is_signed(url=url, body=body, headers=headers, keys=self._keys(account_sid, stored)):
            raise self.refuse("its signature is not that of one of your accounts")
        return fields

    def _keys(self, account_sid: str, accounts: Sequence[Account | None]) -> list[SigningKey]:
        """Give what a request of an account may be signed with: its tokens, not the secrets of API keys."""
        secrets = {
            each.password.reveal()
            for each in accounts
            if each is not None and each.sid == account_sid and each.username == each.sid
        }
        return [*(SigningKey(secret=Secret(secret)) for secret in sorted(secrets)), *self._extra_keys]

    async def _load_accounts(self) -> list[Account]:
        """Read all stored accounts; not again within seconds, whoever calls."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._accounts_until:
            self._accounts_until = loop.time() + _ACCOUNTS_KEPT_SECONDS
            self._accounts = await asyncio.to_thread(self._read_accounts)
        return self._accounts

    def _read_accounts(self) -> list[Account]:
        with self._database.read() as connection:
            return destinations.load_accounts(connection, self._keyring)

    def refuse(self, why: str) -> NotSigned:
        """Count and log a request that is not believed, and give the error to raise."""
        count("smspipe_callbacks_refused_total")
        log.warning("callback_refused", why=f"A callback was refused: {why}.")
        return NotSigned(why)


def read_extra_keys(text: str) -> list[SigningKey]:
    """
    Read the setting `twilio_webhook_keys`: Auth Tokens, and shared keys as `id:secret`, separated by commas.

    Raises:
        Invalid: a part is empty; it is not told.
    """
    keys: list[SigningKey] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        id_, colon, secret = part.partition(":")
        if not colon:
            keys.append(SigningKey(secret=Secret(part)))
        elif id_ and secret:
            keys += [SigningKey(secret=Secret(secret), id=id_, algorithm=each) for each in Algorithm]
        else:
            raise Invalid("A shared key is written as its id, a colon and its secret.", field="twilio_webhook_keys")
    return keys
