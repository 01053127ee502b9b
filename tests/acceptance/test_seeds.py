"""
What PostHog's two pages on Twilio promise, sentence by sentence, through the API and out to the phone.

Each docstring begins with the first words of the sentence that it holds us to. First the page of the destination
`template-twilio`, then that of the older plugin, whose settings are `template-twilio-cooldown`.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
import pytest

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from tests.acceptance.service import API_KEY, Answer, twilio_destination
from tests.pipeline.town import Sender, Twin, lent, number, sender_in, twin_in

FUNCTIONS = "/api/projects/1/hog_functions/"
ACTIONS = "/api/projects/1/actions/"
SENDER = "+15005550006"
_made = count(5_000_000)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    with twin_in(tmp_path_factory.mktemp("twin")) as twin:
        yield twin


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, twin: Twin) -> Iterator[Sender]:
    with sender_in(tmp_path_factory.mktemp("seeds"), twin) as service:
        service.start()
        yield service
        assert service.stop() == 0


@pytest.fixture
def service(running: Sender, twin: Twin) -> Iterator[Sender]:
    with lent(running, twin) as service:
        yield service


@pytest.fixture
def phone() -> str:
    """A phone that no other test has."""
    return number(next(_made))


def send(service: Sender, event: str = "order shipped", **properties: Any) -> str:
    """Send one event and wait until everything is decided and sent; give its uuid."""
    uuid = f"01960000-0000-7000-8000-{next(_made):012d}"
    sent = {"event": event, "distinct_id": "ada", "uuid": uuid, "properties": properties}
    assert service.capture(sent).status == 200
    service.wait_until_idle()
    return uuid


def only_row(service: Sender, uuid: str) -> dict[str, Any]:
    (row,) = service.deliveries(event_uuid=uuid)
    return row


def post(service: Sender, body: Any, path: str = FUNCTIONS) -> Answer:
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    return service.ask("POST", path, msgspec.json.encode(body), headers)


def labels_of(service: Sender, template: str) -> dict[str, dict[str, Any]]:
    schema = service.call("GET", f"/api/projects/1/hog_function_templates/{template}/")["inputs_schema"]
    return {item["label"]: item for item in schema}


# --- the destination ------------------------------------------------------------------------------------------------

TO_EVENT_PHONE = "{event.properties.phone}"


def test_the_template_is_called_as_the_page_says(service: Sender) -> None:
    """`templateId: template-twilio`; "choose Twilio's Create button"."""
    template = service.call("GET", "/api/projects/1/hog_function_templates/template-twilio/")
    assert (template["id"], template["name"], template["type"]) == ("template-twilio", "Twilio", "destination")


def test_event_data_is_sent_as_a_text_via_twilio(service: Sender, twin: Twin, phone: str) -> None:
    """“You can use your PostHog event data to send SMS messages …”"""
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="Order {event.properties.order}: {event.event}"))
    send(service, phone=phone, order=7)
    assert twin.texts(phone) == ["Order 7: order shipped"]


def test_the_inputs_bear_the_pages_labels(service: Sender) -> None:
    """“gather the following credentials from your Twilio dashboard”: the three, the recipient and the body."""
    labels = labels_of(service, "template-twilio")
    assert {"Account SID", "Auth Token", "From Phone Number", "SMS Body Template"} < set(labels)
    assert labels["Auth Token"]["secret"] is True


def test_the_three_credentials_are_what_the_request_is_made_with(service: Sender, twin: Twin, phone: str) -> None:
    """“Enter your Account SID, Auth Token, and From Phone Number from Twilio.”"""
    made = twilio_destination("Shop", to=TO_EVENT_PHONE, body="Hi")
    made["inputs"]["fromPhoneNumber"]["value"] = "+14155550100"
    service.create(made)
    send(service, phone=phone)
    (request,) = twin.requests(phone)
    assert (request["form"]["From"], request["status"]) == ("+14155550100", 201), "the sandbox checks SID and token"


@pytest.mark.parametrize("missing", ["accountSid", "authToken", "fromPhoneNumber"])
def test_without_one_of_the_credentials_the_destination_is_refused(service: Sender, missing: str) -> None:
    """“First, you'll need to … gather the following credentials”"""
    made = twilio_destination("Shop", to=TO_EVENT_PHONE, body="Hi")
    del made["inputs"][missing]
    answer = post(service, made)
    assert (answer.status, answer.json["attr"]) == (400, f"inputs__{missing}")


def test_the_recipient_comes_from_the_events_properties(service: Sender, twin: Twin, phone: str) -> None:
    """“The recipient phone number can be extracted from your event properties.” Also when nothing is said of it."""
    made = twilio_destination("Shop", to="", body="Hi")
    del made["inputs"]["phoneNumber"]
    service.create(made)
    send(service, phone=phone)
    assert twin.texts(phone) == ["Hi"]


def test_a_text_of_1600_characters_is_sent(service: Sender, twin: Twin, phone: str) -> None:
    """“The SMS body template has a character limit of 1600 characters.”"""
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="{event.properties.text}"))
    send(service, phone=phone, text="x" * 1600)
    assert twin.texts(phone) == ["x" * 1600]


def test_a_text_over_the_limit_fails_to_send_and_says_so(service: Sender, twin: Twin, phone: str) -> None:
    """“Messages exceeding this limit will fail to send.”"""
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="{event.properties.text}"))
    uuid = send(service, phone=phone, text="x" * 1601)
    assert twin.requests(phone) == []
    assert (only_row(service, uuid)["status"], only_row(service, uuid)["reason"]) == ("suppressed", "body_too_long")
    (verdict,) = service.explain(uuid)
    assert "1600" in verdict["sentence"]


def test_the_template_that_makes_a_text_too_long_is_what_counts_not_the_template_itself(
    service: Sender, twin: Twin, phone: str
) -> None:
    """“If your SMS body template generates a message longer than 1600 characters …”"""
    body = "{event.properties.half}{event.properties.half}"
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body=body))
    assert only_row(service, send(service, phone=phone, half="x" * 801))["reason"] == "body_too_long"
    send(service, phone=phone, half="x" * 800)
    assert twin.texts(phone) == ["x" * 1600]


def test_a_template_can_cut_a_long_text_itself(service: Sender, twin: Twin, phone: str) -> None:
    """“… or include logic to truncate long messages.”"""
    body = "{substring(event.properties.text, 1, 1600)}"
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body=body))
    send(service, phone=phone, text="x" * 9000)
    assert twin.texts(phone) == ["x" * 1600]


def test_a_filter_lets_only_events_with_a_phone_number_through(service: Sender, twin: Twin, phone: str) -> None:
    """“Make sure to filter events to only those that contain a valid phone number property …”"""
    condition = {"key": "phone", "type": "event", "operator": "regex", "value": r"^\+[1-9]\d{6,14}$"}
    made = twilio_destination("Shop", to=TO_EVENT_PHONE, body="Hi", filters={"properties": [condition]})
    service.create(made)
    passed_by = [send(service), send(service, phone="call me"), send(service, phone="")]
    send(service, phone=phone)
    assert twin.texts() == ["Hi"]
    for uuid in passed_by:
        assert service.deliveries(event_uuid=uuid) == []
        (verdict,) = service.explain(uuid)
        assert (verdict["outcome"], verdict["reason"]) == ("no_match", "no_match")
        assert "phone" in verdict["sentence"]


def test_without_such_a_filter_an_event_without_a_number_sends_nothing_and_says_why(
    service: Sender, twin: Twin
) -> None:
    """“… as this is required for sending SMS messages.”"""
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="Hi"))
    assert only_row(service, send(service))["reason"] == "recipient_missing"
    assert only_row(service, send(service, phone="call me"))["reason"] == "recipient_invalid"
    assert twin.requests() == []


def start_testing(service: Sender, id_: str, phone: str, **how: Any) -> Any:
    sample = {"event": {"event": "order shipped", "distinct_id": "ada", "properties": {"phone": phone}}}
    return service.call("POST", f"{FUNCTIONS}{id_}/invocations/", {"globals": sample, **how})


@pytest.mark.parametrize("how", [{}, {"mock_async_functions": True}], ids=["by default", "asked for"])
def test_start_testing_shows_what_would_be_sent_and_sends_nothing(
    service: Sender, twin: Twin, phone: str, how: dict[str, Any]
) -> None:
    """“… click Start testing to verify everything works the way you want.”"""
    id_ = service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="Hi {event.event}"))
    tested = start_testing(service, id_, phone, **how)
    assert tested["status"] == "success"
    assert (tested["smspipe"]["routes"][0]["message"]["to"], tested["smspipe"]["routes"][0]["message"]["body"]) == (
        phone,
        "Hi order shipped",
    )
    assert any("mocked" in line["message"] for line in tested["logs"])
    assert DEMO_AUTH_TOKEN not in repr(tested)
    assert twin.requests() == []
    assert service.deliveries(destination_id=id_) == []


def test_with_mock_out_async_functions_switched_off_a_test_text_is_sent(
    service: Sender, twin: Twin, phone: str
) -> None:
    """“Switch off Mock out async functions in order to send a test SMS message via Twilio.”"""
    id_ = service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="Hi"))
    tested = start_testing(service, id_, phone, mock_async_functions=False)
    assert tested["status"] == "success"
    assert [line["message"] for line in tested["logs"] if line["level"] == "info"] == [
        "SMS sent successfully via Twilio!"
    ]
    assert twin.texts(phone) == ["Hi"]


@pytest.mark.parametrize("written", ["{0}{1}{2}{3}", " {0}{1}{2}{3} ", "{0} ({1}) {2}-{3}", "00{0:.1}1 {1}.{2}.{3}"])
def test_a_number_leaves_in_e164(service: Sender, twin: Twin, phone: str, written: str) -> None:
    """“Phone numbers should be in E.164 format …”: however it was written, it leaves without spaces and marks."""
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="Hi"))
    send(service, phone=written.format(phone[:2], phone[2:5], phone[5:8], phone[8:]).replace("00+", "00"))
    (request,) = twin.requests()
    assert request["form"]["To"] == phone


@pytest.mark.parametrize(
    "wrong", ["4155552671", "+1", "+0123456789", "+1234567890123456", "+1-800-FLOWERS", "whatsapp:+14155552671"]
)
def test_what_is_no_e164_number_is_refused_before_anything_is_sent(service: Sender, twin: Twin, wrong: str) -> None:
    """“… includes the country code preceded by a plus sign …”"""
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="Hi"))
    uuid = send(service, phone=wrong)
    assert only_row(service, uuid)["reason"] == "recipient_invalid"
    assert wrong not in service.explain(uuid)[0]["sentence"]
    assert twin.requests() == []


# --- the older plugin -----------------------------------------------------------------------------------------------


def plugin(pairs: str, **inputs: Any) -> dict[str, Any]:
    """Write the older plugin's settings as a destination."""
    values = {
        "accountSID": DEMO_ACCOUNT_SID,
        "authToken": DEMO_AUTH_TOKEN,
        "senderPhoneNumber": SENDER,
        "triggeringEventsAndNumber": pairs,
        "timeout": "60",
        **inputs,
    }
    return {
        "type": "destination",
        "name": "Plugin",
        "enabled": True,
        "template_id": "template-twilio-cooldown",
        "inputs": {key: {"value": value} for key, value in values.items() if value is not None},
    }


def test_the_plugins_settings_text_when_their_events_are_detected(service: Sender, twin: Twin, phone: str) -> None:
    """“… destination triggers SMS messages in Twilio when specified events or actions are detected …”"""
    service.create(plugin(f"signup:{phone}"))
    send(service, "signup")
    send(service, "logout")
    assert twin.texts(phone) == ["Hi signup occured - PostHog"]


def store_action(service: Sender, name: str, *steps: dict[str, Any]) -> int:
    stored = post(service, {"name": name, "steps": list(steps)}, ACTIONS)
    assert stored.status == 201, stored.text
    id_: int = stored.json["id"]
    return id_


def test_an_action_is_detected_as_well(service: Sender, twin: Twin, phone: str) -> None:
    """“… events or actions are detected …”: an event that is one of the action's steps, within the same timeout."""
    big = {
        "event": "order shipped",
        "properties": [{"key": "amount", "value": 100, "operator": "gte", "type": "event"}],
    }
    clicked = {"event": "$autocapture", "text": "Buy everything", "text_matching": "exact"}
    store_action(service, "Big order", big, clicked)
    service.create(plugin(f"Big order:{phone}", timeout="31536000", message="Big: {event.event}"))
    chain = 'button.buy:nth-child="1"nth-of-type="1"text="{}"'
    small = send(service, amount=99)
    other = send(service, "$autocapture", **{"$elements_chain": chain.format("Buy one")})
    by_name = send(service, "Big order")
    assert [service.deliveries(event_uuid=uuid) for uuid in (small, other, by_name)] == [[], [], []]
    assert "99, which is not at least 100" in service.explain(small)[0]["sentence"]
    first = send(service, amount=100)
    again = send(service, amount=2000)
    click = send(service, "$autocapture", **{"$elements_chain": chain.format("Buy everything")})
    assert sorted(twin.texts(phone)) == ["Big: $autocapture", "Big: order shipped"]
    assert [only_row(service, uuid)["reason"] for uuid in (first, again, click)] == [None, "cooldown", None]


def test_events_meet_an_action_as_it_was_changed_last(service: Sender, twin: Twin, phone: str) -> None:
    """“… events or actions …”: in a filter too, and from the answer to its change on."""
    id_ = store_action(service, "Paid", {"event": "invoice paid"})
    filters = {"actions": [{"id": id_, "name": "Paid", "type": "actions"}]}
    service.create(twilio_destination("Shop", to=TO_EVENT_PHONE, body="{event.event}", filters=filters))
    send(service, "invoice paid", phone=phone)
    send(service, "order paid", phone=phone)
    service.call("PATCH", f"{ACTIONS}{id_}/", {"steps": [{"event": "order paid"}]})
    send(service, "invoice paid", phone=phone)
    send(service, "order paid", phone=phone)
    assert sorted(twin.texts(phone)) == ["invoice paid", "order paid"]


def test_an_action_that_is_not_known_is_refused_not_ignored(service: Sender, phone: str) -> None:
    """“… events or actions …”: a pair that could never text is an error when it is saved."""
    answer = post(service, plugin(f"action:Huge order:{phone}"))
    assert (answer.status, answer.json["attr"]) == (400, "inputs__triggeringEventsAndNumber")
    assert "Huge order" in answer.json["detail"]


def test_each_of_several_pairs_texts_its_own_number(service: Sender, twin: Twin) -> None:
    """The settings take pairs of event and number: an event with two numbers texts both, each once."""
    one, two, three = (number(next(_made)) for _ in range(3))
    service.create(plugin(f"signup:{one}, signup:{two},purchase:{three}", message="{event.event}!"))
    send(service, "signup")
    assert {to: twin.texts(to) for to in (one, two, three)} == {one: ["signup!"], two: ["signup!"], three: []}
    send(service, "purchase")
    assert twin.texts(three) == ["purchase!"]


@pytest.mark.parametrize("timeout", ["1", "31536000", 31536000, 60])
def test_a_timeout_from_one_second_to_a_year_is_taken(service: Sender, phone: str, timeout: Any) -> None:
    """“You can set a timeout period of between 1 second and 31536000 seconds …”"""
    assert post(service, plugin(f"signup:{phone}", timeout=timeout)).status == 201


@pytest.mark.parametrize("timeout", ["0", "31536001", "-1", "soon", "1.5", 0])
def test_a_timeout_beyond_that_is_refused_with_the_bounds(service: Sender, phone: str, timeout: Any) -> None:
    """“… between 1 second and 31536000 seconds (1 calendar year) …”"""
    answer = post(service, plugin(f"signup:{phone}", timeout=timeout))
    assert (answer.status, answer.json["attr"]) == (400, "inputs__timeout")
    assert "between 1 and 31536000 seconds" in answer.json["detail"]


def test_within_the_timeout_no_second_text_of_the_event_goes_to_the_number(
    service: Sender, twin: Twin, phone: str
) -> None:
    """“… to avoid accidentally spamming users with too many messages.” Another event is another matter."""
    service.create(plugin(f"signup:{phone},purchase:{phone}", timeout="31536000", message="{event.event}"))
    first, second, other = send(service, "signup"), send(service, "signup"), send(service, "purchase")
    assert sorted(twin.texts(phone)) == ["purchase", "signup"]
    assert [only_row(service, uuid)["reason"] for uuid in (first, second, other)] == [None, "cooldown", None]
    (verdict,) = service.explain(second)
    assert "the next is possible at" in verdict["sentence"]


@pytest.mark.slow
def test_after_the_timeout_the_next_text_is_sent(service: Sender, twin: Twin, phone: str) -> None:
    """“… a timeout period of … 1 second …”: it ends."""
    service.create(plugin(f"signup:{phone}", timeout="1"))
    send(service, "signup")
    sent = 1
    while len(twin.texts(phone)) < 2 and sent < 500:
        send(service, "signup")
        sent += 1
    assert len(twin.texts(phone)) == 2
    rows = service.deliveries(to=phone)
    first, second = (row["created_at"] for row in rows if row["status"] == "accepted")
    assert second - first >= 1_000_000
    assert {row["reason"] for row in rows} <= {None, "cooldown"}


@pytest.mark.parametrize("missing", ["accountSID", "authToken", "senderPhoneNumber"])
def test_the_plugin_needs_its_credentials_and_its_number(service: Sender, phone: str, missing: str) -> None:
    """“… you will need your Account SID and Auth Token …”; “… your Twilio Phone Number.”"""
    answer = post(service, plugin(f"signup:{phone}", **{missing: None}))
    assert (answer.status, answer.json["attr"]) == (400, f"inputs__{missing}")
