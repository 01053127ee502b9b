"""The register as CSV: whatever is exported can be imported, and a row that is wrong is named by its line."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from smspipe.model.errors import Invalid
from smspipe.model.phone import E164
from smspipe.optouts import Hasher, New, OptOut, Query, Source, add_many, erase, list_opt_outs
from smspipe.optouts.csvfile import COLUMNS, LONGEST_TEXT, Mistake, has_head, read_csv, write_csv
from smspipe.optouts.entries import scope_of
from tests.optouts.conftest import NOW

ADA, GRACE = "+12025550143", "+12025550172"
SERVICE = "MG" + "ab" * 16


def read_number(text: str) -> E164:
    """Stands for the numbering plans, which are another room's."""
    if not text.startswith("+"):
        raise Invalid("It does not begin with +.", hint="Write + and the country code.")
    return E164(text.replace(" ", ""))


def read(text: str, **more: Any) -> list[New | Mistake]:
    return list(read_csv(text, read_number, **more))


def news(text: str, **more: Any) -> list[New]:
    found = read(text, **more)
    assert not [each for each in found if isinstance(each, Mistake)]
    return [each for each in found if isinstance(each, New)]


def mistakes(text: str, **more: Any) -> dict[int, str]:
    return {each.line: each.detail for each in read(text, **more) if isinstance(each, Mistake)}


@pytest.mark.parametrize(
    "text",
    [f"{ADA}\n{GRACE}\n", f"{ADA}\r\n{GRACE}", f"number\n{ADA}\n{GRACE}\n", f"\ufeffNumber\r\n{ADA}\r\n\r\n{GRACE}\r\n",
     f'"number"\n"{ADA}"\n"{GRACE}"', f"sender,number\n*,{ADA}\n,{GRACE}\n", f"Number;Sender\n{ADA};*\n{GRACE};\n",
     f"number\tsender\n{ADA}\t*\n{GRACE}\t\n", f"  {ADA} \n\n , \n{GRACE}\n\n", f"{ADA},\n{GRACE},,\n"],
)  # fmt: skip
def test_a_list_of_numbers_is_read_as_people_write_it(text: str) -> None:
    assert [(each.number, each.scope, each.source) for each in news(text)] == [
        (ADA, "*", Source.IMPORT),
        (GRACE, "*", Source.IMPORT),
    ]


def test_every_column_is_read() -> None:
    (one,) = news(
        "why,who,number,sender,since,source,keyword,service\n"
        f'"Called, twice",Bob,+1 202 555 0143,MG{"AB" * 16},2026-01-02T03:04:05Z,keyword,Stop,{SERVICE}\n'
    )
    assert one == New(
        number=E164(ADA), source=Source.KEYWORD, scope=SERVICE, service=SERVICE, since=NOW, who="Bob",
        why="Called, twice", keyword="Stop",
    )  # fmt: skip


def test_what_a_row_leaves_out_is_as_told() -> None:
    (one, two) = news(f"number,sender,who\n{ADA},,\n{GRACE},12345,Eve\n", sender=SERVICE, who="Bob", why="Old list")
    assert (one.scope, one.who, one.why, one.since) == (SERVICE, "Bob", "Old list", None)
    assert (two.scope, two.who, two.why) == ("12345", "Eve", "Old list")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("12345,,,", "Write + and the country code."),
        (",,,", None),
        (",*,,", "There is no number in it."),
        (f"{ADA},nobody at all,,", "* for all"),
        (f"{ADA},,yesterday,", "2026-01-02T03:04:05Z"),
        (f"{ADA},,,rumour", "Use keyword, twilio_21610"),
        (f"{ADA},,,,more", "It has 5 cells for 4 columns."),
        (f'{ADA},"a"b,,', "It is no CSV"),
    ],
)
def test_a_wrong_row_is_named_by_its_line_and_the_others_are_read(row: str, said: str | None) -> None:
    text = f"number,sender,since,source\n{ADA},,,\n{row}\n{GRACE},,,\n"
    found = mistakes(text)
    assert list(found) == ([] if said is None else [3])
    assert said is None or said in found[3]
    assert [each.number for each in read(text) if isinstance(each, New)] == [ADA, GRACE]


def test_a_mistake_does_not_repeat_a_number() -> None:
    assert "2025550" not in str(mistakes(f"number,sender\n{ADA},+1202555014312345678\n2025550143,\n"))


def test_a_row_of_several_lines_is_named_by_its_first() -> None:
    assert list(mistakes(f'number,why\n{ADA},"one\ntwo"\n12345,"one\ntwo"\n12346,\n')) == [4, 6]


def test_a_quote_that_is_never_closed_is_named_where_it_begins() -> None:
    found = mistakes(f'number,why\n{ADA},fine\n{GRACE},"open\n{ADA},lost\n')
    assert list(found) == [3]
    assert "close them" in found[3]


def test_a_part_of_a_file_names_the_lines_of_the_whole() -> None:
    assert list(mistakes("number\n12345\n", skipped=1000)) == [1002]
    assert list(mistakes("12345\n12346\n", skipped=1000)) == [1001, 1002]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("number,sendr", "Did you mean 'sender'?"),
        ("number,status", "There is no column 'status'"),
        ("sender,why", "'number' among them"),
        ("number,number", "names of their own"),
    ],
)
def test_a_column_that_there_is_not_is_refused_before_anything_is_read(head: str, said: str) -> None:
    """A column that is passed over may have said that its rows are no opt-outs."""
    with pytest.raises(Invalid) as caught:
        read(f"{head}\n{ADA},x\n")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [("number", True), ("Number;Sender", True), ("number_hash,number", True), (ADA, False), (f"{ADA},ACME", False),
     ("", False), ("a1" * 32, False)],
)  # fmt: skip
def test_a_first_line_with_a_digit_is_a_row(line: str, expected: bool) -> None:
    assert has_head(line) is expected


def test_a_text_that_is_too_long_is_refused() -> None:
    assert list(mistakes(f"number,why\n{ADA},{'x' * LONGEST_TEXT}\n{GRACE},{'x' * (LONGEST_TEXT + 1)}\n")) == [3]


def test_an_empty_file_holds_nothing() -> None:
    assert read("") == read("\n\n") == read("number\n") == []


def test_a_spreadsheet_is_given_no_formula() -> None:
    entry = OptOut(
        id=1, number_hash="0" * 64, number=E164(ADA), scope="*", service=None, since=NOW, source=Source.PERSON,
        who="@Bob", why="=1+1", keyword="-stop",
    )  # fmt: skip
    assert write_csv([entry]).splitlines() == [
        ",".join(COLUMNS),
        f"{ADA},*,2026-01-02T03:04:05.000Z,person,'@Bob,'=1+1,'-stop,,",
    ]


def test_an_export_imported_elsewhere_keeps_everything_but_what_was_erased(
    connection: Connection, hasher: Hasher
) -> None:
    add_many(
        connection,
        hasher,
        [
            New(number=E164(ADA), source=Source.KEYWORD, scope=SERVICE, service=SERVICE, keyword="Stop"),
            New(number=E164(GRACE), source=Source.PERSON, who="Bob", why='A "letter",\nof two lines'),
        ],
        now=NOW,
    )
    erase(connection, hasher(ADA))
    before = list_opt_outs(connection, Query(), limit=9)
    text = write_csv(reversed(before))
    assert ADA not in text
    assert add_many(connection, hasher, news(text), now=NOW + timedelta(days=1)) == 0
    connection.exec_driver_sql("delete from opt_outs")
    assert add_many(connection, hasher, news(text), now=NOW + timedelta(days=1)) == 2
    after = list_opt_outs(connection, Query(), limit=9)
    assert [msgspec.structs.replace(each, id=0) for each in after] == [
        msgspec.structs.replace(each, id=0) for each in before
    ]


TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda text: bool(text) and text == text.strip()
)
ROWS = st.tuples(
    st.sampled_from([ADA, GRACE]),
    st.sampled_from(["*", "+15005550006", "Acme", "12345", SERVICE]),
    TEXTS,
    TEXTS,
    st.integers(0, 10**10).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)


@given(st.lists(ROWS))
def test_what_is_written_is_read_back(rows: list[Any]) -> None:
    entries = [
        OptOut(
            id=at, number_hash="0" * 64, number=number, scope=scope_of(sender), service=None, since=since,
            source=Source.PERSON, who=who, why=why, keyword=None,
        )
        for at, (number, sender, who, why, since) in enumerate(rows)
    ]  # fmt: skip
    expected = [(each.number, each.scope, each.since, each.who, each.why) for each in entries]
    assert [(each.number, each.scope, each.since, each.who, each.why) for each in news(write_csv(entries))] == expected


@given(st.text())
def test_any_file_is_read_or_refused(text: str) -> None:
    try:
        found = read(text)
    except Invalid:
        return
    assert all(isinstance(each, New | Mistake) for each in found)
