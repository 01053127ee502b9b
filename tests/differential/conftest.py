"""What the tests against the originals share."""

from collections.abc import Iterator

import pytest

from tests.differential.hog_oracle import Oracle


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """PostHog's own Hog."""
    with Oracle() as running:
        yield running
