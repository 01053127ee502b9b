"""Settings: where they come from, what is refused, and what happens to keys."""

import stat
from pathlib import Path

import msgspec
import pytest

from smspipe import config
from smspipe.config import SETTINGS, Config, find, load
from smspipe.model.errors import Invalid

KEYS = {"SMSPIPE_SECRET_KEY": "s" * 40, "SMSPIPE_PROJECT_TOKEN": "phc_token", "SMSPIPE_API_KEY": "phx_key"}


def write(folder: Path, text: str) -> None:
    (folder / "smspipe.toml").write_text(text, "utf-8")


def loaded(folder: Path, **environment: str) -> Config:
    """Load with these settings, named in lower case, and all keys given."""
    given = {f"SMSPIPE_{name.upper()}": value for name, value in environment.items()}
    return load(find({"SMSPIPE_DATA": str(folder), **KEYS, **given}, folder=folder))


# --- where a value comes from -----------------------------------------------------------------------------------------


def test_the_command_line_comes_before_the_environment_before_the_file_before_the_default(tmp_path: Path) -> None:
    steps = []
    for variables, given in (({}, {}), ({"SMSPIPE_DATA": "env"}, {}), ({"SMSPIPE_DATA": "env"}, {"data": "line"})):
        found = find(variables, given, tmp_path)["data"]
        steps.append((found.value, found.source))
    write(tmp_path, 'data = "file"')
    from_file = find({}, {}, tmp_path)["data"]
    assert steps == [("./smspipe-data", "default"), ("env", "SMSPIPE_DATA"), ("line", "command line")]
    assert (from_file.value, from_file.source) == ("file", str(tmp_path / "smspipe.toml"))
    assert find({"SMSPIPE_DATA": "env"}, {}, tmp_path)["data"].value == "env"
    assert find({"SMSPIPE_DATA": "env"}, {"data": "line"}, tmp_path)["data"].value == "line"


def test_an_empty_variable_and_an_option_not_given_leave_the_value_to_the_next(tmp_path: Path) -> None:
    write(tmp_path, 'log_level = "debug"')
    assert find({"SMSPIPE_LOG_LEVEL": ""}, {"log_level": None}, tmp_path)["log_level"].value == "debug"


def test_the_file_may_have_sections_and_numbers(tmp_path: Path) -> None:
    write(tmp_path, 'log_level = "warning"\n[twilio]\ntwilio_connections = 7\n')
    settings = loaded(tmp_path)
    assert (settings.log_level, settings.twilio_connections) == ("warning", 7)


def test_every_setting_is_found_and_says_what_it_means() -> None:
    found = find({}, {}, Path("/nowhere"))
    assert list(found) == [setting.name for setting in SETTINGS]
    for setting in SETTINGS:
        assert setting.meaning.endswith(".")
        assert setting.name == setting.name.lower()


def test_every_default_is_one_that_loads(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.twilio_api_url == "https://api.twilio.com"
    assert settings.public_url is None
    assert settings.default_country is None
    assert settings.database_url == f"sqlite:///{tmp_path.resolve()}/smspipe.db"
    assert settings.crash_at == ""


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "near"), [("log_levle", "log_level"), ("databse_url", "database_url"), ("api-key", "api_key")]
)
def test_an_unknown_key_in_the_file_is_refused_with_the_nearest_known_one(tmp_path: Path, key: str, near: str) -> None:
    write(tmp_path, f'[any]\n{key} = "x"')
    with pytest.raises(Invalid, match="which is no setting") as caught:
        find({}, {}, tmp_path)
    assert caught.value.hint == f"Did you mean {near!r}?"
    assert near in str(caught.value)


def test_a_key_like_none_gets_the_whole_list(tmp_path: Path) -> None:
    write(tmp_path, 'zzz = "x"')
    with pytest.raises(Invalid) as caught:
        find({}, {}, tmp_path)
    for setting in SETTINGS:
        assert setting.name in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["data = ", "[", "\x00", "data = 'x'\ndata = 'y'"])
def test_a_file_that_is_no_toml_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(Invalid, match=r"smspipe\.toml cannot be read"):
        find({}, {}, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_url", "sms.example.com"),
        ("public_url", "ftp://sms.example.com"),
        ("public_url", "https://"),
        ("public_url", "https://[::1"),
        ("public_url", "https://sms.example.com:port"),
        ("public_url", "https://sms.example.com/?a=b"),
        ("twilio_api_url", "https://api.twilio.com#x"),
        ("default_country", "USA"),
        ("default_country", "1"),
        ("default_country", "Ü1"),
        ("twilio_connections", "0"),
        ("twilio_connections", "501"),
        ("twilio_connections", "-1"),
        ("twilio_connections", "many"),
        ("twilio_connections", "³"),
        ("twilio_connections", "٣"),
        ("twilio_connections", "1.5"),
        ("log_level", "loud"),
        ("nats_url", "nats://localhost"),
        ("project_token", "phx_of_the_api"),
        ("project_token", "x" * 65),
        ("project_token", "schlüssel"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_what_would_be_right(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        loaded(tmp_path, **{name: value})
    assert caught.value.field == name
    assert f"SMSPIPE_{name.upper()}" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("public_url", "https://sms.example.com/base/", "https://sms.example.com/base"),
        ("twilio_api_url", "http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("default_country", "de", "DE"),
        ("twilio_connections", "500", 500),
        ("log_level", "DEBUG", "debug"),
        ("database_url", "sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
    ],
)
def test_a_value_is_read_as_it_is_meant(tmp_path: Path, name: str, value: str, meant: object) -> None:
    assert getattr(loaded(tmp_path, **{name: value}), name) == meant


# --- keys -----------------------------------------------------------------------------------------------------------


def keyless(folder: Path, **environment: str) -> dict[str, config.Found]:
    return find({"SMSPIPE_DATA": str(folder / "data"), **environment}, folder=folder)


def test_keys_are_made_at_the_first_start_and_kept(tmp_path: Path) -> None:
    first, second = load(keyless(tmp_path)), load(keyless(tmp_path))
    assert (first.first_start, second.first_start) == (True, False)
    assert first.project_token.startswith("phc_")
    assert first.api_key.reveal().startswith("phx_")
    assert msgspec.structs.replace(first, first_start=False) == second


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    one, other = (load(keyless(tmp_path / name)) for name in ("one", "other"))
    for name in ("secret_key", "project_token", "api_key"):
        assert getattr(one, name) != getattr(other, name)


def test_nobody_else_can_read_the_file_of_the_keys(tmp_path: Path) -> None:
    load(keyless(tmp_path))
    file = tmp_path / "data" / config.KEYS_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [config.KEYS_FILE]


def test_what_a_start_that_broke_off_left_does_not_widen_the_files_mode(tmp_path: Path) -> None:
    left = (tmp_path / "data" / config.KEYS_FILE).with_suffix(".new")
    left.parent.mkdir()
    left.write_text("half")
    left.chmod(0o644)
    load(keyless(tmp_path))
    assert stat.S_IMODE((tmp_path / "data" / config.KEYS_FILE).stat().st_mode) == 0o600


def test_a_key_that_is_set_is_used_and_not_written_down(tmp_path: Path) -> None:
    settings = load(keyless(tmp_path, SMSPIPE_API_KEY="phx_given"))
    assert settings.api_key.reveal() == "phx_given"
    assert not settings.first_start
    assert "phx_given" not in (tmp_path / "data" / config.KEYS_FILE).read_text()


def test_a_key_that_is_missing_later_is_made_beside_the_others(tmp_path: Path) -> None:
    before = load(keyless(tmp_path, SMSPIPE_API_KEY="phx_given"))
    after = load(keyless(tmp_path))
    assert after.secret_key == before.secret_key
    assert after.project_token == before.project_token
    assert after.first_start


def test_who_must_not_make_keys_is_told_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        load(keyless(tmp_path), make_keys=False)
    assert "smspipe serve" in (caught.value.hint or "")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("content", [b"secret_key = ", b"\xff\xfe"], ids=["no toml", "no text"])
def test_a_file_of_keys_that_cannot_be_read_is_not_replaced_by_new_keys(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "data" / config.KEYS_FILE
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(Invalid, match="cannot be read"):
        load(keyless(tmp_path))
    assert file.read_bytes() == content


def test_secrets_do_not_show_in_the_settings_repr(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    shown = f"{settings!r} {settings}"
    assert "phx_key" not in shown
    assert "s" * 40 not in shown
    assert shown.count("Secret(***)") == 4


def test_the_settings_that_are_secret_are_marked_for_who_prints_them() -> None:
    assert {setting.name for setting in SETTINGS if setting.secret} == {
        "secret_key", "api_key", "hook_secret", "twilio_webhook_keys",
    }  # fmt: skip
