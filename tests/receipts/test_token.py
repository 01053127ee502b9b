"""The address of a delivery's reports names it, and nobody else can make one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.ids import DeliveryId
from smspipe.receipts.token import Seal

DELIVERY = DeliveryId("01a2036a-4041-73a8-a2b1-f630919dd499")
OLD, NEW = "o" * 32, "n" * 32


@given(st.uuids(), st.integers(0, 9999))
def test_a_token_names_the_delivery_and_the_attempt_it_was_made_for(delivery: object, attempt: int) -> None:
    sealed = Seal([NEW]).read(Seal([NEW]).make(DeliveryId(str(delivery)), attempt))
    assert sealed is not None
    assert (sealed.delivery, sealed.attempt) == (str(delivery), attempt)


def test_tokens_of_an_old_key_are_known_while_it_stands_behind_the_new_one() -> None:
    token = Seal([OLD]).make(DELIVERY, 1)
    assert Seal([NEW, OLD]).read(token) is not None
    assert Seal([NEW]).read(token) is None
    assert Seal([NEW, OLD]).make(DELIVERY, 1) == Seal([NEW]).make(DELIVERY, 1) != token


@pytest.mark.parametrize("place", range(len(DELIVERY) + 35))
def test_no_character_of_a_token_can_be_changed(place: int) -> None:
    token = Seal([NEW]).make(DELIVERY, 1)
    other = "0" if token[place] != "0" else "1"
    assert Seal([NEW]).read(token[:place] + other + token[place + 1 :]) is None


@given(st.text(max_size=90))
def test_whatever_is_given_nothing_is_raised(text: str) -> None:
    assert Seal([NEW]).read(text) is None


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "0", lambda t: t.upper(), lambda t: t + "\n",
                                    lambda t: " " + t, lambda t: t.replace("-1-", "-01-")])  # fmt: skip
def test_a_token_is_believed_to_the_letter(change: object) -> None:
    assert callable(change)
    assert Seal([NEW]).read(change(Seal([NEW]).make(DELIVERY, 1))) is None
