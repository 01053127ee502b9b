"""
Smart Encoding, against Twilio's own calculator (npm `sms-segments-calculator` 1.3.0, MIT) run with it switched on.

`smart.json`: texts, and what the calculator sends in their place (null: the text itself) and says of its size.
"""

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.message import Encoding
from smspipe.rendering import Segments, count_segments, smart_encode
from tests.support.npm import NODE, npm_package

VECTORS: list[dict[str, Any]] = msgspec.json.decode(Path(__file__).with_name("smart.json").read_bytes())
BASIC_PLANE = """
const { SegmentedMessage } = require('./node_modules/sms-segments-calculator')
const replaced = {}
for (let code = 0; code <= 0xffff; code++) {
  if (code >= 0xd800 && code <= 0xdfff) continue
  const text = 'a' + String.fromCodePoint(code) + 'z'
  const sent = new SegmentedMessage(text, 'auto', true).graphemes.join('')
  if (sent !== text) replaced[code] = sent.slice(1, -1)
}
console.log(JSON.stringify(replaced))
"""


@pytest.mark.parametrize("case", VECTORS, ids=[case["id"] for case in VECTORS])
def test_a_text_becomes_and_is_counted_as_by_twilios_calculator(case: dict[str, Any]) -> None:
    sent = smart_encode(case["text"])
    assert sent == (case["text"] if case["smart"] is None else case["smart"])
    expected = Segments(encoding=Encoding(case["encoding"]), segments=case["segments"], units=case["units"])
    assert count_segments(sent) == expected


@pytest.mark.slow
def test_every_character_of_the_basic_plane_is_replaced_as_by_twilios_calculator() -> None:
    folder = npm_package("sms-segments-calculator", "1.3.0").parents[1]
    told = subprocess.run([NODE, "-e", BASIC_PLANE], cwd=folder, capture_output=True, check=True, timeout=240)
    replaced = {int(code): instead for code, instead in msgspec.json.decode(told.stdout).items()}
    assert len(replaced) == 271
    codes = (*range(0xD800), *range(0xE000, 0x10000))
    assert {code: sent for code in codes if (sent := smart_encode(chr(code))) != chr(code)} == replaced


@given(st.text())
def test_what_was_replaced_needs_no_more_replacing(text: str) -> None:
    assert smart_encode(smart_encode(text)) == smart_encode(text)


@given(st.text(), st.text())
def test_each_character_is_replaced_by_itself(first: str, second: str) -> None:
    assert smart_encode(first + second) == smart_encode(first) + smart_encode(second)


def test_a_single_curly_apostrophe_costs_three_segments_plain_and_one_smart() -> None:
    text = "a" * 159 + "’"
    assert count_segments(text).segments == 3
    assert count_segments(smart_encode(text)).segments == 1
