"""PostHog's own parser and machine, kept running in one Node process for all tests that ask them."""

import json
import os
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from smspipe.hog.dates import epoch_seconds, zone_name
from smspipe.hog.values import Closure, ErrorValue, Interval, InvalidDate, number_text
from tests.differential.hog_bytecode import compile_tree
from tests.support.npm import NODE, npm_package

NOW: Final = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
"""What `now()` is, for both sides."""
PARSER: Final = ("@posthog/hogql-parser", "1.3.87")
MACHINE: Final = ("@posthog/hogvm", "1.0.71")

EXAMPLES: Final = int(os.environ.get("SMSPIPE_HOG_EXAMPLES", "1"))
"""How many times as many examples as usual are generated."""


class Refused(Exception):
    """PostHog's parser refuses the source; the message is its own."""


class Failed(Exception):
    """PostHog's machine failed; the message is its own."""


class Oracle:
    """Asks PostHog's code; use as a context manager, which starts and ends the process."""

    def __enter__(self) -> Self:
        folders = [str(npm_package(*package)) for package in (PARSER, MACHINE)]
        script = str(Path(__file__).with_name("hog_oracle.cjs"))
        self._process = subprocess.Popen(
            [NODE, script, *folders, str(round(NOW.timestamp() * 1000))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"TZ": "UTC"}, text=True, encoding="ascii",
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Its input ends, and so does it; communicate also closes the pipes.
        self._process.communicate(timeout=30)

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def parse(self, source: str, *, template: bool = False) -> dict[str, Any]:
        """
        Parse an expression, or text with expressions in braces.

        Raises:
            Refused: it is none.
        """
        tree: dict[str, Any] = json.loads(self._ask(parse=source, template=template)["tree"])
        if tree.get("error"):
            raise Refused(tree["message"])
        return tree

    def evaluate(self, source: str, globals_: dict[str, Any], *, template: bool = False) -> Any:
        """
        Parse, compile and run; the answer is the value, tagged as `tagged` does it.

        Raises:
            Refused: it cannot be parsed.
            Unsupported: it cannot be compiled.
            Failed: it fails when it runs.
        """
        return self.run(compile_tree(self.parse(source, template=template)), globals_)

    def run(self, bytecode: list[Any], globals_: dict[str, Any]) -> Any:
        """
        Run bytecode.

        Raises:
            Failed: it fails.
        """
        answer = self._ask(run=bytecode, globals=globals_)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["value"]


def tagged(value: Any) -> Any:
    """Write a value of ours as the oracle writes its values."""
    match value:
        case None:
            return ["null"]
        case bool():
            return ["boolean", value]
        case str():
            return ["string", value]
        case int() | float():
            return ["number", number_text(value)]
        case tuple():
            return ["tuple", *map(tagged, value)]
        case list():
            return ["list", *map(tagged, value)]
        case dict():
            return ["object", *([tagged(key), tagged(item)] for key, item in value.items())]
        case datetime():
            return ["datetime", number_text(epoch_seconds(value)), zone_name(value)]
        case date():
            return ["date", *map(str, (value.year, value.month, value.day))]
        case InvalidDate():
            return ["datetime", "NaN", "UTC"] if value.clock else ["date", "NaN", "NaN", "NaN"]
        case ErrorValue():
            return ["error", value.type, value.message, tagged(value.payload)]
        case Interval():
            return tagged({"__hogInterval__": True, "value": value.value, "unit": value.unit})
        case Closure():
            return ["function"]
    raise TypeError(type(value))
