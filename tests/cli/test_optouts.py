"""`smspipe optouts`, on a service that runs."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.cli.optouts import cut
from smspipe.model.phone import E164
from smspipe.optouts import New
from smspipe.optouts.csvfile import read_csv
from tests.cli.running import Ended, Service

Run = Callable[..., Ended]
ADA, GRACE, DAN = "+12025550143", "+12025550172", "+447700900123"


@pytest.fixture
def optouts(service: Service, smspipe: Run) -> Run:
    """Run `smspipe optouts …` on an empty register."""

    def run(*words: object) -> Ended:
        return smspipe("optouts", *words, "--data", service.folder)

    for each in run("list", "--json").json:
        assert run("remove", each["number"], "--why", "Cleared.", "--yes").status == 0
    return run


@pytest.mark.slow
def test_an_opt_out_is_written_down_shown_and_ended(optouts: Run) -> None:
    added = optouts("add", "+1 202-555-0143", "--who", "Bob", "--why", "She called.")
    assert (added.status, added.err) == (0, "")
    assert added.out.startswith(f"{ADA} gets no texts from all senders, since 20")
    shown = optouts("show", ADA)
    assert f"{ADA} gets no texts from all senders." in shown.out
    assert "opt_out\tall senders\tperson\tBob\tShe called." in shown.out
    ended = optouts("remove", ADA, "--why", "She wrote.", "--who", "Eve", "--yes")
    assert (ended.status, "Ended for all senders." in ended.out) == (0, True)
    shown = optouts("show", ADA)
    assert f"{ADA} has not opted out." in shown.out
    assert "opt_in\tall senders\tperson\tEve\tShe wrote." in shown.out
    assert "nothing to end" in optouts("remove", ADA, "--why", "Again.", "--yes").out


@pytest.mark.slow
def test_who_is_the_user_of_the_machine_unless_said(optouts: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert optouts("add", ADA, "--json").json["who"] == "grace"


@pytest.mark.slow
def test_the_list_is_filtered(optouts: Run) -> None:
    optouts("add", ADA, "--sender", "+15005550006")
    optouts("add", GRACE, "--why", "Letter")
    optouts("add", DAN, "--who", "Bob")

    def numbers(*words: str) -> list[str]:
        return [each["number"] for each in optouts("list", "--json", *words).json]

    assert numbers() == [DAN, GRACE, ADA]
    assert numbers("--sender", "+15005550006") == [ADA]
    assert numbers("--number", "+1 (202) 555-0172") == [GRACE]
    assert numbers("--search", "letter") == [GRACE]
    assert numbers("--limit", "1") == [DAN]
    head, *lines = optouts("list").out.splitlines()
    assert head.split("\t")[:6] == ["NUMBER", "SENDER", "SINCE", "SOURCE", "WHO", "WHY"]
    assert [line.split("\t")[0] for line in lines] == [DAN, GRACE, ADA]


@pytest.mark.slow
def test_an_end_is_asked_about(optouts: Run) -> None:
    optouts("add", ADA)
    ended = optouts("remove", ADA, "--why", "She wrote.")
    assert (ended.status, "Add --yes" in ended.err) == (1, True)
    assert len(optouts("list", "--json").json) == 1


@pytest.mark.slow
def test_a_file_is_imported_and_exported(optouts: Run, tmp_path: Path) -> None:
    file, copy = tmp_path / "stopped.csv", tmp_path / "copy.csv"
    file.write_text(f"number,why\n{ADA},Letter\n{GRACE},\n")
    assert optouts("import", file, "--who", "Bob").out == "2 added, 0 were there, 0 left out for a mistake.\n"
    assert optouts("import", file).out == "0 added, 2 were there, 0 left out for a mistake.\n"
    assert optouts("export", "--output", copy).status == 0
    assert copy.read_text() == optouts("export").out
    assert [line.split(",")[0] for line in copy.read_text().splitlines()] == ["number", ADA, GRACE]
    assert [each["number"] for each in optouts("export", "--json").json] == [GRACE, ADA]
    assert optouts("import", copy, "--json").json["known"] == 2


@pytest.mark.slow
def test_rows_with_a_mistake_are_named_with_their_lines_in_the_whole_file(
    optouts: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut, "__defaults__", (2,))
    file = tmp_path / "stopped.csv"
    file.write_text(f"number\n{ADA}\n{GRACE}\n12\n{DAN}\n13\n")
    ended = optouts("import", file, "--check")
    assert ended.status == 1
    assert [line.partition("\t")[0] for line in ended.out.splitlines()] == [
        "LINE", "4", "6", "Nothing was written: 2 of 5 rows have a mistake.",
    ]  # fmt: skip
    assert optouts("import", file, "--all-or-nothing").status == 1
    assert optouts("list", "--json").json == []
    ended = optouts("import", file)
    assert (ended.status, ended.out.splitlines()[-1]) == (1, "3 added, 0 were there, 2 left out for a mistake.")
    file.write_text(f"number\n{ADA}\n")
    assert optouts("import", file, "--all-or-nothing").status == 0


@pytest.mark.slow
def test_standard_input_is_read(optouts: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"\ufeff{ADA}\r\n".encode())))
    assert optouts("import", "-", "--json").json["added"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "nobody"], "letters"),
        (["add", "2025550143"], "does not begin with +"),
        (["add", ADA, "--sender", "nobody at all"], "not one that Twilio knows"),
        (["import", "nowhere.csv"], "cannot be read"),
        (["export", "--output", "/nowhere/at/all"], "cannot be written"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_in_one_line(words: list[str], said: str, optouts: Run) -> None:
    ended = optouts(*words)
    assert (ended.status, ended.out) == (1, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert "2025550143" not in ended.err


def test_an_end_without_a_reason_is_wrong_usage(smspipe: Run) -> None:
    ended = smspipe("optouts", "remove", ADA)
    assert (ended.status, "--why" in ended.err) == (2, True)


# ---- cutting a file --------------------------------------------------------------------------------------------------

CELLS = st.text(st.sampled_from('ab,"\n é'), max_size=6)


@given(st.lists(CELLS, max_size=12), st.booleans(), st.integers(1, 4))
def test_pieces_hold_every_row_of_the_file_once(cells: list[str], named: bool, lines: int) -> None:
    rows = [f'{ADA},*,"{cell.replace(chr(34), chr(34) * 2)}"\n' for cell in cells]
    text = ("number,sender,why\n" if named else "") + "".join(rows if named else [f"{ADA}\n" for _ in rows])

    def read(text: str, skipped: int = 0) -> list[str | None]:
        found = list(read_csv(text, E164, skipped=skipped))
        assert all(isinstance(each, New) for each in found)
        return [each.why for each in found if isinstance(each, New)]

    assert [why for skipped, piece in cut(text, lines) for why in read(piece, skipped)] == read(text)


def test_pieces_say_how_many_lines_stand_in_front_of_their_rows() -> None:
    assert list(cut("number\n1\n2\n3\n", 2)) == [(0, "number\n1\n2\n"), (2, "number\n3\n")]
    assert list(cut("1\n2\n3", 2)) == [(0, "1\n2\n"), (2, "3")]
    assert list(cut('number,why\n1,"a\nb"\n2,\n', 1)) == [(0, 'number,why\n1,"a\nb"\n'), (2, "number,why\n2,\n")]
    assert list(cut("", 2)) == [(0, "")]
    assert list(cut("number\n", 2)) == [(0, "number\n")]
