"""How outcomes are called in a destination's metrics."""

import pytest

from smspipe.deliveries.metrics import KINDS
from smspipe.model.delivery import Status
from smspipe.model.outcome import Reason
from smspipe.pipeline.fanout import metric_of


@pytest.mark.parametrize(
    ("outcome", "reason", "name"),
    [
        ("pending", "", "triggered"),
        ("pending", Reason.QUIET_HOURS, "triggered"),
        ("accepted", "", "succeeded"),
        ("delivered", "", "delivered"),
        ("undelivered", Reason.UNDELIVERED, "undelivered"),
        ("undelivered", Reason.OPTED_OUT, "undelivered"),
        ("failed", Reason.TWILIO_REJECTED, "failed"),
        ("suppressed", Reason.COOLDOWN, "masked"),
        ("suppressed", Reason.OPTED_OUT, "dropped"),
        ("no_match", Reason.NO_MATCH, "filtered"),
    ],
)
def test_an_outcome_has_its_name(outcome: str, reason: str, name: str) -> None:
    assert metric_of(outcome, reason) == name


@pytest.mark.parametrize("outcome", [*Status, "no_match"])
@pytest.mark.parametrize("reason", ["", *Reason])
def test_every_outcome_has_a_name_of_a_known_kind(outcome: str, reason: str) -> None:
    assert metric_of(outcome, reason) in KINDS


def test_a_text_that_arrives_is_no_failure() -> None:
    assert KINDS[metric_of("delivered", "")] != "failure"
