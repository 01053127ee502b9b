"""The pages as such: what they link to, and what they must not say."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, anchors_of, links_of, name_of, prose_of

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
    outside = prose_of(page)
    assert outside.startswith("# ")
    assert len(re.findall(r"^# ", outside, re.MULTILINE)) == 1


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_line_of_a_paragraph_holds_one_sentence(page: Path) -> None:
    paragraphs = [line for line in prose_of(page).splitlines() if re.match(r"(?!Date: )[A-Z`]", line)]
    assert [line for line in paragraphs if re.search(r"[a-z0-9)`][.?!] +[A-Z]", line)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "decisions"], ids=name_of)
def test_a_decision_tells_its_context_its_choice_and_its_price(page: Path) -> None:
    number = int(page.name[:4])
    text = page.read_text("utf-8")
    assert text.startswith(f"# {number}. ")
    assert re.search(r"^Date: \d{4}-\d\d-\d\d\. State: (accepted|superseded by \[.+\]\(.+\))\.$", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[:3] == ["Context", "Decision", "What was given up"]


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(page.name[:4]) for page in PAGES if page.parent.name == "decisions")
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_index_names_every_page() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in links_of(index)}
    assert {name_of(page) for page in DOCS.rglob("*.md") if page != index} == {
        name_of(page) for page in linked if page.is_relative_to(DOCS)
    }


def test_the_glossary_is_in_order_and_explains_each_word_once() -> None:
    words = re.findall(r"^\*\*([^*]+)\*\*", (DOCS / "glossary.md").read_text("utf-8"), re.MULTILINE)
    assert words == sorted(set(words), key=str.lower)


def test_the_readme_leads_to_the_documentation() -> None:
    targets = links_of(ROOT / "README.md")
    assert {"docs/tutorial.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"} <= set(targets)
