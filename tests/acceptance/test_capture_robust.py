"""Input of every wrong kind, sent to the running service: a 4xx with its sentence, nothing worse, and nothing kept."""

import base64
import gzip
import http.client
import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import brotli
import pytest
import zstandard

from tests.acceptance.service import TOKEN, Service, twilio_destination

MEBIBYTE = 2**20
V1 = {
    "Authorization": f"Bearer {TOKEN}",
    "Content-Type": "application/json",
    "PostHog-Sdk-Info": "test/1",
    "PostHog-Attempt": "1",
    "PostHog-Request-Id": "01900000-0000-7000-8000-000000000001",
    "PostHog-Request-Timestamp": "2026-01-02T03:04:05Z",
}

pytestmark = pytest.mark.slow


def event(**more: Any) -> dict[str, Any]:
    """Write an event that is right."""
    return {"api_key": TOKEN, "event": "x", "distinct_id": "u", **more}


def text(value: Any) -> bytes:
    """Write JSON."""
    return json.dumps(value).encode()


def raw(properties: bytes) -> bytes:
    """Write an event whose properties are these very bytes."""
    return text(event(properties=0)).replace(b'"properties": 0', b'"properties": ' + properties)


@pytest.fixture
def victim(service: Service) -> Iterator[Service]:
    """The service, which must afterwards still take events."""
    yield service
    assert service.ask("POST", "/e/", text(event())).status == 200


WRONG: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "request missing data payload"),
    "white space": (b" \n ", 400, "failed to parse request"),
    "no JSON": (b"hello", 400, "failed to parse request"),
    "half of JSON": (text(event())[:-1], 400, "failed to parse request"),
    "more than JSON": (text(event()) + b"}", 400, "failed to parse request"),
    "a number": (b"7", 400, "failed to parse request"),
    "an empty list": (b"[]", 400, "request holds no event"),
    "an empty batch": (text({"api_key": TOKEN, "batch": []}), 400, "request holds no event"),
    "NaN": (raw(b'{"a": NaN}'), 400, "failed to parse request"),
    "infinity": (raw(b'{"a": -Infinity}'), 400, "failed to parse request"),
    "a huge integer": (raw(b'{"a": ' + b"9" * 400 + b"}"), 400, "failed to parse request: number out of range"),
    "a raw NUL": (raw(b'{"a": "\x00"}'), 400, "failed to parse request"),
    "bad UTF-8": (raw(b'{"a": "\xff\xfe"}'), 400, "failed to"),
    "a lone surrogate": (raw(b'{"a": "\\ud800"}'), 400, "failed to"),
    "UTF-16": (json.dumps(event()).encode("utf-16"), 400, "failed to"),
    "a deep list": (raw(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), 400, "recursion limit exceeded"),
    "a deep object": (raw(b'{"a": ' * 100_000 + b"1" + b"}" * 100_000), 400, "recursion limit exceeded"),
    "open brackets only": (b"[" * 100_000, 400, "failed to parse request"),
    "an event that is a list": (text({"api_key": TOKEN, "batch": [[]]}), 400, "failed to parse request"),
    "a name that is a number": (text(event(event=7)), 400, "failed to parse request"),
    "a name that is empty": (text(event(event="")), 400, "event submitted with an empty event name"),
    "no name": (text({"api_key": TOKEN, "distinct_id": "u"}), 400, "missing event name attribute"),
    "no distinct_id": (text({"api_key": TOKEN, "event": "x"}), 400, "event submitted without a distinct_id"),
    "properties that are text": (text(event(properties="x")), 400, "failed to parse request"),
    "a uuid that is none": (text(event(uuid="x")), 400, "failed to parse request"),
    "a timestamp that is a list": (text(event(timestamp=[])), 400, "failed to parse request"),
    "a batch that is an object": (text({"api_key": TOKEN, "batch": {}}), 400, "failed to parse request"),
    "no token": (text({"event": "x", "distinct_id": "u"}), 401, "event submitted without an api_key"),
    "an empty token": (text(event(api_key=" ")), 401, "API key is not valid: empty"),
    "a foreign token": (text(event(api_key="phc_other")), 401, "API key is not valid: unknown"),
    "a personal key": (text(event(api_key="phx_secret")), 401, "API key is not valid: personal_api_key"),
    "a long token": (text(event(api_key="x" * 65)), 401, "API key is not valid: too_long"),
    "a token with an emoji": (text(event(api_key="👋")), 401, "API key is not valid: not_ascii"),
    "a gzip that is cut off": (gzip.compress(text(event()))[:-9], 400, "failed to decode request"),
    "a gzip with a wrong sum": (gzip.compress(text(event()))[:-8] + bytes(8), 400, "failed to decode request"),
    "a gzip of nothing": (gzip.compress(b""), 400, "failed to parse request"),
    "a gzip in a gzip": (gzip.compress(gzip.compress(text(event()))), 400, "failed to parse request"),
    "base64 of no JSON": (base64.b64encode(b"hello world"), 400, "failed to parse request"),
    "a form without data": (b"data=&compression=gzip", 400, "request missing data payload"),
    "a form of rubbish": (b"data=" + quote("{[}").encode(), 400, "failed to parse request"),
}


@pytest.mark.parametrize(("body", "status", "sentence"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("path", ["/e/", "/batch/"])
def test_a_wrong_body_is_refused_with_its_sentence(
    victim: Service, path: str, body: bytes, status: int, sentence: str
) -> None:
    answer = victim.ask("POST", path, body)

    assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert sentence in answer.text


RIGHT: dict[str, bytes] = {
    "an escaped NUL": raw(b'{"a": "\\u0000", "$set": {"b\\u0000": 1}}'),
    "a depth of 126": raw(b'{"a": ' + b"[" * 125 + b"]" * 125 + b"}"),
    "numbers of every size": raw(b'{"a": [1e308, -1e-320, 0.1, -0, 18446744073709551616, 1e999999999]}')
    .replace(b", 1e999999999", b""),
    "an object with one key twice": raw(b'{"a": 1, "a": 2}'),
    "odd keys": raw(b'{"": 1, "__proto__": {"x": 1}, "$set": {"": null, "\\n": []}}'),
    "a byte order mark": b"\xef\xbb\xbf" + text(event()),
    "the last Unicode character": text(event(distinct_id="\U0010ffff" * 300)),
    "a person of odd types": text(event(**{"$set": {"name": [1, {}], "phone": {"x": 1}}, "$set_once": {"name": None}})),
    "a gzip": gzip.compress(text(event())),
    "base64": base64.b64encode(text(event())),
    "a form": b"data=" + quote(base64.b64encode(text(event())).decode()).encode(),
}  # fmt: skip


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT.keys())
def test_an_odd_body_is_taken_and_decided_on(victim: Service, body: bytes) -> None:
    answer = victim.ask("POST", "/e/", body)

    assert (answer.status, answer.json) == (200, {"status": "Ok"})
    victim.wait_until_idle()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/e/", "/batch", "/i/v1/analytics/events", "/hooks/posthog"])
def test_a_wrong_method_is_refused_and_the_right_ones_are_named(victim: Service, method: str, path: str) -> None:
    headers = V1 if "v1" in path else {"Authorization": "Bearer phx_acceptance"}
    answer = victim.ask(method, path, text(event()), headers)

    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


# --- large and larger -------------------------------------------------------------------------------------------------


def bomb(compress: Callable[[bytes], bytes], size: int = 512 * MEBIBYTE) -> bytes:
    """Compress far more than anyone may send."""
    return compress(b'{"a":"' + b" " * size)


def gzip_bomb(data: bytes) -> bytes:
    """Compress as gzip does."""
    return gzip.compress(data, 9)


BOMBS = {
    "gzip at /e": ("/e/", gzip_bomb, {}),
    "gzip at /batch": ("/batch/", gzip_bomb, {"Content-Encoding": "gzip"}),
    "gzip as base64 in a form": ("/e/", lambda data: b"data=" + base64.b64encode(gzip_bomb(data)), {}),
    "gzip at v1": ("/i/v1/analytics/events", gzip_bomb, {**V1, "Content-Encoding": "gzip"}),
    "deflate at v1": ("/i/v1/analytics/events", zlib.compress, {**V1, "Content-Encoding": "deflate"}),
    "brotli at v1": (
        "/i/v1/analytics/events", lambda data: brotli.compress(data, quality=1), {**V1, "Content-Encoding": "br"}
    ),
    "zstd at v1": ("/i/v1/analytics/events", zstandard.compress, {**V1, "Content-Encoding": "zstd"}),
}  # fmt: skip


@pytest.mark.parametrize(("path", "compress", "headers"), BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_before_it_bursts(
    victim: Service, path: str, compress: Callable[[bytes], bytes], headers: dict[str, str]
) -> None:
    body = bomb(compress, 128 * MEBIBYTE)
    assert len(body) < MEBIBYTE
    victim.forget_peak()
    before = victim.memory_bytes()

    answer = victim.ask("POST", path, body, headers)

    assert answer.status == 413
    assert "maximum event size exceeded" in answer.text
    assert victim.peak_bytes() - before < 80 * MEBIBYTE


def test_a_batch_of_almost_20_mebibytes_is_taken(victim: Service) -> None:
    batch = text({"api_key": TOKEN, "batch": [event(properties={"text": "x" * 1000})] * 18_000})
    assert 18 * MEBIBYTE < len(batch) < 20 * MEBIBYTE

    assert victim.ask("POST", "/batch/", batch).status == 200
    assert victim.ask("POST", "/batch/", gzip.compress(batch, 1)).status == 200
    victim.wait_until_idle()


def test_a_megabyte_is_too_much_nowhere_and_three_are_for_one_event(victim: Service) -> None:
    assert victim.ask("POST", "/e/", text(event(properties={"a": "x" * MEBIBYTE}))).status == 200
    answer = victim.ask("POST", "/e/", text(event(properties={"a": "x" * 3 * MEBIBYTE})))
    assert (answer.status, answer.text) == (
        413, "maximum event size exceeded: a body of more than 2097152 bytes"
    )  # fmt: skip


def test_memory_comes_back_after_many_large_requests(own_service: Callable[..., Service]) -> None:
    """What a hundred large requests leave behind is not a hundred times what ten leave."""
    service = own_service()
    service.start()
    batch = gzip.compress(text({"api_key": TOKEN, "batch": [event(properties={"a": ["x"] * 200})] * 1000}), 1)

    def after(n: int) -> int:
        for _ in range(n):
            assert service.ask("POST", "/batch/", batch).status == 200
        service.wait_until_idle()
        return service.memory_bytes()

    settled = after(15)
    assert after(45) - settled < 40 * MEBIBYTE


# --- chance -----------------------------------------------------------------------------------------------------------

SEEDS = [
    text(event(properties={"$set": {"name": "Ada", "phone": "+14155559999"}, "n": 1.5, "list": [1, None, True]})),
    text({"api_key": TOKEN, "sent_at": "2026-01-02T03:04:05Z", "batch": [event(uuid=V1["PostHog-Request-Id"])] * 3}),
    text([event(timestamp="2026-01-02T03:04:05Z", properties={"token": TOKEN, "$groups": {"company": "a"}})]),
    text(event(event="$identify", properties={"$anon_distinct_id": "v"})),
    text(event(event="$create_alias", properties={"alias": "w"})),
    text(event(event="$groupidentify", properties={"$group_type": "t", "$group_key": "k", "$group_set": {"a": 1}})),
    text({
        "created_at": "2026-01-02T03:04:05Z",
        "batch": [{"event": "x", "uuid": "01900000-0000-7000-8000-000000000002", "distinct_id": "u",
                   "timestamp": "2026-01-02T03:04:05Z", "options": {"process_person_profile": True}, "properties": {}}],
    }),
    text({"event": event(), "person": {"properties": {"phone": "+14155559999"}}, "groups": {}, "project": {"id": 1}}),
    gzip.compress(text(event())),
    base64.b64encode(text(event())),
    b"data=" + quote(base64.b64encode(text(event())).decode()).encode() + b"&compression=base64",
]  # fmt: skip
PIECES = [b"{", b"}", b"[", b"]", b'"', b"\\", b"\\u0000", b"\\ud800", b"null", b"true", b"-", b"1e400", b"9" * 20,
          b",", b":", b"\x00", b"\xff", b"\x1f\x8b", b"data=", b"%", b"=", b'"$set":', b'"batch":', b'"uuid":',
          b'"timestamp":', b'"distinct_id":', "é👋\u2028".encode(), b" " * 50]  # fmt: skip
PATHS = ["/e/", "/e", "/batch/", "/capture", "/track/", "/engage/", "/i/v0/e/", "/i/v1/analytics/events",
         "/hooks/posthog", "/i/v0/ai/batch"]  # fmt: skip
QUERIES = ["", "?compression=gzip", "?compression=gzip-js", "?compression=lz64", "?compression=base64", "?data=eyJ",
           "?beacon=1", "?ip=0&_=1767322000000", "?_=x&sent_at=y", "?%", "?" + "a=1&" * 40]  # fmt: skip


def mutate(chance: random.Random, body: bytes) -> bytes:
    """Change a body in up to six places."""
    changed = bytearray(body)
    for _ in range(chance.randint(0, 6)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at:at] = chance.choice(PIECES)
            case 2:
                del changed[at : at + chance.randint(1, 20)]
            case 3:
                changed[at:at] = changed[at : at + chance.randint(1, 60)] * chance.randint(1, 4)
            case 4:
                other = chance.choice(SEEDS)
                start = chance.randrange(len(other))
                changed[at:at] = other[start : start + chance.randint(1, 60)]
            case _:
                changed[at : at + len(b"null")] = chance.choice(PIECES)
    return bytes(changed)


def random_headers(chance: random.Random) -> dict[str, str]:
    """Choose headers, mostly right ones."""
    headers = dict(V1)
    for name in list(headers):
        if chance.random() < 0.08:
            headers[name] = chance.choice(["", "x", "\x7f", "é", "1" * 300, "Bearer", "-1"])
        elif chance.random() < 0.05:
            del headers[name]
    headers["Content-Type"] = chance.choice(
        ["application/json", "text/plain", "application/x-www-form-urlencoded", "application/json", ""]
    )
    if chance.random() < 0.3:
        headers["Content-Encoding"] = chance.choice(["gzip", "deflate", "br", "zstd", "lz64", "identity", "x", ""])
    if chance.random() < 0.2:
        headers["Origin"] = chance.choice(["https://shop.example", "null", "é", ""])
    return headers


def test_whatever_is_sent_is_answered_and_nothing_breaks(own_service: Callable[..., Service]) -> None:
    service = own_service()
    service.start()
    service.create(
        twilio_destination("Everyone", to="{person.properties.phone}", body="{event.event} {person.properties}")
    )
    chance = random.Random(20260102)
    counts: dict[int, int] = {}
    connection = http.client.HTTPConnection(*service.host, timeout=30)

    def send() -> None:
        headers = {name: value.encode("utf-8") for name, value in random_headers(chance).items()}
        connection.request(
            chance.choice(["POST"] * 20 + ["GET", "PUT", "OPTIONS"]),
            chance.choice(PATHS) + chance.choice(QUERIES if chance.random() < 0.3 else [""]),
            mutate(chance, chance.choice(SEEDS)),
            headers,
        )
        answer = connection.getresponse()
        body = answer.read()
        counts[answer.status] = counts.get(answer.status, 0) + 1
        assert answer.status < 500
        if answer.status >= 400:
            assert body, "a refusal without a sentence"

    for _ in range(500):
        send()
    service.wait_until_idle()
    settled = service.memory_bytes()
    for _ in range(3000):
        send()
    connection.close()
    service.wait_until_idle()

    assert counts[200] > 200, counts
    assert counts[400] > 500, counts
    assert counts[401] > 50, counts
    assert service.memory_bytes() - settled < 40 * MEBIBYTE
    assert service.ask("POST", "/e/", text(event())).status == 200
