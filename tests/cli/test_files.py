"""Files of destinations: how YAML, TOML and JSON are read, and what a mistake in them is called."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from smspipe.cli.files import Document, read_files, write_documents, write_yaml
from smspipe.cli.references import resolve
from smspipe.model.errors import Invalid


def read(tmp_path: Path, text: str, name: str = "texts.yaml") -> list[Document]:
    """Read a file of this text."""
    file = tmp_path / name
    file.write_text(text)
    return read_files(str(file))


def values(documents: list[Document]) -> list[dict[str, Any]]:
    """Give what documents say."""
    return [document.value for document in documents]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("one.yaml", "name: a\n---\nname: b\n"),
        ("list.yml", "- name: a\n- name: b\n"),
        ("keyed.yaml", "destinations:\n  - name: a\n  - name: b\n"),
        ("comments.yaml", "# two\n---\nname: a\n---\n---\nname: b\n"),
        ("flow.yaml", "{destinations: [{name: a}, {name: b}]}"),
        ("tables.toml", '[[destinations]]\nname = "a"\n[[destinations]]\nname = "b"\n'),
        ("list.json", '[{"name": "a"}, {"name": "b"}]'),
        ("page.json", '{"count": 2, "results": [{"name": "a"}, {"name": "b"}]}'),
    ],
)
def test_a_file_holds_several_destinations_in_many_ways(name: str, text: str, tmp_path: Path) -> None:
    assert values(read(tmp_path, text, name)) == [{"name": "a"}, {"name": "b"}]


def test_a_folder_is_all_its_files_in_their_order(tmp_path: Path) -> None:
    for name, text in (("b.yaml", "name: b"), ("a.toml", 'name = "a"'), ("sub/c.json", '{"name": "c"}')):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "notes.txt").write_text("no destination")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "d.yaml").write_text("name: d")
    assert values(read_files(str(tmp_path))) == [{"name": "a"}, {"name": "b"}, {"name": "c"}]


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="holds no file whose name ends in"):
        read_files(str(tmp_path))


def test_words_are_read_as_yaml_1_2_has_them(tmp_path: Path) -> None:
    text = """
    country: no
    switch: on
    phone: +15005550006
    leading: 007
    time: 12:30
    date: 2026-01-02
    exponent: 1e5
    octal: 0o7
    yes: true
    number: 15
    share: 0.5
    nothing: null
    empty:
    """
    (document,) = read(tmp_path, text)
    assert document.value == {
        "country": "no",
        "switch": "on",
        "phone": "+15005550006",
        "leading": "007",
        "time": "12:30",
        "date": "2026-01-02",
        "exponent": "1e5",
        "octal": "0o7",
        "yes": True,
        "number": 15,
        "share": 0.5,
        "nothing": None,
        "empty": None,
    }


def test_each_part_knows_its_line(tmp_path: Path) -> None:
    first, second = read(tmp_path, "name: a\nwhen:\n  - x\n  - event: y\n---\n\nname: b\naccount: {sid: c}\n")
    assert first.place().endswith("texts.yaml:1")
    assert first.place(("when", 1, "event")).endswith("texts.yaml:4")
    assert first.place(("when", 1, "where", 0)).endswith("texts.yaml:4"), "the nearest part around it"
    assert second.place(("account", "sid")).endswith("texts.yaml:8")
    (third,) = read(tmp_path, '{"name": "a"}', "a.json")
    assert third.place(("name",)).endswith("a.json"), "JSON tells no lines"


def test_an_anchor_is_what_it_stands_for(tmp_path: Path) -> None:
    first, second = read(tmp_path, "- name: a\n  account: &acme {sid: AC1}\n- name: b\n  account: *acme\n")
    assert first.value["account"] == second.value["account"] == {"sid": "AC1"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "name: a\n\tto: b\n", "a.yaml:2 is no YAML: "),
        ("a.yaml", "name: a\nto: {b\n", "a.yaml:3 is no YAML: "),
        ("a.yaml", "name: a: b\n", "a.yaml:1 is no YAML: mapping values are not allowed here."),
        ("a.yaml", "name: a\nto: b\nname: c\n", "a.yaml:3 gives 'name' a second time."),
        ("a.yaml", "name: !!python/object/apply:os.system ['true']\n", "a.yaml:1 has the tag"),
        ("a.yaml", "name: !!int word\n", "a.yaml:1 is no YAML"),
        ("a.yaml", "name: !env X\n", "a.yaml:1 has the tag !env, which means nothing here."),
        ("a.yaml", "- name: a\n- text\n", "a.yaml:2 holds no destination"),
        ("a.yaml", "", "holds no destination."),
        ("a.yaml", "name: \x00", "a.yaml is no YAML"),
        ("a.yaml", "&a [*a]", "a.yaml:1 holds too much"),
        ("a.yaml", "name: " + "[" * 200 + "]" * 200, "holds too much"),
        ("a.toml", 'name = "a"\nto = \n', "a.toml:2 is no TOML: Invalid value."),
        ("a.json", '{"name": "a",\n}', "a.json:2 is no JSON: "),
        ("a.json", "[]", "holds no destination."),
        ("a.json", "[" * 100_000, "a.json is nested too deeply."),
    ],
)
def test_a_mistake_names_file_and_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        read(tmp_path, text, name)
    assert said in str(refused.value)


def test_aliases_cannot_make_a_small_file_endless(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{nth}: &a{nth} [{', '.join([f'*a{nth - 1}'] * 10)}]" for nth in range(1, 10)]
    with pytest.raises(Invalid, match="an alias may repeat itself"):
        read(tmp_path, "\n".join(lines))


def test_a_value_may_stand_in_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_TOKEN", "from the environment")
    (tmp_path / "token").write_text("from a file\n")
    documents = read(
        tmp_path,
        "name: a\naccount: {sid: {from_env: TWILIO_TOKEN}, token: {from_file: token}}\n"
        "---\nname: b\ninputs:\n  authToken: {from_env: TWILIO_TOKEN}\n  smsBody: {value: {from_file: token}}\n",
    )
    first, second = values(resolve(documents))
    assert first["account"] == {"sid": "from the environment", "token": "from a file"}
    assert second["inputs"] == {
        "authToken": {"value": "from the environment"},
        "smsBody": {"value": "from a file"},
    }


def test_all_values_that_are_not_there_are_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    documents = read(tmp_path, "name: a\naccount:\n  sid: AC1\n  token: {from_env: NOWHERE}\nto: {from_file: none}\n")
    with pytest.raises(Invalid) as refused:
        resolve(documents)
    assert "texts.yaml:4: the environment has no NOWHERE." in str(refused.value)
    assert "texts.yaml:5: none cannot be read: No such file or directory." in str(refused.value)
    assert "Nothing was changed." in str(refused.value)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)
words = st.sampled_from(
    ["no", "on", "+15005550006", "1:30", "{a}", "007", "1e5", "~", "a: b", "# c", "x\ny", "é", " a ", "- b", "'", '"']
)


@given(st.dictionaries(st.sampled_from(["name", "to", "message"]), plain | words, min_size=1))
def test_written_yaml_is_read_the_same_by_us_and_by_yaml_1_1(value: dict[str, Any]) -> None:
    text = write_yaml(value)
    assert yaml.safe_load(text) == value
    from smspipe.cli.files import _parse_yaml

    assert [found for found, _ in _parse_yaml("x.yaml", text)] == [value]


def test_written_toml_leaves_out_what_is_null(tmp_path: Path) -> None:
    text = write_documents([{"name": "a", "masking": None, "when": ["x"]}], "toml")
    assert values(read(tmp_path, text, "a.toml")) == [{"name": "a", "when": ["x"]}]
    with pytest.raises(Invalid, match="TOML has no null"):
        write_documents([{"name": "a", "when": [None]}], "toml")


def test_several_documents_are_read_as_they_were_written(tmp_path: Path) -> None:
    documents: list[dict[str, Any]] = [{"name": "a", "message": "one\ntwo"}, {"name": "b", "enabled": False}]
    for form in ("yaml", "toml", "json"):
        assert values(read(tmp_path, write_documents(documents, form), f"a.{form}")) == documents
