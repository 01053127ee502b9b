"""Characters that GSM-7 has not, and what it has in their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.message import Encoding
from smspipe.rendering import count_segments
from smspipe.rendering.standins import name_of, outside_gsm_7, stand_in


@pytest.mark.parametrize(
    ("character", "instead", "name"),
    [
        ("’", "'", "right single quotation mark"),
        ("“", '"', "left double quotation mark"),
        ("–", "-", "en dash"),
        ("…", "...", "horizontal ellipsis"),
        ("\xa0", " ", "no-break space"),
        ("\u202f", " ", "narrow no-break space"),
        ("\u200b", "", "zero width space"),
        ("\t", " ", "character u+0009"),
        ("ç", "c", "latin small letter c with cedilla"),
        ("ł", "l", "latin small letter l with stroke"),
        ("½", "1/2", "vulgar fraction one half"),
        ("ﬁ", "fi", "latin small ligature fi"),
        ("\U0001f600", None, "grinning face"),
        ("ж", None, "cyrillic small letter zhe"),
    ],
)
def test_a_character_is_named_with_its_stand_in(character: str, instead: str | None, name: str) -> None:
    assert (stand_in(character), name_of(character)) == (instead, name)


def test_the_characters_outside_are_listed_with_their_places() -> None:
    assert outside_gsm_7("it’s €5 – ok") == [(2, "’"), (8, "–")]


@given(st.text(max_size=60))
def test_a_text_has_none_outside_exactly_when_it_is_gsm_7(text: str) -> None:
    assert (not outside_gsm_7(text)) == (count_segments(text).encoding is Encoding.GSM_7)


@given(st.characters())
def test_every_stand_in_is_gsm_7(character: str) -> None:
    assert outside_gsm_7(stand_in(character) or "") == []
