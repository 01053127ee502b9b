"""A destination is compiled once; what cannot be understood is refused with its place."""

import pytest

from smspipe.model.destination import Destination, Route, Templating, Text
from smspipe.model.errors import Fault, Invalid
from smspipe.model.filter import Filter, Property, PropertyGroup
from smspipe.pipeline.prepare import Plan, obstacle, prepare, prepare_all
from tests.pipeline.conftest import SITE, a_cooldown, a_destination, only


def text(source: str, field: str, templating: Templating = Templating.HOG) -> Text:
    return Text(source=source, field=field, templating=templating)


BAD = {
    "the body": (a_destination(body=text("Hi {event.", "inputs__smsBody")), "inputs__smsBody"),
    "the sender": (a_destination(sender=text("{1 +}", "inputs__fromPhoneNumber")), "inputs__fromPhoneNumber"),
    "a recipient": (
        a_destination(routes=(Route(to=text("{", "inputs__phoneNumber")),)),
        "inputs__phoneNumber",
    ),
    "the cooldown's key": (a_destination(cooldown=a_cooldown("{oops(")), "masking__hash"),
    "Liquid in a Hog field": (
        a_destination(body=text("Hi {{ event.event | upcase }}", "inputs__smsBody")),
        "inputs__smsBody",
    ),
    "Hog in a Liquid field": (
        a_destination(body=text("Hi {event.event}", "inputs__smsBody", Templating.LIQUID)),
        "inputs__smsBody",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("destination", "field"), BAD.values(), ids=BAD.keys())
def test_a_bad_template_is_refused_with_its_field_and_position(destination: Destination, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        prepare(destination, SITE)
    assert caught.value.field == field
    assert caught.value.position is not None


@pytest.mark.parametrize(("name", "braces"), [("Liquid in a Hog field", "single"), ("Hog in a Liquid field", "double")])
def test_the_wrong_language_gets_a_hint_on_its_braces(name: str, braces: str) -> None:
    with pytest.raises(Invalid) as caught:
        prepare(BAD[name][0], SITE)
    assert f"{braces} braces" in (caught.value.hint or "")


def test_a_filter_that_makes_no_sense_is_refused() -> None:
    broken = Filter(properties=PropertyGroup(values=(Property(key="a", value="b", operator="resembles"),)))
    with pytest.raises(Invalid, match="resembles"):
        prepare(a_destination(filter=broken), SITE)


def test_a_plan_knows_who_listens_to_a_name() -> None:
    signup, order, both, every = (
        prepare(a_destination(name, filter=filter_), SITE)
        for name, filter_ in (
            ("s", only("signup")),
            ("o", only("order")),
            ("b", only("signup", "order")),
            ("e", only()),
        )
    )
    plan = Plan([signup, order, both, every])
    assert list(plan.listening("signup")) == [signup, both, every]
    assert list(plan.listening("order")) == [order, both, every]
    assert list(plan.listening("$pageview")) == [every]
    assert list(Plan().listening("signup")) == []


def test_what_does_not_compile_any_more_is_told_and_the_others_go_on() -> None:
    told: list[tuple[str, str]] = []

    def broken(destination: Destination, fault: Fault) -> None:
        told.append((destination.name, type(fault).__name__))

    plan = prepare_all([a_destination("good"), a_destination("bad", body=Text(source="{"))], SITE, broken)
    assert told == [("bad", "Invalid")]
    assert list(plan.destinations) == ["good"]


def test_a_destination_cannot_send_while_it_is_paused_or_without_an_account() -> None:
    assert obstacle(a_destination()) is None
    assert obstacle(a_destination(paused="Twilio says no.")) == "Twilio says no."
    assert obstacle(a_destination(account=None))
