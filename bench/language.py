"""
The language: our compiled filters and templates beside PostHog's virtual machine, `@posthog/hogvm`, on its bytecode.

Both get the same events, ready as either's pipeline holds them, and the processor's time counts, not the clock. Before
anything is measured both must give the same answer for every event; a figure for two different things says nothing.
"""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, cast

import msgspec

from bench.bytecode import Code, among, equal, every, field, greater, is_set, joined, program, text
from bench.events import EVENT, LEAST_TOTAL, Events
from smspipe.matching import compile_filter, read_filter
from smspipe.model.destination import Text
from smspipe.model.event import Event
from smspipe.model.filter import Mode
from smspipe.model.ids import EventUuid, PersonId
from smspipe.model.person import Person
from smspipe.rendering import compile_text, globals_for
from tests.support.npm import NODE, npm_package

HOGVM: Final = ("@posthog/hogvm", "1.0.71")
TARGETS: Final[Mapping[str, float]] = {"filter-10": 10, "template-6": 5}
"""So many times the virtual machine's evaluations for each second of the processor are aimed at."""
_EVENTS: Final = 500
_AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SCRIPT: Final = Path(__file__).with_name("hogvm.js")
_CURRENCIES: Final = ["EUR", "USD"]
_FILTER: Final = {
    "events": [
        {
            "id": EVENT,
            "type": "events",
            "properties": [
                {"key": "total", "type": "event", "operator": "gt", "value": LEAST_TOTAL},
                {"key": "currency", "type": "event", "operator": "exact", "value": _CURRENCIES},
                {"key": "phone", "type": "person", "operator": "is_set", "value": "is_set"},
            ],
        }
    ]
}
_FILTER_CODE: Final = every(
    equal(field("event"), EVENT),
    every(
        greater(field("properties", "total"), LEAST_TOTAL),
        among(field("properties", "currency"), _CURRENCIES),
        is_set(field("person", "properties", "phone")),
    ),
)
_TEMPLATES: Final[Mapping[str, Sequence[str | tuple[str, ...]]]] = {
    "template-6": (
        "Hi ", ("person", "properties", "name"), ", order ", ("event", "properties", "order"), " for ",
        ("event", "properties", "total"),
    ),
    "template-12": (
        "Hi ", ("person", "properties", "name"), ", order ", ("event", "properties", "order"), " for ",
        ("event", "properties", "total"), " ", ("event", "properties", "currency"), " is on its way, see ",
        ("event", "properties", "$current_url"), ". Your plan: ", ("person", "properties", "plan"),
    ),
}  # fmt: skip
"""Literal parts, and names to be filled in."""


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """How fast one side was at one task in one round."""

    task: str
    """`filter-10`: a tenth of the events match; `filter-100`: all do; `template-6`, `template-12`: of so many parts."""
    what: str
    """`smspipe` or `hogvm`."""
    round: int
    evaluations: int
    per_cpu_second: float


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that both sides do to the same events."""

    name: str
    evaluate: Callable[[int], Any]
    """Ours, for the event of this place; for the comparison of answers."""
    loop: Callable[[], None]
    """Ours, once for each event; for the measurement."""
    code: Code
    globals: Sequence[Mapping[str, Any]]
    """The virtual machine's, an entry for each event."""


class Vm:
    """The virtual machine in a process of its own; a context manager that ends it."""

    def __init__(self, folder: Path, tasks: Sequence[Task]) -> None:
        """Start it with the tasks' bytecode and globals; `folder` is for the file that brings them."""
        given = {task.name: {"bytecode": task.code, "globals": task.globals} for task in tasks}
        file = folder / "tasks.json"
        file.write_text(json.dumps(given))
        self._process = subprocess.Popen(
            [NODE, _SCRIPT, npm_package(*HOGVM), file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def answers(self, task: str) -> list[Any]:
        """Give its value for each event."""
        return cast("list[Any]", self._ask(f"answers {task}"))

    def run(self, task: str, seconds: float) -> tuple[int, float]:
        """Let it work for so much processor time; tell the evaluations, and the seconds that they really took."""
        done = self._ask(f"run {task} {seconds}")
        return done["evaluations"], done["cpu_seconds"]

    def _ask(self, line: str) -> Any:
        stdin, stdout = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        stdin.write(line + "\n")
        stdin.flush()
        said = stdout.readline()
        if not said:
            raise RuntimeError(f"@posthog/hogvm ended when it was asked to {line}")
        return json.loads(said)


def make_tasks() -> list[Task]:
    """Make the tasks; the same ones every time."""
    tenth, all_ = people(0.1), people(1)
    templates = [_template_task(name, parts, all_) for name, parts in _TEMPLATES.items()]
    return [_filter_task("filter-10", tenth), _filter_task("filter-100", all_), *templates]


def disagreements(tasks: Sequence[Task], vm: Vm) -> list[str]:
    """Say for each task in a sentence for how many events the two sides do not give the same answer."""
    found = []
    for task in tasks:
        theirs = vm.answers(task.name)
        ours = [task.evaluate(place) for place in range(len(task.globals))]
        wrong = sum(type(one) is not type(other) or one != other for one, other in zip(ours, theirs, strict=True))
        if wrong:
            found.append(f"language, {task.name}: smspipe and hogvm disagree about {wrong} of {len(ours)} events")
    return found


def measure_language(tasks: Sequence[Task], vm: Vm, round_: int, *, seconds: float) -> list[Evaluated]:
    """Let both sides take turns at each task, for `seconds` of processor time each."""
    found = []
    for task in tasks:
        for what, (evaluations, used) in (
            ("smspipe", _run_ours(task, seconds)),
            ("hogvm", vm.run(task.name, seconds)),
        ):
            found.append(
                Evaluated(
                    task=task.name, what=what, round=round_, evaluations=evaluations,
                    per_cpu_second=evaluations / used,
                )
            )  # fmt: skip
    return found


def _run_ours(task: Task, seconds: float) -> tuple[int, float]:
    begin = time.process_time()
    evaluations, used = 0, 0.0
    while used < seconds:
        task.loop()
        evaluations += len(task.globals)
        used = time.process_time() - begin
    return evaluations, used


def people(share: float) -> list[tuple[Event, Person]]:
    """Make some hundred events of which `share` match, and the person of each, who knows what the event told."""
    events = Events(share=share, at=_AT, token="phc_bench")
    found = []
    for number in range(_EVENTS):
        said = msgspec.json.decode(events.event(number))
        told = {key: said["properties"][key] for key in ("name", "phone", "plan") if key in said["properties"]}
        event = Event(
            uuid=EventUuid(said["uuid"]),
            event=said["event"],
            distinct_id=said["distinct_id"],
            timestamp=_AT,
            received_at=_AT,
            properties=said["properties"],
        )
        found.append((event, Person(id=PersonId(said["distinct_id"]), properties=told, created_at=_AT)))
    return found


def _filter_task(name: str, people: Sequence[tuple[Event, Person]]) -> Task:
    matches = compile_filter(read_filter(_FILTER, mode=Mode.POSTHOG)).matches

    def loop() -> None:
        for event, person in people:
            matches(event, person, (), _AT)

    return Task(
        name=name,
        evaluate=lambda place: matches(*people[place], (), _AT),
        loop=loop,
        code=program(_FILTER_CODE),
        globals=[
            {
                "event": event.event,
                "uuid": event.uuid,
                "timestamp": event.timestamp.isoformat(),
                "distinct_id": event.distinct_id,
                "properties": event.properties,
                "person": {"id": person.id, "properties": person.properties},
            }
            for event, person in people
        ],
    )


def _template_task(name: str, parts: Sequence[str | tuple[str, ...]], people: Sequence[tuple[Event, Person]]) -> Task:
    source = "".join(part if isinstance(part, str) else _hole(part) for part in parts)
    render = compile_text(Text(source=source)).text
    project = {"id": 1, "name": "Bench", "url": "http://localhost/project/1"}
    values = [globals_for(*both, (), project=project, source={}, inputs={}) for both in people]

    def loop() -> None:
        for each in values:
            render(each, _AT)

    return Task(
        name=name,
        evaluate=lambda place: render(values[place], _AT),
        loop=loop,
        code=program(joined(*(text(part) if isinstance(part, str) else field(*part) for part in parts))),
        globals=values,
    )


def _hole(path: tuple[str, ...]) -> str:
    return "{" + ".".join(path) + "}"
