"""The command line against a service that really runs, with its sandbox, in a folder of its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smspipe.cli.main import main
from tests.cli.running import Ended, Service


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in os.environ:
        if name.startswith("SMSPIPE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def smspipe(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command in this process."""

    def run(*words: object) -> Ended:
        capsys.readouterr()
        status = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Ended(status, out, err)

    return run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services of one's own in the folder `data`; what still runs at the end is ended."""
    started = []

    def begin(*words: str, **more: str) -> Service:
        started.append(Service(tmp_path / "data", *words, **more))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.stop()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for all tests of a module; each makes its own destinations."""
    running = Service(tmp_path_factory.mktemp("service") / "data")
    yield running
    running.stop()
