"""What is printed: for a person on a terminal, for a program in a pipe."""

import io
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

import pytest

from smspipe.cli import output


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


Show = Callable[[Callable[[], None]], str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Print to a terminal of 80 columns; give what stands there, without the colours."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")

    def on_screen(print_it: Callable[[], None]) -> str:
        screen = Terminal()
        with redirect_stdout(screen):
            print_it()
        return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())

    return on_screen


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Grüße 🎉", "Grüße 🎉"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb", "a\\nb"),
        ("a\x9bb", "a\\x9bb"),
        ("a\u202eb", "a\\u202eb"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        (None, ""),
        (12, "12"),
    ],
)
def test_control_characters_show_as_escapes(given: object, shown: str) -> None:
    assert output.clean(given) == shown


def test_line_breaks_stay_where_lines_are_wanted() -> None:
    assert output.clean("a\nb\r\n", lines=True) == "a\nb\\r\n"


def test_a_table_in_a_pipe_has_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("A", "B"), [("x\ty", ("one", "two")), (1, None)])
    assert capsys.readouterr().out == "A\tB\nx\\ty\tone two\n1\t\n"


def test_a_table_on_a_terminal_has_columns_and_parts_below_each_other(show: Show) -> None:
    said = show(lambda: output.print_table(("ID", "STATE"), [(("0199", "2026-01-02"), "on"), (("0200", ""), "off")]))
    assert [line.rstrip() for line in said.splitlines()] == [
        "ID          STATE",
        "0199        on",
        "2026-01-02",
        "0200        off",
        "",
    ]


@pytest.mark.parametrize(
    "print_it",
    [
        lambda text: output.print_line("    " + text),
        lambda text: output.print_table(("A", "B"), [(text, text)]),
        lambda text: output.print_pairs([("Name", text)]),
        lambda text: output.print_steps([{"name": "match", "ok": False, "saw": text}]),
        lambda text: output.print_bubble(text, "to +15005550009", "1 segment"),
    ],
    ids=["line", "table", "pairs", "steps", "bubble"],
)
@pytest.mark.parametrize(
    "text",
    ["word " * 60, "x" * 200, "🎉" * 90, "[red]markup[/red]"],
    ids=["words", "one long word", "wide characters", "markup"],
)
def test_nothing_is_wider_than_the_terminal_or_lost(print_it: Callable[[str], None], text: str, show: Show) -> None:
    from rich.cells import cell_len

    said = show(lambda: print_it(text))
    assert max(cell_len(line) for line in said.splitlines()) <= 80
    assert said.count(text[0]) >= text.count(text[0])


def test_an_indented_sentence_is_indented_all_the_way_down(show: Show) -> None:
    lines = show(lambda: output.print_line("    " + "word " * 40)).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("    word") for line in lines)


def test_an_empty_line_is_a_line(show: Show) -> None:
    assert show(output.print_line) == "\n"


def test_pairs_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_pairs([("A", "x"), ("B", None), ("C", ""), ("D", 0)])
    assert capsys.readouterr().out == "A\tx\nD\t0\n"


def test_progress_gives_every_item_on_and_shows_itself_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(Terminal()) as screen:
        assert list(output.progress(range(3), "Counting", 3)) == [0, 1, 2]
        assert screen.getvalue() == ""
        monkeypatch.setattr("smspipe.cli.output._PATIENCE_SECONDS", -1)
        assert list(output.progress(range(3), "Counting", 3)) == [0, 1, 2]
        assert "Counting" in screen.getvalue()


def test_json_is_plain_where_the_stream_is_not_unicode() -> None:
    written = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(written, encoding="ascii")) as stream:
        output.print_json({"text": "ü"})
        stream.flush()
    assert written.getvalue() == b'{\n  "text": "\\u00fc"\n}\n'


@pytest.mark.parametrize(
    ("given", "shown"),
    [("the event is x", "The event is x."), ("Done.", "Done."), ("Really?", "Really?"), ("", "")],
)
def test_what_a_step_saw_is_a_sentence(given: str, shown: str) -> None:
    assert output.as_sentence(given) == shown
