"""Twilio's REST API of 2010, as far as texts need it: who may ask, and what each request does."""

import asyncio
import base64
import binascii
import hmac
import re
from typing import Any, Final

from smspipe.sandbox.account import Account, Record
from smspipe.sandbox.asgi import Answer, Request, json_answer
from smspipe.sandbox.checks import Draft, check_create
from smspipe.sandbox.codes import Refusal
from smspipe.sandbox.faults import ACCEPTED_FIRST, NEEDS_DROP, Fault, FaultPlan, Operation, Plan, Rule
from smspipe.sandbox.life import Lives
from smspipe.sandbox.messages import API_VERSION, FINISHED, Direction, Message, Status, list_messages
from smspipe.sandbox.resources import account_document, feedback_document, media_document, numbers_document
from smspipe.sandbox.segments import count_segments

_PATH: Final = re.compile(rf"/{API_VERSION}/Accounts/(?P<account>[^/]+?)(?P<rest>/.*)?\.json")
_ONE_MESSAGE: Final = re.compile(r"/Messages/(?P<sid>(?:SM|MM)[0-9a-fA-F]{32})(?P<part>/Feedback|/Media)?")
_GATEWAY_PAGE: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_OPERATIONS: Final[dict[tuple[str, bool], Operation]] = {
    ("POST", False): "create",
    ("GET", False): "list",
    ("GET", True): "fetch",
    ("POST", True): "update",
    ("DELETE", True): "delete",
}


class Silence:
    """In place of an answer: say nothing for `seconds`, then reset the connection."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Api:
    """The API of one account."""

    def __init__(self, account: Account, faults: FaultPlan, lives: Lives) -> None:
        self._account = account
        self._faults = faults
        self._lives = lives
        self._in_flight = 0

    async def serve(self, request: Request) -> tuple[Answer | Silence, int]:
        """Answer one request; the number beside the answer is how many were in flight when it came."""
        self._in_flight += 1
        concurrent = self._in_flight
        try:
            self._lives.release_due()
            return await self._serve(request, concurrent), concurrent
        finally:
            self._in_flight -= 1

    async def _serve(self, request: Request, concurrent: int) -> Answer | Silence:
        path = _PATH.fullmatch(request.path)
        rest = (path["rest"] or "") if path else ""
        one = _ONE_MESSAGE.fullmatch(rest)
        operation = _OPERATIONS.get((request.method, one is not None)) if one or rest == "/Messages" else None
        form = request.form()
        record = self._account.record(form) if operation == "create" else None
        limit = self._account.settings.concurrency_limit
        if refusal := self._authenticate(request, path["account"] if path else None):
            return _refuse(refusal, record)
        if limit is not None and concurrent > limit:
            return _refuse(Refusal(code=20429), record)
        if operation is None or (one and one["part"]):
            return self._serve_rest(request, rest, one)
        plan = self._faults.draw(operation, self._recipient(operation, form, request, one))
        if plan.latency is not None and record is not None:
            record.fault = plan.latency.fault.value
        await asyncio.sleep(plan.seconds_of(Fault.LATENCY))
        if record is not None:
            answer = self._create(form, record, plan)
            await asyncio.sleep(plan.seconds_of(Fault.LATENCY_AFTER))
            return answer
        if plan.answer is not None:
            return _fail(plan.answer)
        if one is None:
            return _show(list_messages(self._account.messages, self._account.sid, request.query))
        return self._serve_one(one["sid"], operation, form)

    def _authenticate(self, request: Request, account_sid: str | None) -> Refusal | None:
        """Check Basic credentials, then that the path names their account."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
        except binascii.Error:
            given = b""
        pairs = [(self._account.sid, self._account.auth_token), *self._account.settings.api_keys.items()]
        if not any(hmac.compare_digest(given, f"{name}:{secret}".encode()) for name, secret in pairs):
            return Refusal(code=20003)
        return None if account_sid == self._account.sid else Refusal(code=20404)

    def _recipient(
        self, operation: Operation, form: dict[str, list[str]], request: Request, one: re.Match[str] | None
    ) -> str:
        """Say whose number a request is about; empty when it is about nobody's."""
        if operation == "create":
            return form.get("To", [""])[0]
        if one is None:
            return request.query.get("To", "")
        message = self._account.messages.find(one["sid"])
        return message.to if message else ""

    def _create(self, form: dict[str, list[str]], record: Record, plan: Plan) -> Answer | Silence:
        if plan.answer is not None and plan.answer.fault not in ACCEPTED_FIRST:
            record.outcome, record.fault = "fault", plan.answer.fault.value
            return _note(_fail(plan.answer), record)
        draft = check_create(form, self._account)
        if isinstance(draft, Refusal):
            return _refuse(draft, record)
        message = self._accept(draft)
        record.outcome, record.sid = "created", message.sid
        # The answer shows the first status, whatever happens next.
        answer = json_answer(201, message.document())
        self._lives.begin(message, plan)
        if plan.answer is None:
            return _note(answer, record)
        record.outcome, record.fault = "fault", plan.answer.fault.value
        return _note(_fail(plan.answer, answer), record)

    def _accept(self, draft: Draft) -> Message:
        now = self._account.clock()
        status = Status.QUEUED if draft.service is None else Status.ACCEPTED
        self._account.message_count += 1
        message = Message(
            number=self._account.message_count,
            sid=self._account.make_sid("MM" if draft.media else "SM"),
            account_sid=self._account.sid,
            direction=Direction.API,
            to=draft.to,
            sender=draft.sender,
            service=draft.service,
            body=draft.body,
            media=draft.media,
            segments=count_segments(draft.body),
            status=Status.SCHEDULED if draft.send_at else status,
            created_at=now,
            updated_at=now,
            callback_url=draft.callback_url,
            send_at=draft.send_at,
            validity=draft.validity,
        )
        self._account.messages.add(message)
        return message

    def _serve_one(self, sid: str, operation: Operation, form: dict[str, list[str]]) -> Answer:
        message = self._account.messages.find(sid)
        if message is None:
            return _show(Refusal(code=20404))
        if operation == "update":
            return _show(self._update(message, form))
        if operation == "delete":
            if message.status not in FINISHED:
                return _show(Refusal(code=20009))
            message.deleted = True
            return Answer(status=204)
        return _show(message.document())

    def _update(self, message: Message, form: dict[str, list[str]]) -> dict[str, Any] | Refusal:
        """Redact (an empty body) or cancel (a scheduled text); the API changes nothing else."""
        now = self._account.clock()
        if (status := form.get("Status", [""])[0]) or "Status" in form:
            if status != "canceled":
                return Refusal(code=20422, detail="Status can only become 'canceled'.")
            if message.status is not Status.SCHEDULED:
                return Refusal(code=20422, detail="Only a scheduled message can be canceled.")
            message.move(Status.CANCELED, now)
            self._lives.release_due()
        if "Body" in form:
            if form["Body"][0]:
                return Refusal(code=20422, detail="Body can only become empty.")
            message.body, message.updated_at = "", now
        return message.document()

    def _serve_rest(self, request: Request, rest: str, one: re.Match[str] | None) -> Answer:
        """Answer what no fault concerns: the account, its numbers, a text's media and feedback."""
        if rest == "" and request.method == "GET":
            return json_answer(200, account_document(self._account))
        if rest == "/IncomingPhoneNumbers" and request.method == "GET":
            return json_answer(200, numbers_document(self._account, request.query))
        if one is None or one["part"] is None:
            known = one is not None or rest in {"", "/Messages", "/IncomingPhoneNumbers"}
            return _show(Refusal(code=20004 if known else 20404))
        message = self._account.messages.find(one["sid"])
        if message is None:
            return _show(Refusal(code=20404))
        if one["part"] == "/Media" and request.method == "GET":
            return json_answer(200, media_document(message))
        if one["part"] == "/Feedback" and request.method == "POST":
            return self._feed_back(message, request.form())
        return _show(Refusal(code=20004))

    def _feed_back(self, message: Message, form: dict[str, list[str]]) -> Answer:
        outcome = form.get("Outcome", ["unconfirmed"])[0]
        if outcome not in {"confirmed", "unconfirmed"}:
            return _show(Refusal(code=20422, detail="Outcome must be 'confirmed' or 'unconfirmed'."))
        message.feedback.append(outcome)
        return json_answer(200, feedback_document(message, outcome, self._account.clock()))


def _show(result: dict[str, Any] | Refusal) -> Answer:
    if isinstance(result, Refusal):
        challenge = (("WWW-Authenticate", 'Basic realm="Twilio API"'),) if result.code == 20003 else ()
        answer = json_answer(result.status, result.document())
        return Answer(status=answer.status, body=answer.body, headers=challenge)
    return json_answer(200, result)


def _refuse(refusal: Refusal, record: Record | None) -> Answer:
    if record is not None:
        record.outcome, record.status, record.code = "refused", refusal.status, refusal.code
    return _show(refusal)


def _note(answer: Answer | Silence, record: Record) -> Answer | Silence:
    record.status = answer.status if isinstance(answer, Answer) else None
    return answer


def _fail(rule: Rule, truth: Answer | None = None) -> Answer | Silence:
    """Make what a fault puts in place of an answer; `truth` is the answer that is lost."""
    fault = rule.fault
    if fault in NEEDS_DROP:
        silent = fault in {Fault.NO_ANSWER, Fault.NO_ANSWER_BEFORE}
        return Silence((30.0 if rule.seconds is None else rule.seconds) if silent else 0.0)
    match fault:
        case Fault.TOO_MANY_REQUESTS:
            return _show(Refusal(code=20429))
        case Fault.SERVER_ERROR_BEFORE | Fault.SERVER_ERROR_AFTER:
            return _show(Refusal(code=20500))
        case Fault.UNAVAILABLE:
            return _show(Refusal(code=20503))
        case Fault.HTML_502 | Fault.HTML_502_AFTER:
            return Answer(status=502, body=_GATEWAY_PAGE, content_type="text/html")
        case Fault.MALFORMED:
            body = truth.body if truth else b'{"'
            return Answer(status=201, body=body[: len(body) // 2])
        case Fault.QUEUE_FULL:
            return _show(Refusal(code=21611))
        case _:
            return _show(Refusal(code=rule.code or 20500))
