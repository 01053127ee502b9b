"""The scenarios: what is sent how, and how Twilio behaves meanwhile."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.events import PERSONS
from bench.load import Load

_CLOSED: Final = re.compile(r"(single|batch([1-9]\d{0,3}))-(\d{1,3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of load."""

    name: str
    share: float
    """Of the events that must become a text."""
    load: Load
    persons: int = PERSONS
    """So many distinct_ids take turns."""
    latency_ms: float = 0
    """Of Twilio's answers."""
    faults: Mapping[str, float] = field(default_factory=dict)
    """Twilio's: fault → share of the requests."""


def find_scenario(name: str, *, seconds: float, burst: int) -> Scenario:
    """
    Make a scenario from its name.

    Args:
        name: `single-10` (one event a request, 10 % match), `batch50-10` (50 events a request), and so on, in a closed
            loop; `newcomers`, as `single-10`, but every event comes from a person never seen before; `burst`, all
            events at once; `open`, a steady rate while Twilio takes its time; `faults`, a steady rate while Twilio
            refuses some requests and drops others.
        seconds: how long the load lasts; a burst ends when all of it is answered.
        burst: events of a burst.

    Raises:
        ValueError: there is none of this name.
    """
    if name == "burst":
        load = Load(connections=256, rate=math.inf, seconds=30, most=burst)
        return Scenario(name=name, share=0.1, load=load)
    if name == "open":
        load = Load(rate=200, seconds=seconds)
        return Scenario(name=name, share=0.5, load=load, latency_ms=80)
    if name == "faults":
        load = Load(rate=200, seconds=seconds)
        return Scenario(name=name, share=1, load=load, faults={"429": 0.05, "reset": 0.05})
    if name == "newcomers":
        return Scenario(name=name, share=0.1, load=Load(seconds=seconds), persons=1 << 40)
    found = _CLOSED.fullmatch(name)
    if found is None or not 0 <= int(found[3]) <= 100:
        raise ValueError(
            f"there is no scenario {name!r}: use single-10, batch50-10 and the like, newcomers, burst, open or faults"
        )
    batch = int(found[2] or 1)
    load = Load(batch=batch, connections=32 if batch == 1 else 8, seconds=seconds)
    return Scenario(name=name, share=int(found[3]) / 100, load=load)
