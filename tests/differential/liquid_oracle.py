"""LiquidJS, the engine of PostHog's Liquid, as one process that answers over a pipe."""

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.support.npm import NODE, npm_package

VERSION: Final = "10.30.1"
"""What the specification of PostHog's Liquid was written from."""
NOW: Final = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


class Oracle:
    """The process; `answer` asks it."""

    def __init__(self) -> None:
        library = npm_package("liquidjs", VERSION) / "dist" / "liquid.node.js"
        script = Path(__file__).with_name("liquid_oracle.js")
        # Dates are written in the machine's zone and language, and PostHog's machines are in UTC.
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "en_US.UTF-8"}
        self._process = subprocess.Popen(
            [NODE, script, library], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            encoding="utf-8",
        )  # fmt: skip

    def answer(self, source: str, globals: Mapping[str, Any], *, escape: bool = False) -> str | None:  # noqa: A002
        """Give the text; None where LiquidJS refuses or fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"source": source, "globals": globals, "at": int(NOW.timestamp() * 1000), "escape": escape}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer: dict[str, str] = json.loads(self._process.stdout.readline())
        return answer.get("text")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
