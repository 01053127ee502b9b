"""A service that the tests of a session share, and services of one's own for those who kill them."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.acceptance.service")

from tests.acceptance.service import TOLD, Service, twilio_destination  # noqa: E402 (its asserts are to show their values)

_numbers = count(1)

Faults = Callable[[], list[str]]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """
    A service with one destination, which texts every event of everyone who has a phone.

    The text says what was known when the event was decided on, see `told`.
    """
    folder = tmp_path_factory.mktemp("shared")
    service = Service(folder / "data", folder / "log")
    service.start()
    service.create(
        twilio_destination(
            "Everything",
            to="{person.properties.phone}",
            body=TOLD,
            filters={"properties": [{"key": "phone", "type": "person", "value": "is_set", "operator": "is_set"}]},
        )
    )
    yield service
    assert service.stop() == 0
    assert service.take_faults() == []


@pytest.fixture
def service(shared: Service) -> Iterator[Service]:
    """The shared service; a test that makes it log an error, or that ends it, fails."""
    assert shared.running, "a test before this one has ended the shared service"
    yield shared
    assert shared.running
    assert shared.take_faults() == []


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """
    Make services for one test, not yet started; arguments are those of `Service` beside the two paths.

    Their logs must hold no error, unless the test has taken what it expected with `take_faults`.
    """
    made: list[Service] = []

    def make(**more: object) -> Service:
        name = f"service{len(made)}"
        made.append(Service(tmp_path / name, tmp_path / f"{name}.log", **more))  # type: ignore[arg-type]  # handed on
        return made[-1]

    yield make
    for each in made:
        if each.running:
            each.kill()
    assert [fault for each in made for fault in each.take_faults()] == []


@pytest.fixture
def phone() -> str:
    """A phone that no other test has."""
    return f"+1415555{next(_numbers):04d}"


@pytest.fixture
def distinct_id(request: pytest.FixtureRequest) -> str:
    """A user that no other test has."""
    return f"{request.node.name}#{next(_numbers)}"
