"""The wrappings of ten years of SDKs, and that none of them can be blown up."""

import base64
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from smspipe.capture import DECOMPRESSED_LIMIT, Refused
from smspipe.capture.inflate import gunzip, inflate, unbrotli, unzstd
from smspipe.capture.lz64 import DECODED_LIMIT, ENCODED_LIMIT, unlz64
from smspipe.model.event import Door
from tests.capture.asking import accept, only_event, refusal, signup

FORM = "application/x-www-form-urlencoded"
MIB = 1024 * 1024
LZ64: list[dict[str, str]] = json.loads((Path(__file__).parent / "lz64.json").read_text())
"""Texts and what the lz-string package (1.5.0) makes of them with `compressToBase64`."""

TEXT = json.dumps(signup(properties={"q": "a b+c?d>e~ÿ", "name": "Zoë 😀"}), ensure_ascii=False).encode()
PACKED = gzip.compress(TEXT)
ENCODED = base64.b64encode(TEXT)
# Repeated until the alphabet's two special letters occur, which is what the tests with them are about.
SPECIAL = base64.b64encode(json.dumps(signup(properties={"q": "~~~???>>>" * 9})).encode())
assert b"+" in SPECIAL
assert b"/" in SPECIAL


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        pytest.param(TEXT, {"content_type": "application/json"}, id="plain"),
        pytest.param(TEXT, {"content_type": "text/plain"}, id="plain as text"),
        pytest.param(PACKED, {"content_type": "text/plain"}, id="gzip without a hint"),
        pytest.param(PACKED, {"query": b"compression=gzip-js&ip=0&_=1767323045000&ver=1.9"}, id="gzip-js in the query"),
        pytest.param(PACKED, {"content_encoding": "gzip"}, id="gzip in the header"),
        pytest.param(PACKED, {"content_encoding": "deflate"}, id="gzip under another name"),
        pytest.param(PACKED, {"content_type": FORM}, id="gzip where a form was announced"),
        pytest.param(TEXT, {"content_encoding": "gzip"}, id="unpacked by a proxy"),
        pytest.param(TEXT, {"content_type": FORM}, id="JSON where a form was announced"),
        pytest.param(PACKED + b"after", {}, id="gzip with something after it"),
        pytest.param(ENCODED, {}, id="base64"),
        pytest.param(ENCODED, {"query": b"compression=base64"}, id="base64 with a hint"),
        pytest.param(SPECIAL.translate(bytes.maketrans(b"+/", b"-_")).rstrip(b"="), {}, id="base64 for addresses"),
        pytest.param(base64.encodebytes(TEXT), {}, id="base64 in lines"),
        pytest.param(base64.b64encode(PACKED), {}, id="base64 of gzip"),
        pytest.param(gzip.compress(ENCODED), {}, id="gzip of base64"),
        pytest.param(base64.b64encode(gzip.compress(ENCODED)), {}, id="base64 of gzip of base64"),
        pytest.param(b"data=" + quote(TEXT).encode(), {"content_type": FORM}, id="form of JSON"),
        pytest.param(b"data=" + quote_plus(ENCODED).encode(), {"content_type": FORM}, id="form of base64"),
        pytest.param(b"data=" + SPECIAL, {"content_type": FORM}, id="form of base64 with a bare plus"),
        pytest.param(b"data=" + ENCODED, {"content_type": "text/plain"}, id="form as text"),
        pytest.param(b"ver=1.2&data=" + ENCODED, {"content_type": FORM + "; charset=UTF-8"}, id="data is not first"),
        pytest.param(
            urlencode({"data": base64.b64encode(PACKED), "compression": "gzip"}).encode(),
            {"content_type": FORM},
            id="form of base64 of gzip",
        ),
        pytest.param(b"data=" + quote_plus(ENCODED).encode(), {"query": b"compression=base64"}, id="beacon"),
        pytest.param(base64.b64encode(b"data=" + quote_plus(ENCODED).encode()), {}, id="base64 of a form"),
        pytest.param(b"", {"method": "GET", "query": b"data=" + quote(TEXT).encode()}, id="JSON in the query"),
        pytest.param(b"", {"method": "GET", "query": b"data=" + SPECIAL}, id="base64 in the query"),
        pytest.param(b"{}", {"query": b"data=" + quote(TEXT).encode()}, id="the query comes before the body"),
    ],
)
def test_each_wrapping_is_taken_off(body: bytes, parts: dict[str, Any]) -> None:
    accepted = accept(body, **parts)
    assert accepted.events[0].event == "signup"
    assert accepted.payload.body[:1] == b"{"


@pytest.mark.parametrize("hint", ["lz64", "lz-string"])
@pytest.mark.parametrize("wrap", ["body", "form", "query", "header"])
def test_lz64_is_taken_off_when_it_is_named(hint: str, wrap: str) -> None:
    text, encoded = LZ64[3]["text"], LZ64[3]["encoded"].encode()
    assert '"phc_x"' in text
    asked: dict[str, dict[str, Any]] = {
        "body": {"query": f"compression={hint}".encode()},
        "header": {"content_encoding": hint},
        "form": {"content_type": FORM},
        "query": {"method": "GET", "query": f"compression={hint}&data=".encode() + quote_plus(encoded).encode()},
    }
    body: bytes = {"form": f"compression={hint}&data=".encode() + encoded, "query": b""}.get(wrap, encoded)
    # Its token is another project's: that it was read at all is what shows.
    assert refusal(body, **asked[wrap]).text == "API key is not valid: unknown"


@pytest.mark.parametrize("vector", LZ64, ids=lambda vector: vector["text"][:12])
def test_lz64_decodes_what_its_own_package_encoded(vector: dict[str, str]) -> None:
    assert unlz64(vector["encoded"].encode()).decode() == vector["text"]


@pytest.mark.parametrize("data", [b"", b"=", b"A", b"!!!!", b"////", b"\xff\xff", b"BYUwNmD2"])
def test_broken_lz64_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="failed to decode request: invalid lz64 data"):
        unlz64(data)


def test_lz64_is_limited_on_both_sides() -> None:
    with pytest.raises(Refused) as caught:
        unlz64(b"A" * (ENCODED_LIMIT + 1))
    assert caught.value.status == 413
    # A run of one letter: each code doubles nothing but adds one to the longest entry, as dense as the format gets.
    with pytest.raises(Refused) as caught:
        unlz64(run_of_letters(DECODED_LIMIT + 1))
    assert caught.value.status == 413


def run_of_letters(length: int) -> bytes:
    """Encode `length` times the letter A, at least: the unit itself, then each time the entry made just now."""
    codes = ["00", "10000010"]  # a new 8-bit unit; "A" with its lowest bit first
    entries, last, done = 4, 1, 1
    while done < length:
        codes.append(f"{entries:0{entries.bit_length()}b}"[::-1])
        entries, last = entries + 1, last + 1
        done += last
    codes.append(f"{2:0{entries.bit_length()}b}"[::-1])
    bits = "".join(codes)
    bits += "0" * (-len(bits) % 24)
    return base64.b64encode(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def test_our_run_of_letters_is_one() -> None:
    text = unlz64(run_of_letters(1000))
    assert len(text) >= 1000
    assert set(text) == {ord("A")}


@pytest.mark.parametrize(
    ("body", "parts", "text"),
    [
        (PACKED[:-20], {}, "failed to decode request: invalid gzip data"),
        (PACKED[:40] + b"\0" * 40, {}, "failed to decode request: invalid gzip data"),
        (b"\x1f\x8b", {}, "failed to decode request: invalid gzip data"),
        (gzip.compress(b""), {}, "failed to parse request: Input data was truncated"),
        (b"data=", {"content_type": FORM}, "request missing data payload"),
        (b"compression=gzip", {"content_type": FORM}, "request missing data payload"),
        (b"data=" + b"&a=b" * 40, {"content_type": FORM}, "failed to decode request: invalid urlencoded form data"),
        (b"", {"query": b"a=b&" * 40}, "failed to decode request: invalid urlencoded form data"),
        (b"", {"query": b"data="}, "request missing data payload"),
        (b"!!", {"query": b"compression=lz64"}, "failed to decode request: invalid lz64 data"),
    ],
    ids=[
        "gzip cut off",
        "gzip broken inside",
        "gzip's first bytes alone",
        "gzip of nothing",
        "empty data field",
        "form without data",
        "too many fields",
        "too long a query",
        "empty data in the query",
        "no lz64",
    ],
)
def test_a_broken_wrapping_is_refused_with_400(body: bytes, parts: dict[str, Any], text: str) -> None:
    refused = refusal(body, **parts)
    assert (refused.status, refused.text) == (400, text)


def test_gzip_is_taken_off_once() -> None:
    assert refusal(gzip.compress(PACKED)).status == 400


def test_base64_is_taken_off_twice_at_most() -> None:
    twice = base64.b64encode(ENCODED)
    assert only_event(twice).event == "signup"
    assert refusal(base64.b64encode(twice)).status == 400


@pytest.mark.parametrize(("door", "limit"), [(Door.CAPTURE, 2 * MIB), (Door.BATCH, 20 * MIB), (Door.HOOK, 2 * MIB)])
def test_a_body_over_its_doors_limit_is_refused_with_413(door: Door, limit: int) -> None:
    refused = refusal(b"{" + b" " * limit, door)
    assert refused.status == 413
    assert refused.text.startswith("maximum event size exceeded: ")


def test_a_form_over_two_mebibytes_is_refused_with_413_even_where_more_is_taken() -> None:
    assert refusal(b"data=" + b"a" * 2 * MIB, Door.BATCH).status == 413


def test_a_body_at_its_doors_limit_is_taken() -> None:
    text = json.dumps(signup()).encode()
    assert only_event(text + b" " * (2 * MIB - len(text))).event == "signup"


def test_a_body_that_unpacks_to_more_than_twenty_mebibytes_is_refused_with_413() -> None:
    body = gzip.compress(b"[" + b" " * DECOMPRESSED_LIMIT, compresslevel=1)
    assert len(body) < 2 * MIB
    refused = refusal(body)
    assert refused.status == 413
    assert refused.text.startswith("maximum event size exceeded: ")


def brotli_bomb(data: bytes) -> bytes:
    """Pack with brotli at its fastest."""
    import brotli

    packed: bytes = brotli.compress(data, quality=1)
    return packed


def zstd_bomb(data: bytes) -> bytes:
    """Pack with zstd, its size left out of the frame."""
    import zstandard

    return zstandard.ZstdCompressor(level=1, write_content_size=False).compress(data)


DECODERS: list[tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]] = [
    (lambda data: gzip.compress(data, compresslevel=1), gunzip),
    (lambda data: zlib.compress(data, level=1), inflate),
    (brotli_bomb, unbrotli),
    (zstd_bomb, unzstd),
]


@pytest.mark.parametrize(("pack", "unpack"), DECODERS, ids=["gzip", "deflate", "br", "zstd"])
class TestEachDecoder:
    def test_gives_what_was_packed(self, pack: Callable[[bytes], bytes], unpack: Callable[[bytes, int], bytes]) -> None:
        data = bytes(range(256)) * 1000
        assert unpack(pack(data), len(data)) == data
        assert unpack(pack(b""), 0) == b""

    def test_stops_at_its_limit(self, pack: Callable[[bytes], bytes], unpack: Callable[[bytes, int], bytes]) -> None:
        with pytest.raises(Refused) as caught:
            unpack(pack(b"x" * 1001), 1000)
        assert caught.value.status == 413

    def test_never_holds_a_bomb(self, pack: Callable[[bytes], bytes], unpack: Callable[[bytes, int], bytes]) -> None:
        bomb = pack(bytes(8 * MIB))
        assert len(bomb) < MIB // 8
        tracemalloc.start()
        try:
            with pytest.raises(Refused):
                unpack(bomb, MIB)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * MIB

    def test_refuses_rubbish(self, pack: Callable[[bytes], bytes], unpack: Callable[[bytes, int], bytes]) -> None:
        for rubbish in (b"", b"\0", b"rubbish" * 9, pack(b"x" * 1000)[:6]):
            assert outcome(unpack, rubbish) in {400, b""}


def outcome(unpack: Callable[[bytes, int], bytes], data: bytes) -> bytes | int:
    """What comes out of `data`, or the status of its refusal."""
    try:
        return unpack(data, 1000)
    except Refused as refused:
        return refused.status


def test_a_deep_bomb_is_refused_before_it_takes_long() -> None:
    body = gzip.compress(b"[" * (4 * MIB), compresslevel=1)
    began = time.process_time()
    assert refusal(body).status == 400
    assert time.process_time() - began < 1


@pytest.mark.parametrize("piece", [b"[],", b"{},", b'{"a":1},', b"1000,", b'{"event":"e"},'])
def test_a_body_of_very_many_small_values_is_refused_before_anything_is_made_of_it(piece: bytes) -> None:
    body = b"[" + piece * (DECOMPRESSED_LIMIT // len(piece) - 1) + b"1]"
    refused = refusal(gzip.compress(body, compresslevel=1), Door.BATCH)
    assert refused.text == "failed to parse request: too many values in one request"
