"""Whatever breaks, and in whatever order: no law of delivery is broken. The first half of the stories."""

import pytest

from tests.simulator.many import run_half


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_no_law_is_broken_in_the_first_half_of_the_stories() -> None:
    run_half(0)
