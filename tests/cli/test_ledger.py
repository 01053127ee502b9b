"""`smspipe deliveries` and `smspipe explain`, on a running service and on a stopped one."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from smspipe.cli.main import main
from tests.cli.running import Ended, Service, destination, run_process, write

pytestmark = pytest.mark.slow

Start = Callable[..., Service]

ADA, GRACE, LANDLINE = "+12025550143", "+12025550172", "+15005550009"
Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def shop(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service with one destination, after five events."""
    documents = [
        destination("Orders", "order shipped", masking={"hash": "{recipient}", "ttl": 3600}),
        destination("Signups", "signed up"),
    ]
    file = write(tmp_path_factory.mktemp("shop") / "shop.json", documents)
    assert main(["destinations", "apply", str(file), "--data", str(service.folder)]) == 0
    service.capture("order shipped", "ada", name="Ada", phone=ADA)
    service.capture("order shipped", "ada", name="Ada", phone=ADA)
    service.capture("order shipped", "dan", name="Dan", phone=LANDLINE)
    service.capture("signed up", "grace", name="Grace", phone=GRACE)
    service.capture("signed up", "eve", name="Eve")
    service.until(lambda: len(json.loads(service.read("/sandbox/inbox"))["results"]) == 2)
    service.until(lambda: "smspipe_sending 0.0" in service.read("/metrics"))
    return service


def test_the_ledger_is_listed_newest_first(shop: Service, smspipe: Run) -> None:
    found = smspipe("deliveries", "list", "--json", "--data", shop.folder).json
    assert [(each["event"], each["reason"]) for each in found] == [
        ("signed up", "recipient_missing"),
        ("signed up", None),
        ("order shipped", "twilio_rejected"),
        ("order shipped", "cooldown"),
        ("order shipped", None),
    ]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--destination", "Signups"], ["eve", "grace"]),
        (["--status", "failed"], ["dan"]),
        (["--reason", "cooldown"], ["ada"]),
        (["--to", "+1 (202) 555-0143"], ["ada", "ada"]),
        (["--person", "grace"], ["grace"]),
        (["--limit", "2"], ["eve", "grace"]),
        (["--after", "-1h", "--person", "eve"], ["eve"]),
        (["--before", "-1h"], []),
    ],
    ids=lambda value: " ".join(value),
)
def test_filters_choose(filters: list[str], expected: list[str], shop: Service, smspipe: Run) -> None:
    found = smspipe("deliveries", "list", "--json", "--data", shop.folder, *filters).json
    assert [each["distinct_id"] for each in found] == expected


def test_the_events_uuid_chooses(shop: Service, smspipe: Run) -> None:
    one = smspipe("deliveries", "list", "--json", "--data", shop.folder, "--limit", 1).json[0]
    found = smspipe("deliveries", "list", "--json", "--data", shop.folder, "--event", one["event_uuid"].upper()).json
    assert found == [one]


def test_pages_are_read_on_until_there_are_enough(shop: Service, smspipe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smspipe.cli.client.LARGEST_PAGE", 2)
    found = smspipe("deliveries", "list", "--json", "--data", shop.folder, "--limit", 5).json
    assert len({each["id"] for each in found}) == 5
    assert len(smspipe("deliveries", "list", "--json", "--data", shop.folder, "--limit", 3).json) == 3


def test_a_pipe_gets_a_line_for_each_with_tabs_and_no_escapes(shop: Service, smspipe: Run) -> None:
    ended = smspipe("deliveries", "list", "--data", shop.folder)
    assert "\x1b" not in ended.out
    head, *lines = ended.out.splitlines()
    assert head.split("\t")[:5] == ["ID", "CREATED_AT", "STATUS", "REASON", "TO"]
    assert len(lines) == 5
    assert all(len(line.split("\t")) == len(head.split("\t")) for line in lines)
    assert lines[2].split("\t")[2:7] == ["failed", "twilio_rejected", LANDLINE, "order shipped", "Orders"]


def test_one_delivery_shows_its_text_and_steps(shop: Service, smspipe: Run) -> None:
    one = smspipe("deliveries", "list", "--json", "--data", shop.folder, "--person", "grace").json[0]
    ended = smspipe("deliveries", "show", one["id"], "--data", shop.folder)
    assert f"To\t{GRACE}" in ended.out
    assert "Text\tHi Grace" in ended.out
    assert "Segments\t1 × GSM-7" in ended.out
    assert "ok recipient" in ended.out
    assert smspipe("deliveries", "show", one["id"], "--json", "--data", shop.folder).json["body"] == "Hi Grace"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deliveries", "list", "--status", "lost"], "There is no status 'lost'. Use pending,"),
        (["deliveries", "list", "--reason", "bad luck"], "There is no reason 'bad luck'."),
        (["deliveries", "list", "--destination", "Nobody"], "`smspipe destinations list` shows those there are."),
        (["deliveries", "list", "--after", "yesterday"], "2026-01-02T03:04:05Z"),
        (["deliveries", "show", "nothing"], "Not found."),
        (["deliveries", "show", "../hog_functions"], "ot found."),
        (["explain", "0199b0c4-3f5e-7000-8000-3b1c5a2d9e01"], "has arrived"),
        (["explain", "--to", "+12025550199"], "No event led to a text for +12025550199"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_in_one_line(words: list[str], said: str, shop: Service, smspipe: Run) -> None:
    ended = smspipe(*words, "--data", shop.folder)
    assert (ended.status, ended.out) == (1, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_an_event_is_explained_at_every_destination(shop: Service, smspipe: Run) -> None:
    one = smspipe("deliveries", "list", "--json", "--data", shop.folder, "--reason", "cooldown").json[0]
    ended = smspipe("explain", one["event_uuid"], "--data", shop.folder)
    assert ended.status == 0
    assert "Orders: suppressed, cooldown" in ended.out
    assert "no cooldown A text with the same cooldown key" in ended.out
    assert "Signups: no_match" in ended.out
    assert "\x1b" not in ended.out
    found = smspipe("explain", one["event_uuid"], "--json", "--data", shop.folder).json
    assert {each["destination"]: each["reason"] for each in found["destinations"]} == {
        "Orders": "cooldown",
        "Signups": "no_match",
    }


def test_a_number_is_explained_by_its_last_events(shop: Service, smspipe: Run) -> None:
    found = smspipe("explain", "--to", "+1 202 555 0143", "--json", "--data", shop.folder).json
    assert [each["distinct_id"] for each in found] == ["ada", "ada"]
    ended = smspipe("explain", "--to", ADA, "--data", shop.folder)
    assert ended.out.index("suppressed, cooldown") < ended.out.index("Orders: accepted")
    assert "Signups" not in ended.out
    assert len(smspipe("explain", "--to", ADA, "--limit", 1, "--json", "--data", shop.folder).json) == 1


def test_a_redrive_says_how_many_and_asks(shop: Service, smspipe: Run) -> None:
    ended = smspipe("deliveries", "redrive", "--status", "failed", "--data", shop.folder)
    assert ended.status == 1
    assert "1\tfailed\ttwilio_rejected" in ended.out
    assert "1 text would be sent: 1 segment to 1 recipient." in ended.out
    assert "Add --yes" in ended.err
    assert smspipe("deliveries", "list", "--json", "--data", shop.folder, "--status", "failed").json


def test_a_dry_run_only_says_what_would_be_sent(shop: Service, smspipe: Run) -> None:
    words = ("deliveries", "redrive", "--dry-run", "--data", shop.folder)
    before = smspipe("deliveries", "list", "--json", "--data", shop.folder).json
    ended = smspipe(*words)
    assert ended.status == 0
    # the sandbox's phones get their texts within a moment, and the service asks about them a little later
    assert re.search(r"^\d\t(may have been sent|arrived)$", ended.out, re.MULTILINE)
    assert "2\twas decided against" in ended.out
    assert smspipe(*words, "--error", "99999", "--json").json["would_send"] == 0
    assert smspipe(*words, "--error", before[2]["error_code"], "--json").json["would_send"] == 1
    assert smspipe("deliveries", "list", "--json", "--data", shop.folder).json == before


def test_costs_are_summed(shop: Service, smspipe: Run) -> None:
    words = ("deliveries", "cost", "--data", shop.folder)
    head, *rows = smspipe(*words).out.splitlines()
    assert head.split("\t") == ["DESTINATION", "TEXTS", "SEGMENTS", "BILLED", "PRICE", "PRICE KNOWN"]
    assert sorted(row.split("\t")[:3] for row in rows) == [["Orders", "1", "1"], ["Signups", "1", "1"]]
    assert smspipe(*words, "--by", "country", "--json").json["results"][0]["key"] == "US"
    assert smspipe(*words, "--destination", "Orders", "--by", "day", "--json").json["total"]["texts"] == 1
    assert smspipe(*words, "--before", "-1h", "--json").json["results"] == []
    refused = smspipe(*words, "--by", "person")
    assert (refused.status, refused.out) == (1, "")
    assert "Use destination, country, day." in refused.err


def test_a_history_tells_what_happened_in_its_order(start: Start, tmp_path: Path, smspipe: Run) -> None:
    service = start()
    file = write(tmp_path / "d.json", destination("Orders", "order shipped"))
    assert smspipe("destinations", "apply", file, "--data", service.folder).status == 0
    service.fault([{"fault": "refuse", "code": 21612, "times": 1}])
    service.capture("order shipped", "ada", name="Ada", phone=ADA)

    def listed() -> dict[str, str]:
        found = smspipe("deliveries", "list", "--json", "--data", service.folder).json
        return {each["id"]: each["status"] for each in found}

    service.until(lambda: "failed" in listed().values())
    (one,) = listed()
    words = ("deliveries", "redrive", one, "--why", "The route is open.", "--yes", "--data", service.folder)
    assert smspipe(*words).status == 0
    service.until(lambda: listed()[one] == "accepted")
    lines = smspipe("deliveries", "show", one, "--data", service.folder).out.splitlines()
    history = [line.split("\t")[1] for line in lines[lines.index("AT (UTC)\tWHAT HAPPENED") + 1 :]]
    assert history == [
        "The event was decided on.",
        "Request 1 to Twilio left.",
        "A person had it sent again: The route is open. (It was failed, twilio_rejected, 21612.)",
        "Request 2 to Twilio left.",
        "It became accepted.",
    ]
    assert not any(line.startswith("  ok redrive") for line in lines)


def test_a_redrive_sends_what_was_not_sent(start: Start, tmp_path: Path, smspipe: Run) -> None:
    """The number is mended at Twilio: the same text goes through at the second try, and is sent once."""
    service = start()
    file = write(tmp_path / "d.json", destination("Orders", "order shipped"))
    assert smspipe("destinations", "apply", file, "--data", service.folder).status == 0
    service.fault([{"fault": "refuse", "code": 21612, "times": 1}])
    service.capture("order shipped", "ada", name="Ada", phone=ADA)

    def listed(status: str) -> list[str]:
        found = smspipe("deliveries", "list", "--json", "--data", service.folder, "--status", status).json
        return [each["id"] for each in found]

    service.until(lambda: len(listed("failed")) == 1)
    failed = listed("failed")
    ended = smspipe("deliveries", "redrive", "--reason", "twilio_rejected", "--yes", "--json", "--data", service.folder)
    assert (ended.status, ended.json) == (0, {"chosen": 1, "redriven": 1})
    service.until(lambda: listed("accepted") == failed)
    assert [text["body"] for text in json.loads(service.read("/sandbox/inbox"))["results"]] == ["Hi Ada"]
    again = smspipe("deliveries", "redrive", "--yes", "--data", service.folder)
    assert again.status == 1
    assert "No failed or held text fits." in again.err
    assert smspipe("deliveries", "redrive", failed[0], "--yes", "--data", service.folder).status == 1
    assert service.stop()[0] == 0


def test_a_stopped_installation_is_read_in_place(start: Start, tmp_path: Path, smspipe: Run) -> None:
    service = start()
    file = write(tmp_path / "d.json", destination("Orders", "order shipped"))
    assert smspipe("destinations", "apply", file, "--data", service.folder).status == 0
    service.capture("order shipped", "ada", name="Ada", phone=ADA)
    service.until(lambda: len(json.loads(service.read("/sandbox/inbox"))["results"]) == 1)
    service.until(lambda: "smspipe_sending 0.0" in service.read("/metrics"))
    words = ("deliveries", "list", "--data", service.folder)
    running = smspipe(*words).out
    uuid = smspipe(*words, "--json").json[0]["event_uuid"]
    explained = smspipe("explain", uuid, "--data", service.folder).out
    assert service.stop()[0] == 0
    ended = run_process(*words, cwd=tmp_path)
    assert (ended.status, ended.out, ended.err) == (0, running, "")
    assert run_process("explain", uuid, "--data", service.folder, cwd=tmp_path).out == explained
    with closing(sqlite3.connect(service.folder / "smspipe.db")) as database:
        database.executescript("delete from event_index; delete from requests")
    told = smspipe("explain", "--to", ADA, "--data", service.folder)
    assert told.status == 0, "the event is kept no more, and its delivery is"
    assert "not kept any more" in told.out
    assert "Orders: " in told.out


def test_an_address_left_by_a_killed_service_is_passed_by(start: Start, tmp_path: Path) -> None:
    service = start()
    service.stop(9)
    assert (service.folder / "address").exists()
    ended = run_process("destinations", "list", "--data", service.folder, cwd=tmp_path)
    assert (ended.status, ended.out.splitlines(), ended.err) == (0, ["NAME\tSTATE\tEVENTS\tID"], "")


def test_a_wrong_key_is_named(shop: Service, smspipe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMSPIPE_API_KEY", "phx_wrong")
    ended = smspipe("deliveries", "list", "--url", shop.address)
    assert ended.status == 1
    assert "SMSPIPE_API_KEY" in ended.err


def test_what_an_event_says_cannot_steer_the_terminal(start: Start, smspipe: Run, tmp_path: Path) -> None:
    service = start()
    file = write(tmp_path / "d.json", destination("Orders", "order shipped"))
    assert smspipe("destinations", "apply", file, "--data", service.folder).status == 0
    service.capture("order shipped", "mallory\x1b[2J", name="\x1b]0;gone\x07", phone=ADA)
    one = smspipe("deliveries", "list", "--json", "--data", service.folder).json[0]
    ended = smspipe("deliveries", "show", one["id"], "--data", service.folder)
    assert "mallory\\x1b[2J" in ended.out
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out
