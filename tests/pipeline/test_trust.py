"""Who vouches for a recipient, from the event's way in and the person's profile."""

from typing import Any

import msgspec
import pytest

from smspipe.model.destination import Route, Text
from smspipe.model.event import Door
from smspipe.model.outcome import Reason
from smspipe.model.person import Person
from smspipe.model.trust import CLAIMED, Recipients, Trust, Voucher
from smspipe.pipeline.decide import Decision, decide
from smspipe.pipeline.prepare import prepare
from smspipe.pipeline.trust import find_trust
from tests.pipeline.conftest import ADA, NOW, PHONE, SITE, Ledger, a_destination, an_event


def profile(*trusted: str, **properties: Any) -> Person:
    return msgspec.structs.replace(ADA, properties=properties, trusted=frozenset(trusted))


BY_PHONE = Trust(by=Voucher.PERSON, property="phone")
CASES: list[tuple[str, Person | None, Trust]] = [
    ("nobody", None, CLAIMED),
    ("a person without the number", profile(), CLAIMED),
    ("a person with the number, claimed", profile(phone=PHONE), CLAIMED),
    ("a trusted property with the number", profile("phone", phone=PHONE), BY_PHONE),
    ("the same number, written differently", profile("phone", phone="+1 (500) 555-0009"), BY_PHONE),
    ("the same number as people of the country write it", profile("phone", phone="500 555 0009"), BY_PHONE),
    ("as a link", profile("phone", phone="tel:+1-500-555-0009"), BY_PHONE),
    ("as a number", profile("phone", phone=15005550009), BY_PHONE),
    ("as a number without a country code", profile("phone", phone=5005550009), BY_PHONE),
    ("a trusted property with another number", profile("phone", phone="+15005550008"), CLAIMED),
    ("another property is trusted", profile("name", phone=PHONE, name="Ada"), CLAIMED),
    ("one of several", profile("name", "home", "phone", name="Ada", home="+15005550008", phone=PHONE), BY_PHONE),
    ("any trusted property will do", profile("mobile", phone="x", mobile=PHONE),
     Trust(by=Voucher.PERSON, property="mobile")),
    ("true is no number", profile("phone", phone=True), CLAIMED),
    ("nor is a list", profile("phone", phone=[PHONE]), CLAIMED),
    ("nor a long text with the number in it", profile("phone", phone=f"{PHONE} " + "x" * 80), CLAIMED),
]  # fmt: skip


@pytest.mark.parametrize(("person", "trust"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_number_is_trusted_if_a_trusted_property_of_the_person_is_that_number(
    person: Person | None, trust: Trust
) -> None:
    for to in (PHONE, f"whatsapp:{PHONE}"):
        assert find_trust(to, constant=False, event=an_event(), person=person, default_country="US") == trust


@pytest.mark.parametrize(
    ("constant", "fields", "voucher"),
    [
        (True, {}, Voucher.DESTINATION),
        (True, {"trusted": True}, Voucher.DESTINATION),
        (False, {"trusted": True}, Voucher.SECRET_KEY),
        (False, {"trusted": True, "door": Door.V1}, Voucher.SECRET_KEY),
        (False, {"trusted": True, "door": Door.HOOK}, Voucher.HOOK),
        (False, {"door": Door.BATCH}, None),
    ],
)
def test_the_destination_and_a_trusted_event_vouch_for_whatever_the_number_is(
    constant: bool, fields: dict[str, Any], voucher: Voucher | None
) -> None:
    found = find_trust(PHONE, constant=constant, event=an_event(**fields), person=ADA, default_country=None)
    assert found.by is voucher


STRICT = a_destination(recipients=Recipients.TRUSTED)


def decided(person: Person | None = ADA, phone: Any = PHONE, **fields: Any) -> Decision:
    event = an_event(properties={"phone": phone, "text": "Hi"}, **fields)
    (made,) = decide(event, person, (), prepare(STRICT, SITE), Ledger(), NOW)
    return made


def test_who_claims_somebody_elses_number_gets_no_text_from_a_strict_destination() -> None:
    made = decided(profile("phone", phone="+15005550008"))
    assert (made.reason, made.message) == (Reason.UNTRUSTED_RECIPIENT, None)
    assert made.to == PHONE, "the ledger knows whom it would have been for"
    assert made.steps[-1].name == "trust"
    assert PHONE not in repr(made.steps)


def test_the_same_event_with_the_secret_key_is_sent() -> None:
    assert decided(trusted=True).message is not None


def test_a_trusted_number_in_the_profile_is_sent_to_at_the_word_of_a_claimed_event() -> None:
    made = decided(profile("phone", phone="+1 500 555 0009"))
    assert made.message is not None
    assert "Trusted: it is the person's phone." in [step.saw for step in made.steps]


def test_a_number_in_the_destination_itself_is_trusted() -> None:
    constant = a_destination(recipients=Recipients.TRUSTED, routes=(Route(to=Text(source=PHONE)),))
    (made,) = decide(an_event(), None, (), prepare(constant, SITE), Ledger(), NOW)
    assert made.message is not None
