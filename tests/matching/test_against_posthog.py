"""
The compatible mode against PostHog's own virtual machine.

`posthog_verdicts.json` holds what `@posthog/hogvm` 1.0.71 answered when each operator, compiled to the expression
noted beside it (as PostHog compiles filters), was asked about each value: 1 for true, 0 for false. A null
among the values stands for a missing property.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from smspipe.model.filter import Mode
from tests.matching.conftest import decide, make_event, make_matcher

RECORDED: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("posthog_verdicts.json").read_text("utf-8"))


@pytest.mark.parametrize(("operator", "wanted", "expression", "verdicts"), RECORDED["verdicts"])
def test_every_value_is_judged_as_posthog_judges_it(operator: str, wanted: Any, expression: str, verdicts: str) -> None:
    matcher = make_matcher({"properties": [{"key": "x", "operator": operator, "value": wanted}]}, Mode.POSTHOG)
    judged = {json.dumps(value): decide(matcher, make_event("e", x=value)) for value in RECORDED["values"]}
    assert judged == {
        json.dumps(value): verdict == "1" for value, verdict in zip(RECORDED["values"], verdicts, strict=True)
    }


@pytest.mark.parametrize(("operator", "wanted", "expression", "verdicts"), RECORDED["verdicts"])
def test_the_expression_that_posthog_compiles_is_judged_the_same(
    operator: str, wanted: Any, expression: str, verdicts: str
) -> None:
    """Filters and expressions share one way of comparing, so what one says the other does."""
    matcher = make_matcher({"properties": [{"key": expression, "type": "hogql"}]}, Mode.POSTHOG)
    judged = "".join(str(int(decide(matcher, make_event("e", x=value)))) for value in RECORDED["values"])
    assert judged == verdicts
