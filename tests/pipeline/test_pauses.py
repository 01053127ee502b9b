"""The sentence on a pause says what cannot be used, and ends in what Twilio refused."""

import pytest

from smspipe.pipeline.prepare import why_paused


@pytest.mark.parametrize(
    ("sender_alone", "begins"),
    [
        (True, "This destination is paused, for its sender cannot be used; the account's other senders can."),
        (False, "This destination is paused, for its Twilio account cannot be used."),
    ],
)
def test_a_pause_names_the_sender_or_the_account(sender_alone: bool, begins: str) -> None:
    assert why_paused("Twilio says no.", sender_alone=sender_alone) == f"{begins} Twilio says no."
