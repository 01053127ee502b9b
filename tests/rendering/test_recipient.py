"""Which number: what people write, what events hold, what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.errors import Invalid
from smspipe.model.outcome import Reason, Refusal
from smspipe.rendering import Recipient, check_sender, find_recipient

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=5,
)
NUMBERISH = st.text("0123456789+ -.()/,;:xA\u202a０٣", max_size=20)
COUNTRIES = st.sampled_from([None, "", "US", "de", "GB", "IT", "ZZ"])


def reason_for(value: Any, country: str | None = None) -> Reason:
    refusal = find_recipient(value, country)
    assert isinstance(refusal, Refusal), refusal
    return refusal.reason


@pytest.mark.parametrize(
    ("value", "country", "number"),
    [
        pytest.param("+14155552671", None, "+14155552671", id="international"),
        pytest.param("+1 (415) 555-2671", None, "+14155552671", id="blanks, brackets, dash"),
        pytest.param("  +1.415.555.2671\n", None, "+14155552671", id="dots, blanks around"),
        pytest.param(
            "\u202a+1\u2011415\xa0555\u20132671\u202c", None, "+14155552671", id="copied from an address book"
        ),
        pytest.param("＋１４１５５５５２６７１", None, "+14155552671", id="full-width"),
        pytest.param("0014155552671", None, "+14155552671", id="00 for +"),
        pytest.param("00 49 151 23456789", "US", "+4915123456789", id="00 with a default country"),
        pytest.param("tel:+14155552671", None, "+14155552671", id="tel:"),
        pytest.param("+44 (0)20 7946 0958", None, "+442079460958", id="trunk zero in brackets"),
        pytest.param("+39 02 1234567", None, "+39021234567", id="Italy's zero stays"),
        pytest.param("0151 23456789", "DE", "+4915123456789", id="national"),
        pytest.param("0151/23456789", "de", "+4915123456789", id="national, slash, small country"),
        pytest.param("15005550009", "US", "+15005550009", id="country code without +"),
        pytest.param(15005550009, "US", "+15005550009", id="whole number"),
        pytest.param(4155552671, "US", "+14155552671", id="whole number, national"),
        pytest.param(4155552671.0, "US", "+14155552671", id="whole number as a float"),
        pytest.param("+4915123456789", "US", "+4915123456789", id="+ beats the default country"),
    ],
)
def test_a_number_is_understood(value: Any, country: str | None, number: str) -> None:
    recipient = find_recipient(value, country)
    assert isinstance(recipient, Recipient), recipient
    assert recipient.number == number


@pytest.mark.parametrize("last", range(1, 10))
def test_twilios_magic_numbers_pass(last: int) -> None:
    assert find_recipient(f"+1500555000{last}", None) == Recipient(number=f"+1500555000{last}")  # type: ignore[arg-type]  # the text is an E164


def test_a_possible_number_that_no_plan_knows_is_sent_to_with_a_doubt() -> None:
    recipient = find_recipient("+15558675310", None)
    assert isinstance(recipient, Recipient)
    assert recipient.number == "+15558675310"
    assert recipient.doubt
    assert "8675310" not in recipient.doubt


@pytest.mark.parametrize("value", [None, "", " ", "\n", "null", " null "])
def test_nothing_is_a_missing_recipient(value: Any) -> None:
    assert reason_for(value) is Reason.RECIPIENT_MISSING
    assert reason_for(value, "US") is Reason.RECIPIENT_MISSING


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(True, id="true"),
        pytest.param(0, id="zero"),
        pytest.param(-14155552671, id="negative"),
        pytest.param(1.5, id="fraction"),
        pytest.param(float("nan"), id="not a number"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(10**5000, id="huge"),
        pytest.param(["+14155552671"], id="list"),
        pytest.param({"number": "+14155552671"}, id="object"),
        pytest.param("whatsapp:+14155552671", id="whatsapp"),
        pytest.param("messenger:14155552671", id="messenger"),
        pytest.param("+1-800-FLOWERS", id="vanity letters"),
        pytest.param("+14155552671 x5", id="extension"),
        pytest.param("+14155552671;ext=5", id="extension parameter"),
        pytest.param("+14155552671,+14155552672", id="two numbers"),
        pytest.param("ada@example.com", id="address"),
        pytest.param("+1415", id="too short"),
        pytest.param("12345", id="short code"),
        pytest.param("+1 555-0009", id="no area code"),
        pytest.param("+1415555267100", id="too long"),
        pytest.param("+999123456789", id="no such country"),
        pytest.param("+04155552671", id="no such country 0"),
        pytest.param("++14155552671", id="two plus"),
        pytest.param("1+4155552671", id="plus inside"),
        pytest.param("+", id="plus alone"),
        pytest.param("()", id="brackets alone"),
        pytest.param("1" * 10_000, id="ten thousand digits"),
    ],
)
@pytest.mark.parametrize("country", [None, "US"])
def test_what_cannot_be_a_number_is_refused(value: Any, country: str | None) -> None:
    assert reason_for(value, country) is Reason.RECIPIENT_INVALID


@pytest.mark.parametrize("value", ["4155552671", 4155552671, 15005550009, "15005550009"])
@pytest.mark.parametrize("country", [None, "", "ZZ"])
def test_digits_without_plus_need_a_default_country(value: Any, country: str | None) -> None:
    refusal = find_recipient(value, country)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.RECIPIENT_INVALID
    assert "+" in refusal.saw
    assert "default country" in refusal.saw


@pytest.mark.slow
@given(JSON | NUMBERISH, COUNTRIES)
def test_any_json_value_is_a_number_in_e164_or_refused(value: Any, country: str | None) -> None:
    found = find_recipient(value, country)
    if isinstance(found, Recipient):
        assert found.number.startswith("+")
        assert found.number[1:].isdecimal()
        assert found.number.isascii()
        assert 8 <= len(found.number) <= 16
        assert find_recipient(found.number, country) == found
    else:
        assert found.reason in (Reason.RECIPIENT_MISSING, Reason.RECIPIENT_INVALID)
        assert found.saw.endswith(".")


@pytest.mark.slow
@given(st.from_regex(r"\+?[0-9]{7,20}", fullmatch=True), COUNTRIES)
def test_what_is_said_of_a_number_shows_it_masked(value: str, country: str | None) -> None:
    found = find_recipient(value, country)
    said = found.saw if isinstance(found, Refusal) else found.doubt or ""
    assert value[3:-2] not in said or len(value) < 8


def test_what_is_said_of_other_text_shows_none_of_it() -> None:
    refusal = find_recipient("Grace: +1415555267", None)
    assert isinstance(refusal, Refusal)
    assert "Grace" not in refusal.saw
    assert "555" not in refusal.saw


# ---- senders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "sender"),
    [
        pytest.param("+15005550006", "+15005550006", id="number"),
        pytest.param(" +1 (500) 555-0006 ", "+15005550006", id="number with marks"),
        pytest.param("12345", "12345", id="short code"),
        pytest.param("Acme", "Acme", id="name"),
        pytest.param("Acme & Co-1", "Acme & Co-1", id="name with marks"),
        pytest.param("MG" + "0a" * 16, "MG" + "0a" * 16, id="messaging service"),
    ],
)
def test_a_sender_is_understood(value: str, sender: str) -> None:
    assert check_sender(value) == sender


@pytest.mark.parametrize(
    "value",
    [
        *[None, "", "  ", 12345, ["Acme"], "15005550006", "+0123456789", "+123456", "Twelve chars", "Acmé", "12 34"],
        *[
            "MG" + "0g" * 16,
            "viber:+15005550006",
            "whatsapp:15005550006",
            "messenger:",
            "tel:tel:",
            "(500) 555-0006",
            "12",
            "null-🙂",
            "12345678901",
        ],
    ],
)
def test_what_twilio_takes_for_no_sender_is_invalid(value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        check_sender(value, field="inputs__from_number")
    assert caught.value.field == "inputs__from_number"
    assert caught.value.hint
    assert "500" not in str(caught.value)
