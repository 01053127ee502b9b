"""
How many texts have gone to claimed numbers this hour?

Limits for what a stranger with the public capture key can cause: to one block of numbers, to one country, from one
network, and to numbers that were never texted. Numbers that somebody vouches for are not counted. An hour is one of the
clock's, in UTC, so that several writers count in the same; a text counts when it is let through, sent or not.
"""

from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from smspipe.guards.case import Case, Verdict
from smspipe.guards.country import bare, look_up
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.phone import mask
from smspipe.model.trust import Place, hour_of

PREFIX, COUNTRY, SOURCE, NEW = "per_prefix", "per_country", "per_source", "new_numbers"
"""The kinds of places, named like the limits."""
_ALL_NEW: Final[Place] = (NEW, "")
_BLOCK_DIGITS: Final = 3
_OK: Final = Step(name="velocity", ok=True)


def check_velocity(case: Case) -> Verdict:
    """Refuse a text to a claimed number when a limit of this hour is reached."""
    if not is_counted(case):
        return None
    destination, known = case.destination.id, case.known
    for place, most in _limits(case):
        # Whether a number is new is two questions to the ledger, and asked only when it matters.
        if known.let_through(destination, place) >= most and (place[0] != NEW or not known.texted(case.message.to)):
            until = hour_of(case.now) + timedelta(hours=1)
            return Refusal(
                reason=Reason.VELOCITY,
                saw=f"{_spell(case, place, most)} is reached; the next is possible at {until:%Y-%m-%d %H:%M} UTC. "
                "It protects from SMS pumping; numbers set with the secret key are not counted.",
                until=until,
            )
    return _OK


def is_counted(case: Case) -> bool:
    """Tell whether the destination's limits hold for this text."""
    return case.velocity is not None and case.trust.by is None and bool(case.velocity)


def places(case: Case) -> tuple[Place, ...]:
    """Say what a text that is let through counts under; nothing for one that no limit holds for."""
    if not is_counted(case):
        return ()
    return tuple([place for place, _ in _limits(case) if place[0] != NEW or not case.known.texted(case.message.to)])


def _limits(case: Case) -> list[tuple[Place, int]]:
    """List what this text counts under, with the most that may: first what many texts share, which is known by now."""
    limits, number = case.velocity, bare(case.message.to)
    assert limits is not None  # noqa: S101 (asked before)
    found: list[tuple[Place, int]] = []
    if limits.per_country is not None and number[:1] == "+":
        found.append(((COUNTRY, look_up(number).region), limits.per_country))
    if limits.new_numbers is not None:
        found.append((_ALL_NEW, limits.new_numbers))
    if limits.per_prefix is not None:
        found.append(((PREFIX, number[:-_BLOCK_DIGITS]), limits.per_prefix))
    if limits.per_source is not None and case.event.ip is not None:
        network = network_of(case.event.ip, private=limits.private_sources)
        if network is not None:
            found.append(((SOURCE, network), limits.per_source))
    return found


@lru_cache(maxsize=4096)
def network_of(ip: str, *, private: bool = False) -> str | None:
    """
    Give the network of an address: IPv4's /24 (also where it is written as IPv6), IPv6's /64.

    Args:
        ip: as the connection has it.
        private: give that of loopback, private and other addresses, too, which the internet does not have.

    Returns:
        None for no address, and for one that is not counted.
    """
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not (address.is_global or private):
        return None
    return str(ip_network((address, 24 if address.version == 4 else 64), strict=False))


def _spell(case: Case, place: Place, most: int) -> str:
    texts = f"The limit of {most} text{'' if most == 1 else 's'} an hour to claimed numbers"
    match place[0]:
        case "per_prefix":
            return f"{texts} of one block of 1000, that of {mask(case.message.to)},"
        case "per_country":
            return f"{texts} of {place[1]}"
        case "per_source":
            return f"{texts} for events from one network"
        case _:
            return f"{texts} that were never texted before"
