import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smspipe.sandbox.segments import count_segments, smart_encode

CASES = {
    "nothing": ("", 1),
    "one full GSM segment": ("a" * 160, 1),
    "one septet more": ("a" * 161, 2),
    "two full GSM segments": ("a" * 306, 2),
    "three GSM segments": ("a" * 307, 3),
    "an escaped character costs two": ("€" * 80, 1),
    "eighty-one escaped characters": ("€" * 81, 2),
    "an escape pair is not cut": ("a" * 152 + "€" + "a" * 153, 3),
    "every escaped character": ("^{}\\[~]|€\f" * 8, 1),
    "accents of the alphabet": ("èéùìòÇØøÅåÆæßÉÄÖÑÜäöñüà" * 6, 1),
    "Greek capitals": ("ΔΦΓΛΩΠΨΣΘΞ" * 16, 1),
    "a line break of two": ("\r\n" * 80, 1),
    "one full UCS-2 segment": ("ç" * 70, 1),
    "one unit more": ("ç" * 71, 2),
    "two full UCS-2 segments": ("ç" * 134, 2),
    "a backtick is not in the alphabet": ("`" + "a" * 70, 2),
    "a tab is not in the alphabet": ("\t" + "a" * 70, 2),
    "a curly quote makes a text UCS-2": ("’" + "a" * 159, 3),
    "an escaped character costs one in UCS-2": ("ç" + "€" * 69, 1),
    "an emoji takes two units": ("😀" * 35, 1),
    "a surrogate pair is not cut": ("a" * 66 + "😀" + "ç" * 66, 3),
    "a flag is not cut": ("ç" * 64 + "🇩🇪" + "ç" * 67, 3),
    "a family is not cut": ("ç" * 60 + "👨‍👩‍👧‍👦" + "ç" * 60, 3),
    "a combining accent stays with its letter": ("ç" * 66 + "e\u0301" + "ç" * 66, 3),
    "an accent longer than a segment is cut": ("e" + "\u0301" * 140, 3),
}


@pytest.mark.parametrize(("body", "segments"), CASES.values(), ids=CASES.keys())
def test_segments_are_counted_as_twilio_bills_them(body: str, segments: int) -> None:
    assert count_segments(body) == segments


@settings(deadline=None)
@given(st.text(alphabet="aç€😀\u0301", max_size=400))
def test_a_text_takes_at_least_the_segments_its_length_asks_for(body: str) -> None:
    units = len(body.encode("utf-16-le")) // 2

    assert count_segments("ç" + body) >= -(-(units + 1) // 70)


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=50))
def test_a_longer_text_takes_no_fewer_segments(body: str, more: str) -> None:
    body, more = (text.encode("utf-8", "ignore").decode() for text in (body, more))

    assert count_segments("ç" + body + " " + more) >= count_segments("ç" + body)


@pytest.mark.parametrize(
    ("body", "smart"),
    [
        ("“It’s – well … fine”", '"It\'s - well ... fine"'),
        ("a\u00a0b\u2003c", "a b c"),
        ("ｆｕｌｌ！", "full!"),
        ("zero\u200bwidth", "zerowidth"),
        ("½ ‼", "1/2 !!"),
        ("™ 😀 ç stay", "™ 😀 ç stay"),
    ],
)
def test_smart_encoding_replaces_only_what_has_a_look_alike(body: str, smart: str) -> None:
    assert smart_encode(body) == smart
