"""Which countries and kinds of numbers a destination texts to."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberType

from smspipe.guards.country import KINDS, check_country, look_up, own_country
from smspipe.model.destination import ANY
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.phone import E164
from smspipe.model.trust import NUMBER_TYPES
from tests.guards.test_check import a_case
from tests.pipeline.conftest import a_destination

US, CANADA, GERMANY, BRITAIN, JAMAICA = (
    "+14155552671", "+16135550123", "+4915112345678", "+447700900123", "+18765550123"
)  # fmt: skip
SERVICE = "MG" + "0" * 32


def ask(
    to: str,
    sender: str = "+15005550006",
    countries: frozenset[str] | None = None,
    number_types: frozenset[str] = frozenset(),
) -> Step | Refusal:
    text = Message(to=E164(to), sender=sender, body="Hi", encoding=Encoding.GSM_7, segments=1)
    destination = a_destination(countries=countries, number_types=number_types)
    answer = check_country(a_case(message=text, destination=destination))
    assert isinstance(answer, Step | Refusal)
    return answer


PASSED = [
    ("the sender's own country", US, "+15005550006", None),
    ("the sender's own country, elsewhere", GERMANY, "+4930901820", None),
    ("a magic number of Twilio's, from a sender in the US", "+15005550009", "+14155550100", None),
    ("another magic number", "+15005550001", "+15005550006", None),
    ("a number that no plan has, by its country code", "+15558675310", "+15005550006", None),
    ("from a toll-free number, to its country", US, "+18885550123", None),
    ("a named country", CANADA, "+15005550006", frozenset({"US", "CA"})),
    ("a named country that is not the sender's", GERMANY, "+15005550006", frozenset({"DE"})),
    ("from a name, anywhere", BRITAIN, "Acme", None),
    ("from a short code, anywhere", CANADA, "12345", None),
    ("from a Messaging Service, anywhere", GERMANY, SERVICE, None),
    ("any country", BRITAIN, "+15005550006", frozenset({ANY})),
    ("WhatsApp, the sender's own country", f"whatsapp:{US}", "whatsapp:+14155238886", None),
]


@pytest.mark.parametrize(("to", "sender", "countries"), [case[1:] for case in PASSED], ids=[case[0] for case in PASSED])
def test_a_country_that_is_texted_to(to: str, sender: str, countries: frozenset[str] | None) -> None:
    answer = ask(to, sender, countries)
    assert isinstance(answer, Step)
    assert (answer.name, answer.ok, answer.saw) == ("country", True, look_up(to.rpartition(":")[2]).region)


REFUSED = [
    ("another country than the sender's", GERMANY, "+15005550006", None, "DE"),
    ("the same country code, another country", CANADA, "+15005550006", None, "CA"),
    ("an island with the same country code", JAMAICA, "+15005550006", None, "JM"),
    ("one that is not named", US, "+15005550006", frozenset({"DE"}), "US"),
    ("a number of no country", "+8008001234567", "+15005550006", None, "no country"),
    ("WhatsApp, another country", f"whatsapp:{GERMANY}", "whatsapp:+14155238886", None, "DE"),
]


@pytest.mark.parametrize(
    ("to", "sender", "countries", "word"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_country_that_is_not_texted_to(to: str, sender: str, countries: frozenset[str] | None, word: str) -> None:
    answer = ask(to, sender, countries)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.COUNTRY_NOT_ALLOWED
    assert word in answer.saw
    assert "option countries" in answer.saw
    assert to not in answer.saw


DEAR = [
    ("premium", "+19005551234"),
    ("premium", "+37190001234"),
    ("premium", "+979123456789"),
    ("shared_cost", "+355808123"),
    ("shared_cost", "+80812345678"),
    ("satellite", "+870301234567"),
    ("satellite", "+881612345678"),
    ("satellite", "+8823421234"),
    ("satellite", "+883510012345"),
    ("uan", "+548101234567"),
    ("uan", "+12464301234"),
    ("pager", "+12684061234"),
    ("pager", "+41740123456"),
]


@pytest.mark.parametrize(("kind", "to"), DEAR, ids=str)
def test_a_kind_that_is_prone_to_fraud_is_texted_only_when_it_is_named(kind: str, to: str) -> None:
    everywhere = frozenset({ANY})
    answer = ask(to, countries=everywhere, number_types=frozenset(KINDS) - {kind})
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.COUNTRY_NOT_ALLOWED
    assert KINDS[kind] in answer.saw
    assert f'"{kind}"' in answer.saw
    assert to not in answer.saw
    assert isinstance(ask(to, countries=everywhere, number_types=frozenset({kind})), Step)


def test_a_named_kind_is_not_let_out_of_the_countries() -> None:
    assert isinstance(ask("+37190001234", number_types=frozenset({"premium"})), Refusal)


def test_every_kind_that_the_option_takes_is_known_here() -> None:
    assert tuple(KINDS) == NUMBER_TYPES


def test_a_name_on_another_channel_has_no_country() -> None:
    text = Message(to=E164("messenger:ada"), sender="messenger:shop", body="Hi", encoding=Encoding.GSM_7, segments=1)
    assert check_country(a_case(message=text)) is None


def test_a_country_that_passed_leaves_one_and_the_same_step() -> None:
    assert ask(US) is ask("+14155550199")


_DEAR_TYPES = {
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.PAGER: "pager",
}


def agrees(area: int, rest: int) -> bool:
    """Tell whether the table by area codes says of a number what libphonenumber does, where that knows it."""
    number = PhoneNumber(country_code=1, national_number=area * 10_000_000 + rest)
    region = phonenumbers.region_code_for_number(number)
    found = look_up(f"+1{area}{rest:07d}")
    kind = _DEAR_TYPES.get(phonenumbers.number_type(number))
    return region is None or (region, kind) == (found.region, found.kind)


@pytest.mark.parametrize("hundred", range(2, 10))
def test_every_area_code_has_the_country_that_libphonenumber_says(hundred: int) -> None:
    wrong = [
        area
        for area in range(100 * hundred, 100 * hundred + 100)
        for rest in (2345678, 5550123, 9761234, 2921999)
        if not agrees(area, rest)
    ]
    assert wrong == []


@given(st.integers(200, 999), st.integers(2_000_000, 9_999_999))
def test_any_north_american_number_has_the_country_and_kind_that_libphonenumber_says(area: int, rest: int) -> None:
    assert agrees(area, rest)


@given(st.text("0123456789", min_size=7, max_size=14).filter(lambda digits: digits[0] != "0"))
def test_whatever_the_number_something_is_said_of_it(digits: str) -> None:
    try:
        phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return
    found = look_up(f"+{digits}")
    assert found.kind is None or found.kind in KINDS
    assert len(found.region) in (2, 3)


@pytest.mark.parametrize(
    ("sender", "countries"),
    [
        ("+14155550100", {"US"}),
        ("whatsapp:+4915112345678", {"DE"}),
        ("Acme", {ANY}),
        ("12345", {ANY}),
        (SERVICE, {ANY}),
    ],
)
def test_the_country_of_a_sender_is_told_from_its_number(sender: str, countries: set[str]) -> None:
    assert own_country(sender) == countries
