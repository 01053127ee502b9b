"""What lint warns of, one case a warning, and that it leaves a clean destination alone."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from smspipe import eventlog, persons
from smspipe.capture import events_of
from smspipe.model.destination import Route, Templating, Text
from smspipe.model.event import Door, Payload
from smspipe.model.filter import Action, ActionFilter, ActionStep, Filter, Property, PropertyGroup
from smspipe.model.ids import PersonId
from smspipe.model.person import Person
from smspipe.pipeline.lint import Code, Finding, Report, lint, lint_all
from smspipe.pipeline.recent import Met, Recent, read_recent
from tests.pipeline.conftest import ADA, NOW, PHONE, SITE, a_cooldown, a_destination, an_event, hogql, only

BODY = "inputs__smsBody"


def body(source: str, templating: Templating = Templating.HOG) -> Text:
    """Make a body."""
    return Text(source=source, templating=templating, field=BODY)


def to(source: str) -> tuple[Route, ...]:
    """Make the one recipient."""
    return (Route(to=Text(source=source, field="inputs__phoneNumber")),)


def shipped(nth: int, **properties: Any) -> Met:
    """Make an event of Ada's, with a phone, a carrier and what is given; what is given as None is left out."""
    given = {"phone": PHONE, "text": "Hi", "carrier": "UPS"} | properties
    kept = {key: value for key, value in given.items() if value is not None}
    return Met(an_event(nth, properties=kept), ADA, ())


def ten(*odd: dict[str, Any]) -> Recent:
    """Make ten events: first the odd ones, then plain ones."""
    return Recent.of([shipped(nth, **(odd[nth] if nth < len(odd) else {})) for nth in range(10)])


PLAIN = ten()
CONTRADICTING = Filter(
    events=only("order shipped").events,
    properties=PropertyGroup(
        values=(
            Property(key="carrier", value="UPS", operator="exact"),
            Property(key="carrier", operator="is_not_set"),
        )
    ),
)


def look(recent: Recent = PLAIN, *, most_segments: int = 3, **fields: Any) -> Report:
    """Look at a destination that differs from a clean one in some fields."""
    clean: dict[str, Any] = {
        "filter": only("order shipped"),
        "body": body("Your order is with {event.properties.carrier}"),
    }
    return lint(a_destination(**clean | fields), SITE, recent, NOW, most_segments=most_segments)


def only_one(report: Report) -> Finding:
    """Give the only warning there is."""
    (found,) = report.warnings
    return found


def test_a_clean_destination_has_no_warning() -> None:
    clean = look(cooldown=a_cooldown("{person.id}"))
    assert clean.warnings == ()
    assert (clean.events, clean.matched, clean.since, clean.until) == (10, 10, NOW, NOW)


def test_the_default_recipient_is_no_unknown_property() -> None:
    assert look(routes=to("{event.properties.phone ?? person.properties.phone}")).warnings == ()
    unset = Recent.of([shipped(nth, phone=None) for nth in range(10)])
    found = look(unset, routes=to("{event.properties.phone ?? person.properties.phone}"))
    assert [each.code for each in found.warnings] == [Code.RECIPIENT_MISSING]


@pytest.mark.parametrize(
    ("fields", "recent", "code", "field", "said", "hint"),
    [
        pytest.param(
            {"filter": only("order_shiped")}, PLAIN, Code.UNKNOWN_EVENT, "filters__events__0__id",
            "No event named 'order_shiped' is among the last 10 events.", "Did you mean 'order shipped'?",
            id="an event that never came, with the nearest",
        ),
        pytest.param(
            {"filter": only("invoice sent")}, PLAIN, Code.UNKNOWN_EVENT, "filters__events__0__id",
            "No event named 'invoice sent'", "Check the name's spelling",
            id="an event that is like no other",
        ),
        pytest.param(
            {"body": body("With {event.properties.Carier}.")}, PLAIN, Code.UNKNOWN_PROPERTY, BODY,
            "None of 10 events named 'order shipped' has the property 'Carier'.", "Did you mean 'carrier'?",
            id="a misspelt property in a template",
        ),
        pytest.param(
            {"body": body("With {{ event.properties['carier'] }}.", Templating.LIQUID)}, PLAIN, Code.UNKNOWN_PROPERTY,
            BODY, "has the property 'carier'.", "Did you mean 'carrier'?",
            id="a misspelt property in Liquid",
        ),
        pytest.param(
            {"body": body("Hi {person.properties.nmae ?? 'friend'}.")}, PLAIN, Code.UNKNOWN_PROPERTY, BODY,
            "None of the 1 person of these events has the property 'nmae'.", "Did you mean 'name'?",
            id="a misspelt property beside a fallback",
        ),
        pytest.param(
            {"filter": only("order shipped", carier="UPS")}, PLAIN, Code.UNKNOWN_PROPERTY,
            "filters__properties__0__key", "has the property 'carier'.", "Did you mean 'carrier'?",
            id="a misspelt property in a filter",
        ),
        pytest.param(
            {"filter": hogql("properties.carier = 'UPS'")}, PLAIN, Code.UNKNOWN_PROPERTY,
            "filters__properties__0__key", "None of 10 events has the property 'carier'.", "Did you mean 'carrier'?",
            id="a misspelt property in an expression",
        ),
        pytest.param(
            {"body": body("{event.properties.text}")}, ten({"text": None}, {"text": "  "}), Code.BODY_EMPTY, BODY,
            "The text is empty for 20 % (2 of 10 matching events).", "fallback",
            id="a text that is empty for some",
        ),
        pytest.param(
            {"body": body("{event.properties.text}")}, ten({"text": "x" * 1601}), Code.BODY_TOO_LONG, BODY,
            "The text passes 1600 characters for 10 % (1 of 10 matching events).", "truncate",
            id="a text that passes 1600",
        ),
        pytest.param(
            {"body": body("{event.properties.text}")}, ten({"text": "x" * 600}), Code.MANY_SEGMENTS, BODY,
            "The text takes more than 3 segments (up to 4) for 10 % (1 of 10 matching events).", "paid for",
            id="a text of many segments",
        ),
        pytest.param(
            {"body": body("It’s there")}, PLAIN, Code.UCS2_IN_TEMPLATE, BODY,
            "’ (right single quotation mark) at character 3 makes each text UCS-2", "Write '",
            id="a typographic mark in the template",
        ),
        pytest.param(
            {"body": body("Hi {person.properties.name ?? 'dear friend…'}")}, PLAIN, Code.UCS2_IN_TEMPLATE, BODY,
            "… (horizontal ellipsis) at character 43 makes each text UCS-2", "Write ...",
            id="one inside of an expression",
        ),
        pytest.param(
            {"body": body("Parcel \U0001f4e6 sent")}, PLAIN, Code.UCS2_IN_TEMPLATE, BODY,
            "\U0001f4e6 (package) at character 8", "GSM-7 has nothing like it",
            id="an emoji",
        ),
        pytest.param(
            {"body": body("{event.properties.text}")}, ten({"text": "Zo\xeb"}, {"text": "1\xa0kg"}),
            Code.UCS2_IN_VALUES, BODY,
            "which makes the text UCS-2 for 20 % (2 of 10 matching events).", "\xeb → e",
            id="characters that come from values",
        ),
        pytest.param(
            {"cooldown": a_cooldown("{event.properties.group}")},
            ten({"group": "a"}, {"group": "b"}, {"group": ""}), Code.COOLDOWN_KEY_EMPTY, "masking__hash",
            "The cooldown's key is empty for 80 % (8 of 10 matching events).", "never held back",
            id="a cooldown key that is sometimes empty",
        ),
        pytest.param(
            {}, ten(*({"phone": None} for _ in range(9))), Code.RECIPIENT_MISSING, "inputs__phoneNumber",
            "There is no number for 90 % (9 of 10 matching events).", "Check the property's name",
            id="a recipient that is mostly missing",
        ),
        pytest.param(
            {}, ten(*({"phone": "0171 5550009"} for _ in range(5))), Code.RECIPIENT_INVALID, "inputs__phoneNumber",
            "The number cannot be sent to for 50 % (5 of 10 matching events).", "default_country",
            id="a recipient that is mostly no number",
        ),
        pytest.param(
            {"body": body("{jsonParse(event.properties.text)}")}, ten(), Code.TEMPLATE_FAILS, BODY,
            "It fails on 100 % (10 of 10 matching events).", "",
            id="a template that fails",
        ),
        pytest.param(
            {"filter": hogql("properties.")}, PLAIN, Code.DOES_NOT_COMPILE, "filters__properties__0__key",
            "Filter compilation errors", "",
            id="a filter that does not compile",
        ),
        pytest.param(
            {"filter": CONTRADICTING},
            PLAIN, Code.NEVER_MATCHES, "filters", "No event can ever match: ", "Take one of the conditions away.",
            id="conditions that contradict each other",
        ),
    ],
)  # fmt: skip
def test_a_warning_says_what_was_found_and_what_to_do(
    fields: dict[str, Any], recent: Recent, code: Code, field: str, said: str, hint: str
) -> None:
    found = only_one(look(recent, **fields))
    assert (found.code, found.field) == (code, field)
    assert said in found.saw
    assert hint in found.hint
    assert PHONE not in found.saw + found.hint


def test_every_word_of_the_list_has_a_case() -> None:
    cases = test_a_warning_says_what_was_found_and_what_to_do.pytestmark[0].args[1]
    assert {case.values[2] for case in cases} == set(Code)


def test_the_place_of_a_character_is_that_in_the_source() -> None:
    source = "{person.properties['n’']} it’s – ’"
    found = look(body=body(source)).warnings
    own = {each.position: source[each.position or 0] for each in found if each.code is Code.UCS2_IN_TEMPLATE}
    assert own == {source.index("it’s") + 2: "’", source.index("–"): "–"}
    assert "and 1 more time makes" in next(each.saw for each in found if each.code is Code.UCS2_IN_TEMPLATE)


def test_a_template_in_another_script_is_told_of_once() -> None:
    found = look(body=body("Ваш заказ уже в пути, спасибо")).warnings
    assert len(found) == 9
    assert "other characters make each text UCS-2 as well" in found[-1].saw


def test_what_the_template_has_itself_is_not_blamed_on_values() -> None:
    found = look(ten({"text": "it’s"}), body=body("“{event.properties.text}’"))
    assert {each.code for each in found.warnings} == {Code.UCS2_IN_TEMPLATE}


def test_without_events_only_the_templates_own_text_is_looked_at() -> None:
    found = look(Recent(), filter=only("nothing"), body=body("It’s {event.properties.nothing}"))
    assert [each.code for each in found.warnings] == [Code.UCS2_IN_TEMPLATE]
    assert (found.events, found.matched, found.since) == (0, 0, None)


def test_properties_of_an_event_that_never_came_are_left_alone() -> None:
    found = only_one(look(filter=only("invoice sent"), body=body("{event.properties.total}")))
    assert found.code is Code.UNKNOWN_EVENT


def test_a_fallback_excuses_a_property_that_is_like_no_other() -> None:
    assert look(body=body("{event.properties.greeting ?? 'Hi'}")).warnings == ()


def test_the_limit_of_segments_is_the_callers() -> None:
    recent = ten({"text": "x" * 200})
    template = body("{event.properties.text}")
    assert look(recent, body=template).warnings == ()
    assert only_one(look(recent, body=template, most_segments=1)).code is Code.MANY_SEGMENTS


def test_an_event_of_an_action_is_looked_for_as_well() -> None:
    action = Action(id="3", name="Bought", steps=(ActionStep(event="order_paid"),))
    site = msgspec.structs.replace(SITE, actions={"3": action})
    destination = a_destination(filter=Filter(actions=(ActionFilter(id="3"),)), body=body("Hi"))
    found = lint(destination, site, PLAIN, NOW).warnings
    assert [(each.code, each.field) for each in found] == [(Code.UNKNOWN_EVENT, "filters__actions__0")]


def test_each_recipient_is_judged_by_itself() -> None:
    routes = (
        Route(to=Text(source=PHONE, templating=Templating.NONE, field="one")),
        Route(to=Text(source="{event.properties.other}", field="two")),
    )
    found = look(routes=routes).warnings
    assert {(each.code, each.field) for each in found} == {
        (Code.UNKNOWN_PROPERTY, "two"),
        (Code.RECIPIENT_MISSING, "two"),
    }


def test_nothing_that_is_found_holds_a_number_or_a_text() -> None:
    person = Person(id=PersonId("p"), properties={"name": "Zoë"}, created_at=NOW)
    recent = Recent.of([Met(an_event(1, properties={"phone": "not +15005550009", "text": "secret…"}), person, ())])
    found = look(recent, body=body("{event.properties.text}"))
    assert len(found.warnings) == 2
    assert not any("555" in each.saw + each.hint or "secret" in each.saw + each.hint for each in found.warnings)


def test_a_look_ends_when_it_took_enough_and_says_how_far_it_came() -> None:
    ticks = iter(range(1000))
    reports = lint_all(
        [a_destination("a"), a_destination("b")],
        SITE,
        Recent.of([shipped(nth) for nth in range(100)]),
        NOW,
        most_segments=3,
        seconds=40,
        clock=lambda: next(ticks),
    )
    first, second = (report.events for report in reports)
    assert 0 < first < 40
    assert 0 < second < 40
    assert [report.matched for report in reports] == [first, second]


def test_one_event_is_looked_at_in_any_case() -> None:
    destination = a_destination(filter=only("order shipped"))
    assert lint(destination, SITE, PLAIN, NOW, enough=lambda: True).events == 1


# ---- the events that it is looked at with ----------------------------------------------------------------------------


def stored(nth: int, *names: str) -> Payload:
    """Make a request as the log keeps it."""
    batch = [{"event": name, "distinct_id": "ada", "properties": {"nth": nth}} for name in names]
    body = msgspec.json.encode({"api_key": "phc_x", "batch": batch})
    return Payload(door=Door.BATCH, body=body, received_at=NOW + timedelta(minutes=nth), seed=bytes(8))


def test_the_newest_events_are_read_with_their_persons(connection: Connection) -> None:
    payloads = [stored(nth, "a", "b") for nth in range(4)]
    eventlog.append(connection, payloads)
    persons.update(connection, [an_event(properties={"$set": {"name": "Ada"}})], NOW, persons.Cache())
    recent = read_recent(connection, 3)
    assert [each.event.event for each in recent.met] == ["b", "a", "b"]
    assert [each.event.uuid for each in recent.met[:2]] == [each.uuid for each in reversed(events_of(payloads[3]))]
    assert (recent.since, recent.until) == (NOW + timedelta(minutes=2), NOW + timedelta(minutes=3))
    assert recent.names == {"a": 1, "b": 2}
    assert all(each.person is not None and each.person.properties["name"] == "Ada" for each in recent.met)


def test_an_empty_log_has_no_events(connection: Connection) -> None:
    assert read_recent(connection) == Recent.of([])
