"""Limits on texts to claimed numbers: what they count, and what they say."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.guards import Case, places
from smspipe.guards.velocity import check_velocity, network_of
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.phone import E164
from smspipe.model.trust import PROTECTIVE, Place, Trust, Velocity, Voucher
from tests.guards.test_check import a_case
from tests.pipeline.conftest import Ledger, an_event

NUMBER = "+14155552671"
ALL = Velocity(per_prefix=3, per_country=5, per_source=2, new_numbers=4)
PREFIX, COUNTRY, SOURCE, NEW = ("per_prefix", "+14155552"), ("per_country", "US"), ("per_source", "8.8.8.0/24"), (
    "new_numbers", "")  # fmt: skip


def asked(
    counts: dict[Place, int] | None = None, *, to: str = NUMBER, ip: str | None = "8.8.8.8", **fields: Any
) -> Case:
    known = Ledger()
    known.counts = counts or {}
    text = Message(to=E164(to), sender="+15005550006", body="Hi", encoding=Encoding.GSM_7, segments=1)
    return a_case(known, **{"message": text, "event": an_event(ip=ip), "velocity": ALL, **fields})


@pytest.mark.parametrize(
    ("place", "most"), [(PREFIX, 3), (COUNTRY, 5), (SOURCE, 2), (NEW, 4)], ids=["prefix", "country", "source", "new"]
)
def test_a_limit_refuses_what_would_pass_it_and_nothing_before(place: Place, most: int) -> None:
    before = check_velocity(asked({place: most - 1}))
    assert isinstance(before, Step)
    assert before.ok
    answer = check_velocity(asked({place: most}))
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.VELOCITY
    assert f"{most} texts" in answer.saw
    assert NUMBER not in answer.saw
    assert "8.8.8" not in answer.saw, "a source address is told to nobody"


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-01T12:00:00+00:00", "2026-03-01T13:00:00+00:00"),
        ("2026-03-01T12:59:59.999999+00:00", "2026-03-01T13:00:00+00:00"),
        ("2026-12-31T23:30:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("2026-03-01T12:10:00+05:30", "2026-03-01T07:00:00+00:00"),
    ],
)
def test_the_next_text_is_possible_in_the_next_hour(now: str, until: str) -> None:
    answer = check_velocity(asked({PREFIX: 3}, now=datetime.fromisoformat(now)))
    assert isinstance(answer, Refusal)
    assert answer.until == datetime.fromisoformat(until)
    assert f"{answer.until.astimezone(UTC):%H:%M} UTC" in answer.saw


@pytest.mark.parametrize("voucher", Voucher)
def test_a_number_that_somebody_vouches_for_is_neither_limited_nor_counted(voucher: Voucher) -> None:
    case = asked({PREFIX: 100}, trust=Trust(by=voucher))
    assert check_velocity(case) is None
    assert places(case) == ()


@pytest.mark.parametrize("limits", [None, Velocity()], ids=["none given", "each without a limit"])
def test_without_limits_nothing_is_asked_or_counted(limits: Velocity | None) -> None:
    case = asked({PREFIX: 100}, velocity=limits)
    assert check_velocity(case) is None
    assert places(case) == ()


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({}, (COUNTRY, NEW, PREFIX, SOURCE)),
        ({"ip": None}, (COUNTRY, NEW, PREFIX)),
        ({"ip": "127.0.0.1"}, (COUNTRY, NEW, PREFIX)),
        ({"velocity": Velocity(per_source=1)}, (SOURCE,)),
        ({"velocity": Velocity(new_numbers=0)}, (NEW,)),
        ({"to": f"whatsapp:{NUMBER}"}, (COUNTRY, NEW, PREFIX, SOURCE)),
        ({"to": "+4915112345678", "ip": "2001:4860:4860::8888"},
         (("per_country", "DE"), NEW, ("per_prefix", "+4915112345"), ("per_source", "2001:4860:4860::/64"))),
    ],
    ids=["all", "no address", "from this machine", "one limit", "none at all", "WhatsApp", "elsewhere"],
)  # fmt: skip
def test_a_text_counts_at_every_place_that_has_a_limit(fields: dict[str, Any], counted: tuple[Place, ...]) -> None:
    assert places(asked(**fields)) == counted


def test_a_number_that_was_texted_before_is_not_new() -> None:
    case = asked({NEW: 4})
    assert isinstance(check_velocity(case), Refusal)
    assert isinstance(case.known, Ledger)
    case.known.numbers.add(NUMBER)
    assert isinstance(check_velocity(case), Step)
    assert NEW not in places(case)


def test_a_limit_of_none_lets_nothing_through() -> None:
    assert isinstance(check_velocity(asked(velocity=Velocity(per_prefix=0))), Refusal)


def test_the_protective_limits_limit_everything_and_count_no_private_network() -> None:
    assert None not in (
        PROTECTIVE.per_prefix, PROTECTIVE.per_country, PROTECTIVE.per_source, PROTECTIVE.new_numbers
    )  # fmt: skip
    assert not PROTECTIVE.private_sources


NETWORKS = [
    ("8.8.8.8", "8.8.8.0/24"),
    ("8.8.8.255", "8.8.8.0/24"),
    ("::ffff:8.8.8.8", "8.8.8.0/24"),
    ("2001:4860:4860:0:1:2:3:4", "2001:4860:4860::/64"),
    ("127.0.0.1", None),
    ("::1", None),
    ("::ffff:127.0.0.1", None),
    ("10.1.2.3", None),
    ("172.16.0.1", None),
    ("192.168.1.7", None),
    ("100.64.0.1", None),
    ("169.254.0.1", None),
    ("fe80::1%eth0", None),
    ("fd00::1", None),
    ("testclient", None),
    ("", None),
]


@pytest.mark.parametrize(("ip", "network"), NETWORKS)
def test_an_address_counts_by_its_network_unless_it_is_not_of_the_internet(ip: str, network: str | None) -> None:
    assert network_of(ip) == network


@pytest.mark.parametrize(
    ("ip", "network"),
    [("10.1.2.3", "10.1.2.0/24"), ("127.0.0.1", "127.0.0.0/24"), ("fd00::1", "fd00::/64"), ("x", None)],
)
def test_private_addresses_count_where_a_destination_says_so(ip: str, network: str | None) -> None:
    assert network_of(ip, private=True) == network
    case = asked(ip=ip, velocity=Velocity(per_source=1, private_sources=True))
    assert places(case) == (() if network is None else (("per_source", network),))


@given(st.ip_addresses())
def test_neighbours_share_a_network(ip: Any) -> None:
    low = type(ip)(int(ip) >> 8 << 8)
    assert network_of(str(ip), private=True) == network_of(str(low), private=True)
