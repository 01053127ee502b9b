"""
What Twilio does not have: phones to look at, faults to order, records to check. Plain JSON, no credentials.

| | |
| --- | --- |
| `GET /inbox` | all texts, newest first; `?to=` one phone's |
| `GET /phones/{number}` | both sides of a phone's conversation |
| `POST /phones/{number}/reply` | `{"to": sender, "body": "STOP"}`: answer from a phone |
| `GET POST DELETE /faults` | the rules in force; add a list of rules; take all away |
| `GET DELETE /requests` | create requests in order of arrival and what became of each; `?to=` of one recipient |
| `GET /callbacks` | status callbacks that were sent, with tries and answer; `?sid=` of one text |
| `GET POST /config` | the settings; change some of them |
| `POST /seed` | `{"seed": 7}`: other chance from here on |
| `POST /drain` | answers when every text has reached its end and every callback was sent |
| `POST /reset` | back to the beginning |

Input that is not understood gets 400 and `{"error": "what is wrong, and where"}`.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from smspipe.sandbox.account import Account, Settings
from smspipe.sandbox.asgi import Answer, Request, json_answer
from smspipe.sandbox.faults import NEEDS_DROP, FaultPlan, Rule
from smspipe.sandbox.life import Lives
from smspipe.sandbox.messages import Direction, Message
from smspipe.sandbox.phones import Reply, check_reply, receive_reply
from smspipe.sandbox.webhooks import Webhooks

_PHONE: Final = re.compile(r"/phones/(?P<number>[^/]+)(?P<reply>/reply)?")

Handler = Callable[[Request], Awaitable[Answer]]


class Wrong(Exception):
    """A control request that cannot be done; `str()` of it is the sentence that goes out with 400."""


class Seed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /seed`."""

    seed: int


class Controls:
    """The control endpoints: `/inbox`, `/phones`, `/faults`, `/requests`, `/callbacks`, `/config` and a few verbs."""

    def __init__(self, account: Account, faults: FaultPlan, lives: Lives, webhooks: Webhooks) -> None:
        self._account = account
        self._faults = faults
        self._lives = lives
        self._webhooks = webhooks
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/inbox"): self._show_inbox,
            ("GET", "/requests"): self._show_requests,
            ("DELETE", "/requests"): self._clear_requests,
            ("GET", "/callbacks"): self._show_callbacks,
            ("GET", "/faults"): self._show_faults,
            ("DELETE", "/faults"): self._clear_faults,
            ("GET", "/config"): self._show_config,
            ("POST", "/config"): self._change_config,
            ("POST", "/seed"): self._change_seed,
            ("POST", "/reset"): self._reset,
            ("POST", "/drain"): self._drain,
        }

    async def serve(self, request: Request, *, can_drop: bool) -> Answer:
        """
        Answer one control request.

        Args:
            request: anything that is not for Twilio's API.
            can_drop: whether this server lets the sandbox reset connections; without it, rules that
                need it are refused instead of quietly doing something else.
        """
        self._lives.release_due()
        try:
            if (request.method, request.path) == ("POST", "/faults"):
                return self._add_faults(request, can_drop=can_drop)
            if handler := self._routes.get((request.method, request.path)):
                return await handler(request)
            if phone := _PHONE.fullmatch(request.path):
                return await self._serve_phone(request, unquote(phone["number"]), replying=bool(phone["reply"]))
        except Wrong as wrong:
            return json_answer(400, {"error": str(wrong)})
        if any(path == request.path for _, path in (*self._routes, ("POST", "/faults"))):
            return json_answer(405, {"error": f"{request.path} does not know the method {request.method}."})
        return json_answer(404, {"error": "There is no such endpoint in the sandbox."})

    async def _show_inbox(self, request: Request) -> Answer:
        texts = self._account.texts_of(request.query.get("to"), Direction.API)
        return json_answer(200, {"results": [_inbox_entry(message) for message in texts]})

    async def _serve_phone(self, request: Request, phone: str, *, replying: bool) -> Answer:
        if not replying and request.method == "GET":
            texts = self._account.texts_of(phone, *Direction)
            entries = [{**_inbox_entry(message), "direction": message.direction.value} for message in texts]
            return json_answer(200, {"results": entries})
        if not replying or request.method != "POST":
            return json_answer(405, {"error": "Read a phone with GET, answer from it with POST to /reply."})
        reply = _decode(request.body, Reply)
        if problem := check_reply(phone, reply):
            raise Wrong(problem)
        return json_answer(200, await receive_reply(self._account, self._webhooks.post, phone, reply))

    async def _show_requests(self, request: Request) -> Answer:
        to = request.query.get("to")
        records = [record for record in self._account.records if to in {None, record.to}]
        posts = self._account.posts if to is None else {to: self._account.posts.get(to, 0)}
        return json_answer(200, {"total": self._account.post_count, "posts": posts, "results": records})

    async def _clear_requests(self, _request: Request) -> Answer:
        self._account.clear_records()
        return Answer(status=204)

    async def _show_callbacks(self, request: Request) -> Answer:
        sid = request.query.get("sid")
        return json_answer(
            200, {"results": [entry for entry in self._account.callbacks if sid in {None, entry["sid"]}]}
        )

    async def _show_faults(self, _request: Request) -> Answer:
        return json_answer(200, {"rules": self._faults.document()})

    async def _clear_faults(self, _request: Request) -> Answer:
        self._faults.clear()
        return Answer(status=204)

    def _add_faults(self, request: Request, *, can_drop: bool) -> Answer:
        rules = _decode(request.body, list[Rule])
        if not can_drop and any(rule.fault in NEEDS_DROP for rule in rules):
            raise Wrong(
                "This server does not let the sandbox reset connections; run it on uvicorn, "
                "and wrap the outermost application with smspipe.sandbox.keep_drop."
            )
        self._faults.add(rules)
        return json_answer(200, {"rules": self._faults.document()})

    async def _show_config(self, _request: Request) -> Answer:
        return json_answer(200, self._config_document())

    async def _change_config(self, request: Request) -> Answer:
        changes = _decode(request.body, dict[str, Any])
        now = msgspec.to_builtins(self._account.settings)
        try:
            self._account.settings = msgspec.convert({**now, **changes}, Settings)
        except msgspec.ValidationError as error:
            raise Wrong(f"{error}.") from error
        return json_answer(200, self._config_document())

    async def _change_seed(self, request: Request) -> Answer:
        self._account.seed = self._faults.seed = _decode(request.body, Seed).seed
        return Answer(status=204)

    async def _reset(self, _request: Request) -> Answer:
        await self._lives.stop()
        self._account.reset()
        self._faults.clear()
        return Answer(status=204)

    async def _drain(self, _request: Request) -> Answer:
        await self._lives.drain()
        return Answer(status=204)

    def _config_document(self) -> dict[str, Any]:
        """Show the settings, with names in place of secrets."""
        shown: dict[str, Any] = msgspec.to_builtins(self._account.settings)
        if shown["shared_key"] is not None:
            shown["shared_key"] = {**shown["shared_key"], "secret": "hidden"}
        shown["api_keys"] = dict.fromkeys(shown["api_keys"], "hidden")
        return {"account_sid": self._account.sid, **shown}


def _inbox_entry(message: Message) -> dict[str, Any]:
    return {
        "sid": message.sid,
        "to": message.to,
        "from": message.sender,
        "body": message.body,
        "status": message.status.value,
        "created_at": message.created_at,
    }


def _decode(body: bytes, expected: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=expected)
    except msgspec.DecodeError as error:  # ValidationError, which says where, is one of these
        raise Wrong(f"The body is not what this endpoint takes: {error}.") from error
