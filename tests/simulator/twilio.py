"""
Twilio, as far as its documentation tells: texts, their lives, callbacks, lists, refusals and troubles.

It is not the sandbox, which lives on the event loop of the process and would die with it; this one goes on while there
is no process, throws its dice with the story's, and costs microseconds.

Source:
    https://www.twilio.com/docs/messaging/api/message-resource
    https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.simulator.network import Request
from tests.simulator.world import World

ACCOUNT: Final = "AC0123456789abcdef0123456789abcdef"
TOKEN: Final = "the-auth-token-of-the-simulator"
_MESSAGES: Final = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
_AUTHORIZATION: Final = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
_TRIES_AFTER: Final = (0.0, 1.0, 3.0, 10.0, 30.0, 90.0)
"""When a callback is tried and, asked for with `#rc=5&rp=all`, tried again."""
_CODES: Final = {"failed": 30001, "undelivered": 30003}


class Moods(NamedTuple):
    """How likely each of Twilio's own troubles is, from 0 to 1."""

    too_many: float = 0.0
    error_before: float = 0.0
    """A 5xx of a request that was not processed."""
    error_after: float = 0.0
    """A 5xx of a request that was."""
    strange: float = 0.0
    """A 201 whose body nobody can read, of a text that was taken."""
    lists_fail: float = 0.0
    hidden: float = 0.0
    """A text takes seconds to show in the list."""
    callback_lost: float = 0.0
    callback_twice: float = 0.0
    callback_late: float = 0.0
    ends_badly: float = 0.0
    no_end: float = 0.0
    """The carrier never says what became of it."""
    price_late: float = 0.0


CALM = Moods()


@dataclass
class Text:
    """One text that Twilio took."""

    sid: str
    to: str
    sender: str
    body: str
    callback: str | None
    made_at: datetime
    shows_at: float
    status: str = "queued"
    error_code: int | None = None
    told: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=lambda: ["queued"])
    priced_at: float = 0.0


class Twilio:
    """One account at Twilio."""

    def __init__(
        self, world: World, call: Callable[[str, bytes, dict[str, str], Callable[[bool], None]], None]
    ) -> None:
        """
        Open it.

        Args:
            world: whose time and chance it is.
            call: posts to the process: address, body, headers, and who is told whether it answered with success.
        """
        self.world = world
        self._call = call
        self.moods = CALM
        self.texts: dict[str, Text] = {}
        self.refused: list[tuple[str, str, str, int]] = []
        """To, sender, body, code."""
        self.blocked: set[tuple[str, str]] = set()
        self.bad_numbers: set[str] = set()
        self.account_works = True
        self.ahead = timedelta()
        """Of the true time: no two clocks are the same."""
        self.page_size = 50
        self._inbound = 0

    def serve(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        """Answer one request to the API."""
        status, body = self._answer(request)
        headers = {"Content-Type": "application/json", "Date": self._date(self._time())}
        return status, headers, body if isinstance(body, bytes) else json.dumps(body).encode()

    def _answer(self, request: Request) -> tuple[int, Any]:
        path, _, query = request.path.partition("?")
        if request.headers.get("authorization") != _AUTHORIZATION or not self.account_works:
            return 401, _error(20003, "Authenticate", 401)
        if request.method == "POST" and path == f"{_MESSAGES}.json":
            return self._create(request)
        if self.world.is_chance(self.moods.lists_fail):
            return self.world.chance.choice(
                [(500, b""), (503, b"<html>"), (429, _error(20429, "Too Many Requests", 429)), (200, b'{"messages": [')]
            )
        if path == f"/2010-04-01/Accounts/{ACCOUNT}.json":
            return 200, {"sid": ACCOUNT, "status": "active", "friendly_name": "Simulated", "type": "Full"}
        if path == f"{_MESSAGES}.json":
            return 200, self._list(query)
        sid = path.removeprefix(f"{_MESSAGES}/").removesuffix(".json")
        text = self.texts.get(sid)
        return (404, _error(20404, "not found", 404)) if text is None else (200, self._show(text))

    def _create(self, request: Request) -> tuple[int, Any]:
        world, moods = self.world, self.moods
        form = {name: values[0] for name, values in parse_qs(request.body.decode(), strict_parsing=True).items()}
        to, sender, body = form["To"], form["From"], form["Body"]
        if world.is_chance(moods.too_many):
            world.note("twilio: 429")
            return 429, _error(20429, "Too Many Requests", 429)
        if world.is_chance(moods.error_before):
            world.note("twilio: 500, and took nothing")
            return world.chance.choice([(500, _error(20500, "Internal Server Error", 500)), (502, b"<html>")])
        if (to, sender) in self.blocked or to in self.bad_numbers:
            code = 21610 if (to, sender) in self.blocked else 21211
            self.refused.append((to, sender, body, code))
            world.note(f"twilio: refuses {to} with {code}")
            return 400, _error(code, "no", 400)
        text = self._take(to, sender, body, form.get("StatusCallback"))
        if world.is_chance(moods.error_after):
            world.note("twilio: 500, though it took it")
            return world.chance.choice([(500, _error(20500, "Internal Server Error", 500)), (503, b"")])
        if world.is_chance(moods.strange):
            world.note("twilio: an answer that nobody can read")
            return 201, world.chance.choice([b"{}", b"<html>", b'{"sid": "SM'])
        return 201, self._show(text)

    def _take(self, to: str, sender: str, body: str, callback: str | None) -> Text:
        world, chance = self.world, self.world.chance
        text = Text(
            sid=f"SM{chance.getrandbits(128):032x}",
            to=to,
            sender=sender,
            body=body,
            callback=callback,
            made_at=self._time(),
            shows_at=world.now + (chance.uniform(0, 20) if world.is_chance(self.moods.hidden) else 0.0),
        )
        self.texts[text.sid] = text
        world.note(f"twilio: takes {text.sid[:8]} {sender}→{to} {body[:24]!r}")
        steps = ["sending", "sent"]
        if world.is_chance(self.moods.ends_badly):
            steps = chance.choice([["failed"], ["sending", "failed"], ["sending", "sent", "undelivered"]])
        elif not world.is_chance(self.moods.no_end):
            steps.append("delivered")
        after = 0.0
        for step in steps:
            after += chance.choice((0.01, 0.3, 2.0, 15.0)) * chance.random()
            world.at(after, lambda step=step: self._move(text, step))  # type: ignore[misc]  # binds this turn's step
        text.priced_at = world.now + after + (400.0 if world.is_chance(self.moods.price_late) else 0.0)
        return text

    def _move(self, text: Text, status: str) -> None:
        text.status = status
        text.error_code = _CODES.get(status)
        text.history.append(status)
        if text.callback is None:
            return
        for _ in range(2 if self.world.is_chance(self.moods.callback_twice) else 1):
            if self.world.is_chance(self.moods.callback_lost):
                continue
            late = self.world.chance.uniform(0, 40) if self.world.is_chance(self.moods.callback_late) else 0.0
            self._post(text.callback, self._callback_form(text, status), 0, late)

    def _callback_form(self, text: Text, status: str) -> dict[str, str]:
        form = {
            "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "MessageSid": text.sid, "SmsSid": text.sid,
            "MessageStatus": status, "SmsStatus": status, "From": text.sender, "To": text.to,
        }  # fmt: skip
        if status in _CODES:
            form["ErrorCode"] = str(_CODES[status])
        return form

    def say(self, phone: str, ours: str, words: str, url: str, *, blocks: bool) -> str:
        """Bring a text of a person's to the process, and do what the keyword asks for; give its SID."""
        self._inbound += 1
        sid = f"SM{self._inbound:032x}"
        if blocks and words == "STOP":
            self.blocked.add((phone, ours))
        elif words == "START":
            self.blocked.discard((phone, ours))
        form = {
            "MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "AccountSid": ACCOUNT, "From": phone, "To": ours,
            "Body": words, "NumMedia": "0", "NumSegments": "1", "SmsStatus": "received",
        }  # fmt: skip
        for _ in range(2 if self.world.is_chance(self.moods.callback_twice) else 1):
            late = self.world.chance.uniform(0, 40) if self.world.is_chance(self.moods.callback_late) else 0.0
            self._post(url, form, 0, late)
        return sid

    def _post(self, url: str, form: dict[str, str], nth: int, late: float) -> None:
        """Post to the process, and again where it does not answer with success."""
        address = url.partition("#")[0]
        body = urlencode(form).encode()
        signed = address + "".join(name + form[name] for name in sorted(form))
        signature = base64.b64encode(hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()).decode()
        headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}

        def answered(well: bool) -> None:
            if not well and nth + 1 < len(_TRIES_AFTER):
                self._post(url, form, nth + 1, 0.0)

        delay = late + _TRIES_AFTER[nth] + self.world.chance.uniform(0.002, 0.1)
        self.world.at(delay, lambda: self._call(address, body, headers, answered))

    def _list(self, query: str) -> dict[str, Any]:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        to = asked.get("To")
        shown = [
            each
            for each in reversed(self.texts.values())
            if (to is None or each.to == to) and each.shows_at <= self.world.now
        ]
        begin, size = int(asked.get("PageToken", "PA0")[2:]), min(self.page_size, int(asked.get("PageSize", "50")))
        more = begin + size < len(shown)
        following = f"{_MESSAGES}.json?To={quote(to or '')}&PageSize={size}&Page=1&PageToken=PA{begin + size}"
        return {
            "messages": [self._show(each) for each in shown[begin : begin + size]],
            "next_page_uri": following if more else None,
            "page_size": size,
        }

    def _show(self, text: Text) -> dict[str, Any]:
        priced = text.status in ("sent", "delivered", "undelivered") and text.priced_at <= self.world.now
        return {
            "account_sid": ACCOUNT, "api_version": "2010-04-01", "body": text.body,
            "date_created": self._date(text.made_at), "date_sent": None, "date_updated": self._date(self._time()),
            "direction": "outbound-api", "error_code": text.error_code, "error_message": None, "from": text.sender,
            "messaging_service_sid": None, "num_media": "0", "num_segments": "1",
            "price": "-0.00750" if priced else None, "price_unit": "USD", "sid": text.sid, "status": text.status,
            "to": text.to, "uri": f"{_MESSAGES}/{text.sid}.json",
        }  # fmt: skip

    def _time(self) -> datetime:
        return self.world.true_time() + self.ahead

    def _date(self, at: datetime) -> str:
        return format_datetime(at.replace(microsecond=0))


def path_of(url: str) -> str:
    """Give the path of an address, decoded."""
    return unquote(urlsplit(url).path)


def _error(code: int, message: str, status: int) -> dict[str, Any]:
    return {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
