"""
Encoding, segments and the limit.

`segments.json`: texts, and what Twilio's own calculator (npm `sms-segments-calculator` 1.3.0, MIT) says of them.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.message import Encoding
from smspipe.model.outcome import Reason, Refusal
from smspipe.rendering import BODY_UNITS, Segments, check_body, count_segments
from smspipe.rendering import segments as segments_module
from smspipe.rendering.segments import GSM_7_BASIC, GSM_7_EXTENSION, utf16_units

VECTORS: list[dict[str, Any]] = msgspec.json.decode(Path(__file__).with_name("segments.json").read_bytes())
FAMILY = "👩‍👩‍👧‍👦"  # one grapheme of eleven UTF-16 units
ANY_TEXT = st.text(st.characters(exclude_categories=()))
# Texts rich in what is hard: graphemes of many code points, characters of two septets, line ends.
HARD_TEXT = st.lists(
    st.sampled_from(
        ["a", "é", "€", "{", "\r\n", "\n", "\r", "ж", "’", "©", "😀", FAMILY, "🇩🇪", "e\u0301", "각", "क्षि"]
    ),
    min_size=60,
    max_size=240,
).map("".join)


@pytest.mark.parametrize("case", VECTORS, ids=[case["id"] for case in VECTORS])
def test_segments_are_counted_as_by_twilios_calculator(case: dict[str, Any]) -> None:
    expected = Segments(encoding=Encoding(case["encoding"]), segments=case["segments"], units=case["units"])
    assert count_segments(case["text"]) == expected


def test_there_are_vectors_for_both_encodings() -> None:
    assert len(VECTORS) >= 60
    assert {case["encoding"] for case in VECTORS} == {"GSM-7", "UCS-2"}


def test_gsm_7_has_127_characters_of_one_septet_and_10_of_two() -> None:
    assert len(set(GSM_7_BASIC)) == len(GSM_7_BASIC) == 127
    assert len(set(GSM_7_EXTENSION)) == len(GSM_7_EXTENSION) == 10
    assert not set(GSM_7_BASIC) & set(GSM_7_EXTENSION)


def test_a_basic_character_takes_one_septet() -> None:
    for character in GSM_7_BASIC:
        assert count_segments(character) == Segments(encoding=Encoding.GSM_7, segments=1, units=1)


@pytest.mark.parametrize("character", GSM_7_EXTENSION)
def test_an_extension_character_takes_two_septets_and_in_ucs_2_one_unit(character: str) -> None:
    assert count_segments(character) == Segments(encoding=Encoding.GSM_7, segments=1, units=2)
    assert count_segments(character + "’") == Segments(encoding=Encoding.UCS_2, segments=1, units=2)


@pytest.mark.parametrize("character", ["`", "\t", "ç", "á", "’", "–", "…", "\xa0", "°", "™", "×", "₹", "😀"])
def test_one_character_outside_gsm_7_turns_the_whole_text_into_ucs_2(character: str) -> None:
    assert count_segments("a" * 159 + character).encoding is Encoding.UCS_2
    assert count_segments("a" * 159 + character).segments == 3


@given(ANY_TEXT)
def test_any_text_can_be_counted(text: str) -> None:
    counted = count_segments(text)
    single, joined = (160, 153) if counted.encoding is Encoding.GSM_7 else (70, 67)
    assert (counted.segments == 1) == (counted.units <= single)
    assert counted.units <= (single if counted.segments == 1 else counted.segments * joined)
    assert counted.segments >= 1


@pytest.mark.slow
@given(HARD_TEXT)
def test_a_text_fills_no_fewer_segments_than_its_units_need_and_loses_little(text: str) -> None:
    counted = count_segments(text)
    single, joined = (160, 153) if counted.encoding is Encoding.GSM_7 else (70, 67)
    if counted.units > single:
        least = -(-counted.units // joined)
        most = -(-counted.units // (joined - 10))  # the largest grapheme here has eleven units: ten lost at most
        assert least <= counted.segments <= most


@pytest.mark.slow
@given(st.text(st.characters(codec="utf-8"), min_size=71, max_size=300))
def test_counting_without_graphemes_gives_what_counting_with_them_gives(text: str) -> None:
    """The short cut for characters that stand alone is right to take."""
    alone = "".join(character for character in text if segments_module._stand_alone(character)) + "ж" * 71
    slow = segments_module._fill(segments_module._grapheme_sizes(alone), 67)
    assert count_segments(alone).segments == slow


@pytest.mark.parametrize("first", range(0, 0x10000, 4096))
def test_no_character_that_stands_alone_joins_a_neighbour(first: int) -> None:
    alone = [chr(point) for point in range(first, first + 4096) if segments_module._stand_alone(chr(point))]
    for neighbour in ("a", "ж", "—", "中"):
        for character in alone:
            assert len(segments_module._graphemes(character + neighbour)) == 2
            assert len(segments_module._graphemes(neighbour + character)) == 2


def test_a_grapheme_larger_than_a_segment_is_cut_between_its_code_points() -> None:
    counted = count_segments("e" + "\u0301" * 140)
    assert counted == Segments(encoding=Encoding.UCS_2, segments=3, units=141)


# ---- the limit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, "", " ", "\n\t \u3000"], ids=["null", "empty", "blank", "blanks"])
@pytest.mark.parametrize("truncate", [True, False])
def test_a_text_of_nothing_is_refused(body: str | None, truncate: bool) -> None:
    refusal = check_body(body, truncate=truncate)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.BODY_EMPTY


@pytest.mark.parametrize("body", ["a" * 1600, "😀" * 800, "ж" * 1600, " Hi "], ids=["gsm", "emoji", "ucs", "blanks"])
def test_a_text_within_the_limit_leaves_as_it_is(body: str) -> None:
    assert check_body(body, truncate=False) == body
    assert check_body(body, truncate=True) == body


@pytest.mark.parametrize(("body", "units"), [("a" * 1601, 1601), ("😀" * 801, 1602)], ids=["gsm", "emoji"])
def test_a_longer_text_is_refused_with_its_length(body: str, units: int) -> None:
    refusal = check_body(body, truncate=False)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.BODY_TOO_LONG
    assert str(units) in refusal.saw
    assert body[:3] not in refusal.saw


def test_truncating_keeps_graphemes_whole() -> None:
    body = "a" * 1595 + FAMILY + "b"
    assert check_body(body, truncate=True) == "a" * 1595
    assert check_body("a" * 1589 + FAMILY + "b", truncate=True) == "a" * 1589 + FAMILY


def test_truncating_to_nothing_but_blanks_refuses() -> None:
    refusal = check_body(" " * 1600 + "a", truncate=True)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.BODY_EMPTY


def test_truncating_cuts_into_a_grapheme_only_where_nothing_else_would_be_left() -> None:
    assert check_body("e" + "\u0301" * 2000, truncate=True) == "e" + "\u0301" * 1599


def test_half_a_surrogate_pair_is_replaced_and_two_halves_are_joined() -> None:
    assert check_body("Hi \ud83d!", truncate=False) == "Hi \ufffd!"
    assert check_body("Hi \ud83d\ude00!", truncate=False) == "Hi 😀!"


@pytest.mark.slow
@given(st.integers(0, 40), ANY_TEXT, HARD_TEXT)
def test_a_truncated_text_is_a_beginning_within_the_limit_that_can_be_encoded(times: int, some: str, hard: str) -> None:
    body = some + hard * times + some
    checked = check_body(body, truncate=True)
    if isinstance(checked, Refusal):
        assert checked.reason is Reason.BODY_EMPTY
    else:
        assert utf16_units(checked) <= BODY_UNITS
        whole = body.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        assert whole.startswith(checked)
        assert checked.encode()
