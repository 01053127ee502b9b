"""What differs from PostHog on purpose is named, shown by an example, and explained to users."""

import re
from pathlib import Path

import pytest

from tests.differential.hog_differences import DIFFERENCES, Difference, ask_posthog, ask_us
from tests.differential.hog_oracle import Oracle

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "hog-differences.md"


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_a_named_difference_is_as_described(oracle: Oracle, difference: Difference) -> None:
    kind, answer = ask_posthog(oracle, difference.source)
    if kind == "refused":
        assert difference.theirs[0] == "refused"
        assert answer.startswith(difference.theirs[1])  # what follows lists every word of the grammar
    else:
        assert (kind, answer) == difference.theirs
    assert ask_us(difference.source) == difference.ours


def test_the_documentation_names_the_same_differences() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", _PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == sorted(each.name for each in DIFFERENCES)


def test_every_example_in_the_documentation_is_the_tested_one() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| `` ?(.*?) ?`` \|", _PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {name: rows[name].replace("\\|", "|") for name in rows} == {each.name: each.source for each in DIFFERENCES}
