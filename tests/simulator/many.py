"""How the tests run many stories: in a process of their own, since a story takes over the clock, chance and log."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

STORIES: Final = int(os.environ.get("SMSPIPE_TEST_STORIES", "6000"))
"""Seeds that the test suite runs, in two halves; the environment may ask for any other number."""
_ROOT: Final = Path(__file__).parents[2]


def run(*arguments: str, hash_seed: str = "0") -> tuple[int, str]:
    """Run `python -m tests.simulator`; give its status and what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMSPIPE_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulator", *arguments],
        cwd=_ROOT,
        env=environment | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def run_half(nth: int) -> None:
    """Run one half of the stories; no law may be broken in any."""
    half = STORIES // 2
    status, printed = run("--first", str(nth * half), "--count", str(half))
    assert status == 0, printed
    assert f"{half} stories" in printed
