"""
`smspipe demo`: the whole service with its sandbox phone, and a small story told through PostHog's own SDK.

The service is the real `smspipe serve` in a process and a folder of its own, without any setting of the one who runs
the demo: nothing here can reach an installation, or Twilio.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from smspipe import config
from smspipe.cli import documents, output
from smspipe.cli.client import PROJECT, Client, NotFound, connect, running_at, segment
from smspipe.cli.options import example
from smspipe.cli.story import SENDER, Scene, destinations, scenes
from smspipe.model.errors import Fault

_START_SECONDS: Final = 30.0
_OUTCOME_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05
_SETTLED: Final = frozenset({"accepted", "delivered", "undelivered", "failed", "suppressed", "held", "unconfirmed"})
_TAKEN: Final = frozenset({"accepted", "delivered", "undelivered"})
"""The states of a delivery that Twilio took: its text is on its way to the phone."""
_LANDED: Final = frozenset({"delivered", "undelivered", "failed", "canceled"})
"""The sandbox's words for a text that is not on its way any more."""


def add_to(group: typer.Typer) -> None:
    """Add `smspipe demo`."""
    group.command(epilog=example("smspipe demo", "smspipe demo --once"))(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End as soon as every event has its outcome.")] = False,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=0, max=65_535, show_default=False, help="Port; left out, 8000 or any free one."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", show_default=False, help="Folder to keep; left out, one that is removed again."),
    ] = None,
) -> int:
    """
    Show it at work: start the service with a sandbox phone, send it events, and print the texts.

    Nothing leaves this machine. The sandbox answers as Twilio would, and no account is needed.
    """
    _need_sdk()
    # However it is asked to end, it takes the service along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        if data is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smspipe-demo-")))
        else:
            folder = data.resolve()
            folder.mkdir(parents=True, exist_ok=True)
        with output.waiting("Starting the service"):
            service = stack.enter_context(_service(folder, port))
            client = stack.enter_context(connect(_settings(folder), None))
        failed = _tell(client, folder)
        if once or failed:
            return 1 if failed else 0
        _print_ways_on(client, folder)
        with contextlib.suppress(KeyboardInterrupt):
            return service.wait()
    return 0


def _settings(folder: Path) -> dict[str, config.Found]:
    """Find the settings as the service in `folder` does: none but the folder's own."""
    return config.find({}, {"data": str(folder)}, folder)


def _need_sdk() -> None:
    from importlib.util import find_spec

    if find_spec("posthog") is None:
        raise Fault("The demo sends its events with PostHog's SDK. Install it: pip install 'smspipe[demo]'.")


@contextlib.contextmanager
def _service(folder: Path, port: int | None) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the service until the block ends."""
    command = [sys.executable, "-m", "smspipe", "serve", "--sandbox", "--data", str(folder)]
    command += ["--port", str(_choose_port() if port is None else port)]
    log = folder / "demo.log"
    with log.open("wb") as written:
        # A session of its own: Ctrl-C reaches us alone, and we end it once nobody speaks to it any more.
        service = subprocess.Popen(  # noqa: S603 (this very program)
            command, cwd=folder, env=config.without_settings(), stdin=subprocess.DEVNULL, stdout=written,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_until_it_runs(service, folder, log)
        yield service
    finally:
        service.terminate()
        try:
            service.wait(15)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()


def _choose_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8000))
        except OSError:
            return 0
    return 8000


def _wait_until_it_runs(service: "subprocess.Popen[bytes]", folder: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while running_at(folder) is None:
        if service.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text("utf-8", "replace").strip().splitlines()
            raise Fault(f"The service did not start. {lines[-1] if lines else 'It said nothing.'}")
        time.sleep(_LOOK_SECONDS)


def _tell(client: Client, folder: Path) -> bool:
    """Make the destinations, send the events, print what becomes of each; tell whether one has no outcome."""
    from smspipe.app import sandbox_account

    known = client.destinations()
    for document in destinations(*sandbox_account()):
        documents.put(client, document, documents.find_current(client, document, known))
    output.print_line("A small shop uses smspipe with four destinations.", "bold")
    _try_one(client)
    teller = _Teller(client, folder)
    deadline = time.monotonic() + _OUTCOME_SECONDS
    for scene in scenes():
        teller.play(scene, deadline)
    teller.end()
    return bool(teller.without_outcome)


def _try_one(client: Client) -> None:
    """Show the test panel: the text that an event would lead to, with nothing sent."""
    found = client.destination("Order updates")
    sample = {
        "event": {"event": "order shipped", "distinct_id": "test", "properties": {"order": "1000"}},
        "person": {"id": "test", "properties": {"name": "Test", "phone": "+12025550100"}},
    }
    answer = client.call(
        "POST", f"{PROJECT}/hog_functions/{found['id']}/invocations/",
        {"globals": sample, "mock_async_functions": True},
    )  # fmt: skip
    _says("Before it goes live, a destination is tried out.")
    for route in answer["smspipe"]["routes"]:
        text = route["message"]
        output.print_line(f'  tried, nothing sent: "{text["body"].strip()}" ({_size(text)})', "dim")


class _Teller:
    """Sends one scene after the other, and prints what became of it."""

    def __init__(self, client: Client, folder: Path) -> None:
        from posthog import Posthog

        assert client.address is not None  # noqa: S101 (the service was just started)
        token = config.load(_settings(folder), make_keys=False).project_token
        self.client = client
        self.errors: list[str] = []
        self.posthog = Posthog(token, host=client.address, on_error=lambda error, _: self.errors.append(str(error)))
        self.names = {each["id"]: each["name"] for each in client.destinations()}
        self.uuid = ""
        self.reasons: Counter[str] = Counter()
        self.texts = 0
        self.segments = 0
        self.without_outcome = 0

    def play(self, scene: Scene, deadline: float) -> None:
        """Send one event, wait for its outcome and print it."""
        with output.waiting(scene.says):
            self._prepare(scene)
            already = self._known(self.uuid) if scene.again else 0
            self.uuid = self._send(scene)
            settled = _SETTLED - {"unconfirmed"} if scene.lost else _SETTLED
            found, pending = self._outcome(self.uuid, deadline, arrivals=already + 1, settled=settled)
            texts = [] if scene.again else self._landed(found, deadline)
        _says(scene.says)
        if scene.again and found:
            self._no_text(scene, "duplicate", f"The event came {found['arrivals']} times and is decided on once.")
            return
        for text, delivery in texts:
            note = f"{_size(delivery)} · {self.names.get(delivery['destination_id'], '')}"
            output.print_bubble(text["body"].strip(), f"to {text['to']}", note)
            if scene.lost:
                output.print_line("  Found in Twilio's list of texts, so it was sent, and is not sent again.", "dim")
            self.texts += 1
            self.segments += delivery["segments"]
        if pending:
            self.without_outcome += 1
            output.print_line(f'  no outcome for "{scene.event}": {pending}', "bold red")
        elif found is not None:
            self._print_refusals(scene, found, texts=bool(texts))

    def _send(self, scene: Scene) -> str:
        more: dict[str, Any] = {"uuid": self.uuid} if scene.again else {}
        more["timestamp"] = datetime.now(UTC) - scene.age
        if scene.event == "$set":
            uuid = self.posthog.set(distinct_id=scene.person, properties=scene.properties, **more)
        else:
            uuid = self.posthog.capture(scene.event, distinct_id=scene.person, properties=scene.properties, **more)
        self.posthog.flush()
        return str(uuid)

    def _known(self, uuid: str) -> int:
        return int(self.client.get(f"{PROJECT}/events/{segment(uuid)}/explain/")["arrivals"])

    def _prepare(self, scene: Scene) -> None:
        """Let the sandbox's world be as the scene has it."""
        if scene.lost:
            self.client.call("POST", "/sandbox/faults", [{"fault": "reset_after", "times": 1}])
        if scene.stop is not None:
            reply = {"to": SENDER, "body": "STOP"}
            self.client.call("POST", f"/sandbox/phones/{segment(scene.stop)}/reply", reply)

    def _outcome(
        self, uuid: str, deadline: float, *, arrivals: int, settled: Set[str]
    ) -> tuple[dict[str, Any] | None, str]:
        """Wait until an event was decided on and every delivery of it is settled; say what is missing if it is not."""
        while True:
            found, pending = self._look(uuid, arrivals, settled)
            if not pending or time.monotonic() > deadline:
                return found, pending
            time.sleep(_LOOK_SECONDS)

    def _look(self, uuid: str, arrivals: int, settled: Set[str]) -> tuple[dict[str, Any] | None, str]:
        if self.errors:
            return None, f"the SDK could not send it: {self.errors[-1]}."
        # What is in the log and not yet behind the pipeline has no outcome, though no delivery is open for it.
        if _backlog(self.client.text("/metrics")) > 0:
            return None, "the service has not decided on it yet."
        try:
            found = self.client.get(f"{PROJECT}/events/{segment(uuid)}/explain/")
        except NotFound:
            return None, "it has not arrived."
        if found["arrivals"] < arrivals:
            return None, "it has not arrived again."
        states = {each["status"] for verdict in found["destinations"] for each in verdict["deliveries"]} - settled
        return found, f"a text is still {', '.join(sorted(states))}." if states else ""

    def _landed(self, found: dict[str, Any] | None, deadline: float) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Wait until the texts of an event are on the phone; give each with its delivery."""
        taken = {
            each["sid"]: each
            for verdict in (found or {"destinations": []})["destinations"]
            for each in verdict["deliveries"]
            if each["status"] in _TAKEN
        }
        while taken:
            inbox = self.client.get("/sandbox/inbox")["results"]
            mine = [text for text in inbox if text["sid"] in taken]
            if all(text["status"] in _LANDED for text in mine) or time.monotonic() > deadline:
                return [(text, taken[text["sid"]]) for text in reversed(mine)]
            time.sleep(_LOOK_SECONDS)
        return []

    def _print_refusals(self, scene: Scene, found: dict[str, Any], *, texts: bool) -> None:
        """Print why there was no text: each considered no, and a mismatch only where nothing else was said."""
        said = texts
        for verdict in found["destinations"]:
            for each in verdict["deliveries"]:
                if each["reason"] is not None:
                    self._no_text(scene, each["reason"], _why(each), self.names.get(each["destination_id"]))
                    said = True
        if not said:
            nearest = max(found["destinations"], key=_nearness, default=None)
            who = None if nearest is None or not _nearness(nearest) else nearest["destination"]
            why = (
                "No destination is for this event."
                if nearest is None or who is None
                else output.as_sentence(nearest["sentence"])
            )
            self._no_text(scene, "no_match", why, who)

    def _no_text(self, scene: Scene, reason: str, why: str, destination: str | None = None) -> None:
        self.reasons[reason] += 1
        where = f" ({destination})" if destination else ""
        output.print_line(f'  no text for "{scene.event}"{where}: {reason}. {why}'.rstrip(), "yellow")

    def end(self) -> None:
        """Print the sum of it all."""
        self.posthog.shutdown()
        output.print_line()
        output.print_line(f"{self.texts} texts in {self.segments} segments; each was sent once.", "bold")
        reasons = ", ".join(f"{n} × {reason}" if n > 1 else reason for reason, n in self.reasons.items())
        output.print_line(f"Without a text, and why: {reasons}.")


def _says(sentence: str) -> None:
    output.print_line()
    output.print_line(sentence, "bold")


def _nearness(verdict: dict[str, Any]) -> int:
    """Tell how near an event came to a destination: 1 when its name was right, and one of its properties not."""
    data = (verdict["steps"][-1].get("data") or {}) if verdict["steps"] else {}
    return int(not str(data.get("field", "__events")).endswith("__events"))


def _why(delivery: dict[str, Any]) -> str:
    last = delivery["steps"][-1].get("saw") if delivery["steps"] else ""
    return str(delivery["error_message"] or last or "")


def _size(text: dict[str, Any]) -> str:
    return f"{text['segments']} segment{'' if text['segments'] == 1 else 's'}, {text['encoding']}"


def _backlog(metrics: str) -> float:
    for line in metrics.splitlines():
        if line.startswith("smspipe_backlog_events "):
            return float(line.split()[1])
    return 0.0


def _print_ways_on(client: Client, folder: Path) -> None:
    key = config.find_api_key(_settings(folder)).reveal()
    output.print_line()
    output.print_line("It keeps running until Ctrl-C. Ask it something in another terminal:")
    output.print_line(f"  smspipe explain --to +12025550143 --data {folder}")
    output.print_line(f"  smspipe deliveries list --data {folder}")
    output.print_line(f"The API and the page take the key {key}.")
    print(client.address, flush=True)
