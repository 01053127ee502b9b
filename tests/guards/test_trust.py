"""A destination that wants trusted numbers texts nobody else."""

import pytest

from smspipe.guards.trust import check_trust
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.trust import CLAIMED, Recipients, Trust, Voucher
from tests.guards.test_check import a_case
from tests.pipeline.conftest import a_destination

VOUCHED = [Trust(by=each, property="phone" if each is Voucher.PERSON else None) for each in Voucher]
STRICT = a_destination(recipients=Recipients.TRUSTED)


@pytest.mark.parametrize("trust", VOUCHED, ids=[str(each.by) for each in VOUCHED])
def test_a_number_that_somebody_vouches_for_passes_and_it_is_said_who(trust: Trust) -> None:
    answer = check_trust(a_case(trust=trust, destination=STRICT))
    assert isinstance(answer, Step)
    assert answer.ok
    assert answer.saw.startswith("Trusted: ")


def test_each_voucher_has_its_own_sentence() -> None:
    answers = [check_trust(a_case(trust=trust)) for trust in (CLAIMED, *VOUCHED)]
    assert len({answer.saw for answer in answers if isinstance(answer, Step)}) == len(VOUCHED) + 1


def test_a_claimed_number_is_refused_by_a_destination_that_wants_trusted_ones() -> None:
    answer = check_trust(a_case(destination=STRICT))
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.until) == (Reason.UNTRUSTED_RECIPIENT, None)
    assert "Authorization: Bearer" in answer.saw, "it says how to make the number trusted"
    assert "recipients" in answer.saw, "or what else to change"
    assert "+15005550009" not in answer.saw


def test_a_claimed_number_passes_elsewhere() -> None:
    answer = check_trust(a_case())
    assert answer == Step(name="trust", ok=True, saw="Claimed, not trusted.")
    assert check_trust(a_case()) is answer, "a step that nearly every event leaves is made once"
