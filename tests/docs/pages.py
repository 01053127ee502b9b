"""The documentation as the tests read it: pages, their headings, links, tables and examples."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = tuple(sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")]))
_FENCE: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_LINK: Final = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
_HEADING: Final = re.compile(r"^#{1,6} +(?P<title>.+?) *$", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`\n]+)`")


class Example(NamedTuple):
    """A fenced block: where it stands, in which language it is, and its text without the indent."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Name it for a test's id."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """Name a page as its path from the project's root."""
    return str(page.relative_to(ROOT))


def reference(name: str) -> str:
    """Read a page of the reference."""
    return (DOCS / "reference" / f"{name}.md").read_text("utf-8")


def examples_of(page: Path, language: str | None = None) -> Iterator[Example]:
    """Give the fenced blocks of a page, of one language or of all."""
    text = page.read_text("utf-8")
    for found in _FENCE.finditer(text):
        if language in (None, found["language"]):
            inside = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            yield Example(page, text[: found.start()].count("\n") + 1, found["language"], inside)


def examples(language: str) -> list[Example]:
    """Give the fenced blocks of one language on all pages."""
    return [each for page in PAGES for each in examples_of(page, language)]


def prose_of(page: Path) -> str:
    """Read a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links_of(page: Path) -> list[str]:
    """List where a page's links lead."""
    return [found["target"] for found in _LINK.finditer(prose_of(page))]


def anchors_of(page: Path) -> set[str]:
    """Name the anchors of a page's headings, as GitHub makes them."""
    return {_anchor(found["title"]) for found in _HEADING.finditer(prose_of(page))}


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def codes_in(text: str) -> set[str]:
    """Give everything that stands between single backticks."""
    return set(_CODE.findall(text))


def first_cells(text: str) -> set[str]:
    """Give what stands between backticks in the first column of the tables in a text."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return {code for row in rows for code in codes_in(row.split(" | ")[0])}


def section_of(text: str, title: str) -> str:
    """Cut out the section under a heading, up to the next one of its rank or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found is not None, f"there is no section {title!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest
