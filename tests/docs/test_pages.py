"""The pages as such: what they link to, and what they must not say."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, anchors_of, links_of, name_of

FORBIDDEN = (r"\bTODO\b", r"\bFIXME\b", r"\bXXX\b", r"\bTBD\b", r"\blorem\b", r"/work/", r"\bissue #?\d", r"#\d{2,}\b")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links_of(page):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), f"{target} leads to nothing"
        if anchor:
            assert anchor in anchors_of(goal), f"{target} names no heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_is_unfinished_or_speaks_of_the_work_on_it(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [word for word in FORBIDDEN if re.search(word, text, re.IGNORECASE)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_begins_with_its_title_and_has_no_other(page: Path) -> None:
    outside = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert outside.startswith("# ")
    assert len(re.findall(r"^# ", outside, re.MULTILINE)) == 1


def test_the_index_names_every_page() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in links_of(index)}
    assert {name_of(page) for page in DOCS.rglob("*.md") if page != index} == {
        name_of(page) for page in linked if page.is_relative_to(DOCS)
    }


def test_the_readme_leads_to_the_documentation() -> None:
    targets = links_of(ROOT / "README.md")
    assert {"docs/tutorial.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"} <= set(targets)
