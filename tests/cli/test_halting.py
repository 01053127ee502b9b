"""`smspipe stop`, `resume` and `erase`, on a service that runs."""

from collections.abc import Callable

import pytest

from tests.cli.running import Ended, Service

Run = Callable[..., Ended]
pytestmark = pytest.mark.slow


def test_everything_is_stopped_and_goes_on(service: Service, smspipe: Run) -> None:
    folder = ("--data", service.folder)
    stopped = smspipe("stop", "--why", "Wrong filter.", *folder)
    assert (stopped.status, stopped.err) == (0, "")
    assert "Wrong filter." in stopped.out
    assert "No text leaves." in stopped.out
    undecided = smspipe("resume", *folder)
    assert undecided.status == 2
    assert "0 texts held." in undecided.out
    assert "--held send" in undecided.err
    assert smspipe("resume", "--held", "burn", *folder).status == 2
    told = smspipe("resume", "--held", "drop", "--json", *folder)
    assert told.json == {"was_stopped": True, "sent": 0, "dropped": 0, "kept": 0}
    assert "Nothing is stopped." in smspipe("resume", "--held", "keep", *folder).out


def test_nobody_is_erased_without_being_asked(service: Service, smspipe: Run) -> None:
    folder = ("--data", service.folder)
    assert smspipe("erase", *folder).status == 2
    asked = smspipe("erase", "--person", "nobody-at-all", *folder)
    assert asked.status == 1
    assert "Add --yes" in asked.err
    done = smspipe("erase", "--person", "nobody-at-all", "--yes", "--json", *folder)
    assert done.json["persons"] == 0
    assert done.json["still_found"] is False
