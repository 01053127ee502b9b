"""The second half of the stories: a file of its own, so that both halves run side by side."""

import pytest

from tests.simulator.many import run_half


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_no_law_is_broken_in_the_second_half_of_the_stories() -> None:
    run_half(1)
