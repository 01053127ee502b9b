"""`smspipe doctor`: one line for each thing, what to do about it, and status 1 when something is broken."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.running import Ended, Service, destination, write

pytestmark = pytest.mark.slow

Run = Callable[..., Ended]
Start = Callable[..., Service]


def states(ended: Ended) -> dict[str, str]:
    """Each check's state."""
    return {each["name"]: each["state"] for each in ended.json["checks"]}


def test_a_sound_installation_ends_with_0(start: Start, smspipe: Run, tmp_path: Path) -> None:
    service = start()
    smspipe("destinations", "apply", write(tmp_path / "d.json", destination("A", "x")), "--data", service.folder)
    ended = smspipe("doctor", "--json", "--data", service.folder)
    assert ended.status == 0
    found = states(ended)
    assert [found[name] for name in ("settings", "keys", "service", "disk", "database")] == ["ok"] * 5
    assert found["credentials of AC" + "0" * 32] == "ok"
    assert found["twilio"] == "note"


def test_settings_show_value_and_source_and_no_secret(
    start: Start, smspipe: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = start()
    (tmp_path / "smspipe.toml").write_text('[phones]\ndefault_country = "DE"\n')
    monkeypatch.setenv("SMSPIPE_LOG_LEVEL", "warning")
    ended = smspipe("doctor", "--data", service.folder)
    keys = service.folder / "keys.toml"
    assert f"SMSPIPE_DATA\t{service.folder}\tcommand line\n" in ended.out
    assert f"SMSPIPE_DEFAULT_COUNTRY\tDE\t{tmp_path / 'smspipe.toml'}\n" in ended.out
    assert "SMSPIPE_LOG_LEVEL\twarning\tSMSPIPE_LOG_LEVEL\n" in ended.out
    assert f"SMSPIPE_API_KEY\t(hidden)\t{keys}\n" in ended.out
    assert f"SMSPIPE_SECRET_KEY\t(hidden)\t{keys}\n" in ended.out
    assert "SMSPIPE_PUBLIC_URL\t(not set)\tdefault\n" in ended.out
    for name in ("api_key", "secret_key"):
        assert keys.read_text().split(f'{name} = "')[1].split('"')[0] not in ended.out


def test_what_is_wrong_is_broken_and_says_what_to_do(
    start: Start, smspipe: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = start()
    wrong = destination("A", "x", inputs={"authToken": {"value": "not-the-token"}})
    smspipe("destinations", "apply", write(tmp_path / "d.json", wrong), "--data", service.folder)
    (service.folder / "keys.toml").chmod(0o644)
    monkeypatch.setenv("SMSPIPE_PUBLIC_URL", "http://127.0.0.1:1")
    ended = smspipe("doctor", "--json", "--data", service.folder)
    assert ended.status == 1
    broken = {each["name"]: each["do"] for each in ended.json["checks"] if each["state"] == "broken"}
    assert broken.keys() == {"keys", "credentials of AC" + "0" * 32, "callbacks"}
    assert "chmod 600" in broken["keys"]
    assert all(broken.values())


def test_the_public_address_is_tried(start: Start, smspipe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    monkeypatch.setenv("SMSPIPE_PUBLIC_URL", service.address)
    ended = smspipe("doctor", "--json", "--data", service.folder)
    check = next(each for each in ended.json["checks"] if each["name"] == "callbacks")
    assert (check["state"], "https" in check["do"]) == ("note", True)


def test_secrets_that_no_key_opens_are_broken(
    start: Start, smspipe: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = start()
    smspipe("destinations", "apply", write(tmp_path / "d.json", destination("A", "x")), "--data", service.folder)
    service.stop()
    monkeypatch.setenv("SMSPIPE_SECRET_KEY", "another-key-" * 4)
    found = states(smspipe("doctor", "--json", "--data", service.folder))
    assert found["secrets"] == "broken"
    assert found["destination 'A'"] == "broken"
    assert found["service"] == "note"


def test_a_damaged_database_is_broken(start: Start, smspipe: Run) -> None:
    service = start()
    service.stop()
    (service.folder / "smspipe.db").write_bytes(b"this is no database" * 1000)
    for left in service.folder.glob("smspipe.db-*"):
        left.unlink()
    ended = smspipe("doctor", "--json", "--data", service.folder)
    assert ended.status == 1
    assert states(ended)["database"] == "broken"


def test_tables_of_another_version_are_broken(start: Start, smspipe: Run) -> None:
    service = start()
    service.stop()
    with sqlite3.connect(service.folder / "smspipe.db") as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    ended = smspipe("doctor", "--json", "--data", service.folder)
    assert ended.status == 1
    check = next(each for each in ended.json["checks"] if each["name"] == "database")
    assert (check["state"], "9999" in check["saw"]) == ("broken", True)


def test_settings_that_make_no_sense_are_broken(smspipe: Run, monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    service = start()
    monkeypatch.setenv("SMSPIPE_DEFAULT_COUNTRY", "Germany")
    ended = smspipe("doctor", "--json", "--data", service.folder)
    assert ended.status == 1
    assert states(ended) == {"settings": "broken"}
