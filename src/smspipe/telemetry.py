"""
Every log event and metric, named once; and the labelled steps at which a test may end the process.

Counting is a plain dict in memory: the pipeline counts thousands of outcomes a second, and Prometheus reads the sums
when it asks. Logs are structlog lines; a processor masks anything that looks like a phone number or a known secret, as
the last net under code that should not have logged it.
"""

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final

_OUTCOMES: Counter[tuple[str, str, str]] = Counter()
_COUNTS: Counter[str] = Counter()
_GAUGES: dict[str, float] = {}
_catch_up: Callable[[], None] | None = None

COUNTERS: Final = {
    "smspipe_events_accepted_total": "Events answered with success by the capture routes.",
    "smspipe_requests_refused_total": "Capture requests answered with a 4xx.",
    "smspipe_requests_deferred_total": "Capture requests answered with 503.",
    "smspipe_attempts_total": "Requests to Twilio that create a message.",
    "smspipe_questions_total": "Requests to Twilio that ask what became of a text.",
    "smspipe_receipts_total": "Status callbacks of Twilio's that were taken, repeated ones included.",
    "smspipe_inbound_total": "Incoming texts.",
    "smspipe_callbacks_refused_total": "Callbacks that were not signed by Twilio, or not for a text of ours.",
    "smspipe_second_texts_total": "Texts found at Twilio for a delivery that has one already.",
    "smspipe_identical_texts_total": "Texts of which another destination sent the same words to the same number.",
    "smspipe_budget_warnings_total": "Days and months of budgets of which four fifths were spent.",
    "smspipe_commits_total": "Transactions of the embedded database's writer.",
    "smspipe_requests_forgotten_total": "Stored capture requests that retention deleted.",
    "smspipe_deliveries_forgotten_total": "Deliveries that retention deleted.",
    "smspipe_bodies_forgotten_total": "Deliveries that retention took the text from.",
    "smspipe_faults_total": "Faults that were logged as errors.",
}
"""Counters without labels, with their help text."""
GAUGES: Final = {
    "smspipe_backlog_events": "Events in the log that no destination has looked at yet.",
    "smspipe_sending": "Requests to Twilio on their way.",
    "smspipe_database_bytes": "Size of the embedded database's file, free pages included, at the last retention sweep.",
    "smspipe_alarms": "Alarms that are open.",
    "smspipe_asking": "Texts that Twilio is being asked about.",
}


def before_reading(count_now: Callable[[], None]) -> None:
    """Have `count_now` count what it has put off whenever somebody reads; the last one that asked for it."""
    global _catch_up
    _catch_up = count_now


def catch_up() -> None:
    """Have everything counted that was put off; on the event loop, before reading."""
    if _catch_up is not None:
        _catch_up()


def count_outcome(destination: str, outcome: str, reason: str, n: int = 1) -> None:
    """Count events that ended with `outcome` (a delivery's status, or `no_match`) for `reason` at a destination."""
    _OUTCOMES[destination, outcome, reason] += n


def count(name: str, n: int = 1) -> None:
    """Count `n` more of one of `COUNTERS`."""
    _COUNTS[name] += n


def gauge(name: str, value: float) -> None:
    """Set one of `GAUGES`."""
    _GAUGES[name] = value


def outcomes() -> dict[tuple[str, str, str], int]:
    """Give the outcomes counted so far, by (destination, outcome, reason)."""
    return dict(_OUTCOMES)


def metrics_text() -> bytes:
    """Write all metrics in Prometheus' text form, for `/metrics`."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector

    class _Sums(Collector):
        def collect(self) -> Iterable[Metric]:
            ends = CounterMetricFamily(
                "smspipe_outcomes", "What became of events.", labels=["destination", "outcome", "reason"]
            )
            for labels, n in sorted(_OUTCOMES.items()):
                ends.add_metric(list(labels), n)
            yield ends
            for name, text in COUNTERS.items():
                yield CounterMetricFamily(name.removesuffix("_total"), text, value=_COUNTS[name])
            for name, text in GAUGES.items():
                yield GaugeMetricFamily(name, text, value=_GAUGES.get(name, 0))

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Sums())
    return generate_latest(registry)


_NUMBER = re.compile(r"\+\d{7,15}|(?<![\w.-])\d{10,15}(?![\w.-])")
_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Replace `secret` by `***REDACTED***` in every log line from now on."""
    if len(secret) >= 6:
        _secrets.add(secret)


def redact(text: str) -> str:
    """Mask what looks like a phone number, and every secret that `hide` was told."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, "***REDACTED***")
    return _NUMBER.sub("•••", text)


def redact_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact every text of a structlog line; a structlog processor."""
    for key, value in line.items():
        if isinstance(value, str):
            line[key] = redact(value)
        elif isinstance(value, BaseException):
            line[key] = redact(str(value))
    return line


STEPS: Final = (
    "accept.before_log",
    "accept.after_log",
    "accept.after_commit",
    "fanout.before",
    "fanout.during",
    "fanout.after",
    "dispatch.claimed",
    "dispatch.before_request",
    "dispatch.during_request",
    "dispatch.after_answer",
    "settle.before_commit",
    "settle.after_commit",
    "receipt.before_commit",
    "receipt.after_commit",
    "sweep.before_question",
    "sweep.asked",
    "sweep.before_commit",
    "sweep.after_commit",
)
"""The labelled steps, in the order in which an event meets them; the last six only where Twilio reports or is asked."""


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_crash_at, _crash_after = "", 0
_die: Callable[[], None] = _kill


def crash_at(step: str, die: Callable[[], None] = _kill) -> None:
    """
    Ask to be killed at a labelled step: `step`, or `step:n` for its n-th time. For the kill tests; "" for never.

    `die` ends the process; the simulator, whose processes are not the system's, has its own way.
    """
    global _crash_at, _crash_after, _die
    _crash_at, _, nth = step.partition(":")
    if _crash_at and _crash_at not in STEPS:
        raise ValueError(f"There is no step {_crash_at!r}; there are {', '.join(STEPS)}.")
    _crash_after = int(nth or "1")
    _die = die


def reached(step: str) -> None:
    """
    Say that a labelled step is reached. Nothing happens, unless `crash_at` asked to be killed there.

    The kill tests use it to end the process the hard way (SIGKILL) exactly at the n-th time of a step.
    """
    global _crash_after
    if step == _crash_at:
        _crash_after -= 1
        if _crash_after <= 0:
            _die()
