"""The options on whom a destination texts: what they take, and what they say of what they do not."""

from typing import Any

import pytest

from smspipe.destinations.options import Options, read_options
from smspipe.model.destination import ANY
from smspipe.model.errors import Invalid
from smspipe.model.trust import PROTECTIVE, Recipients
from smspipe.pipeline.prepare import prepare
from tests.pipeline.conftest import SITE, a_destination

LIVE = type(SITE)(project=SITE.project, live=True)


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"recipients": "trusted"}, "recipients", Recipients.TRUSTED),
        ({"recipients": "claimed"}, "recipients", Recipients.CLAIMED),
        ({"countries": ["US", "CA", "001"]}, "countries", {"US", "CA", "001"}),
        ({"countries": "any"}, "countries", {ANY}),
        ({"number_types": ["premium", "pager"]}, "number_types", {"premium", "pager"}),
        ({"number_types": []}, "number_types", set()),
        ({"velocity": {"per_prefix": 0, "per_source": None, "private_sources": True}}, "velocity",
         {"per_prefix": 0, "per_source": None, "private_sources": True}),
    ],
    ids=lambda each: str(each) if isinstance(each, dict) else "",
)  # fmt: skip
def test_an_option_is_read_and_kept_as_it_was_written(given: dict[str, Any], field: str, value: Any) -> None:
    kept, options = read_options(given)
    assert kept == given
    assert getattr(options, field) == value


def test_left_out_they_take_claimed_numbers_of_the_senders_country() -> None:
    _, options = read_options({})
    assert options == Options()
    assert (options.recipients, options.countries, options.number_types) == (Recipients.CLAIMED, None, frozenset())


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"recipients": "all"}, "recipients", "trusted"),
        ({"countries": []}, "countries", "any"),
        ({"countries": "US"}, "countries", "list"),
        ({"countries": ["us"]}, "countries", "Did you mean 'US'"),
        ({"countries": ["XX"]}, "countries", "no country"),
        ({"countries": [1]}, "countries", "list"),
        ({"number_types": "premium"}, "number_types", "list"),
        ({"number_types": ["mobile"]}, "number_types", "premium"),
        ({"velocity": 10}, "velocity", "object"),
        ({"velocity": {"per_prefx": 1}}, "velocity__per_prefx", "Did you mean 'per_prefix'"),
        ({"velocity": {"per_prefix": -1}}, "velocity__per_prefix", "whole number"),
        ({"velocity": {"per_prefix": True}}, "velocity__per_prefix", "whole number"),
        ({"velocity": {"per_prefix": 1.5}}, "velocity__per_prefix", "whole number"),
        ({"velocity": {"per_country": 1_000_001}}, "velocity__per_country", "1000000"),
        ({"velocity": {"private_sources": 1}}, "velocity__private_sources", "true or false"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_with_what_would(given: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        read_options(given)
    assert refused.value.field == f"smspipe__{field}"


@pytest.mark.parametrize(
    ("own", "live", "limits"),
    [
        ({}, True, (PROTECTIVE.per_prefix, PROTECTIVE.per_country)),
        ({"per_prefix": 3}, True, (3, PROTECTIVE.per_country)),
        ({"per_prefix": None}, True, (None, PROTECTIVE.per_country)),
        ({"per_prefix": 3}, False, (3, None)),
    ],
)
def test_a_limit_of_its_own_comes_before_the_default_of_the_place(
    own: dict[str, int | bool | None], live: bool, limits: tuple[int | None, int | None]
) -> None:
    velocity = prepare(a_destination(velocity=own), LIVE if live else SITE).velocity
    assert velocity is not None
    assert (velocity.per_prefix, velocity.per_country) == limits


def test_without_any_limit_there_is_nothing_to_ask() -> None:
    assert prepare(a_destination(), SITE).velocity is None
    none = dict.fromkeys(("per_prefix", "per_country", "per_source", "new_numbers"))
    assert prepare(a_destination(velocity=none), LIVE).velocity is None
