"""What a destination asks of Twilio beside the text: decided here, sent over HTTP, and looked at where it arrives."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from smspipe.model.destination import Account, ExtrasTemplate, Secret, Templating, Text
from smspipe.model.errors import Invalid
from smspipe.model.message import Extras, RiskCheck
from smspipe.model.outcome import Reason
from smspipe.pipeline import trial
from smspipe.pipeline.prepare import prepare
from smspipe.pipeline.trial import Attempt, sample_of
from smspipe.rendering import describe
from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox, keep_drop
from smspipe.sending import Accepted, Client, Shown, build_request
from tests.pipeline.conftest import SITE, a_destination
from tests.support.serving import serve

ACCOUNT = Account(sid=DEMO_ACCOUNT_SID, username=DEMO_ACCOUNT_SID, password=Secret(DEMO_AUTH_TOKEN))
PHONE = "+14155552671"
SERVICE = "MG" + "0a" * 16
PICTURE = "https://example.com/a.png?size=1&of=2"
LONG_CURLY = "It’s great. " * 30


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    sandbox = Sandbox(account_sid=DEMO_ACCOUNT_SID, auth_token=DEMO_AUTH_TOKEN, prefix="/sandbox", step_seconds=0)
    async with serve(keep_drop(sandbox)) as url:
        async with Client(url + "/sandbox") as client:
            yield client
        await sandbox.close()


def hog(source: str, option: str = "media_urls") -> Text:
    return Text(source=source, field=f"smspipe__{option}")


async def attempt(
    extras: ExtrasTemplate | None = None,
    *,
    sender: str = "+15005550006",
    client: Client | None = None,
    phone: Any = PHONE,
    text: str = "Hi",
    **properties: Any,
) -> Attempt:
    """Decide on an event, and send the text where there is a client."""
    destination = a_destination(
        account=ACCOUNT, sender=Text(source=sender, field="inputs__fromPhoneNumber"), extras=extras
    )
    event = {"event": "order shipped", "properties": {"phone": phone, "text": text, **properties}}
    (made,) = (
        await trial.run(
            prepare(destination, SITE),
            sample_of({"event": event}, datetime.now(UTC)),
            datetime.now(UTC),
            opted_out=lambda _to, _sender: False,
            client=client,
        )
    ).attempts
    return made


async def arrived(client: Client, made: Attempt) -> dict[str, Any]:
    """Give the message as Twilio's side shows it."""
    assert isinstance(made.answer, Accepted), made.steps[-1].saw
    shown = await client.fetch(ACCOUNT, made.answer.sid)
    assert isinstance(shown, Shown)
    return dict(shown.message)


def saw(made: Attempt) -> str:
    assert made.message is None
    return made.steps[-1].saw


async def refused(extras: ExtrasTemplate, **event: Any) -> str:
    made = await attempt(extras, **event)
    assert made.reason is Reason.TEMPLATE_ERROR
    return saw(made)


def in_(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


async def test_several_media_arrive_with_the_text(client: Client) -> None:
    extras = ExtrasTemplate(media_urls=(hog("{event.properties.image}"), hog("https://example.com/b.png")))
    message = await arrived(client, await attempt(extras, client=client, image=PICTURE))
    assert (message["num_media"], message["body"], message["sid"][:2]) == ("2", "Hi", "MM")


async def test_a_list_gives_all_its_addresses_and_nothing_gives_none() -> None:
    extras = ExtrasTemplate(media_urls=(hog("{event.properties.images}"), hog("{event.properties.missing}")))
    made = await attempt(extras, images=[PICTURE, "", "http://example.com/c.gif"])
    assert made.message is not None
    assert made.message.extras == Extras(media_urls=(PICTURE, "http://example.com/c.gif"))


async def test_media_may_be_written_in_liquid() -> None:
    url = Text(source="https://example.com/{{ event.properties.id }}.png", templating=Templating.LIQUID)
    made = await attempt(ExtrasTemplate(media_urls=(url,)), id=7)
    assert made.message is not None
    assert made.message.extras == Extras(media_urls=("https://example.com/7.png",))


@pytest.mark.parametrize(
    "image",
    ["ftp://example.com/a.png", "example.com/a.png", "https://", "https://a b.com/", "https://a:x/", 7, {"a": 1}],
)
async def test_what_is_no_address_on_the_web_leads_to_no_text(image: Any) -> None:
    said = await refused(ExtrasTemplate(media_urls=(hog("{event.properties.image}"),)), image=image)
    assert said == "media_urls gives something that is not the address of a file on the web."


async def test_more_than_ten_media_lead_to_no_text() -> None:
    extras = ExtrasTemplate(media_urls=(hog("{event.properties.images}"),))
    assert "11 addresses" in await refused(extras, images=[PICTURE] * 11)
    assert (await attempt(extras, images=[PICTURE] * 10)).message is not None


def test_a_constant_that_is_no_address_is_refused_when_saved() -> None:
    destination = a_destination(extras=ExtrasTemplate(media_urls=(hog("//example.com/a.png"),)))
    with pytest.raises(Invalid) as caught:
        prepare(destination, SITE)
    assert caught.value.field == "smspipe__media_urls"
    assert caught.value.hint


async def test_a_messaging_service_chooses_the_sender(client: Client) -> None:
    message = await arrived(client, await attempt(sender=SERVICE, client=client))
    assert (message["messaging_service_sid"], message["to"]) == (SERVICE, PHONE)


@pytest.mark.parametrize("phone", [PHONE, f"whatsapp:{PHONE}", "WhatsApp: +1 (415) 555-2671", f"tel:{PHONE}"])
async def test_a_text_from_whatsapp_goes_to_whatsapp(client: Client, phone: str) -> None:
    message = await arrived(client, await attempt(sender="whatsapp:+14155238886", client=client, phone=phone))
    assert (message["from"], message["to"]) == ("whatsapp:+14155238886", f"whatsapp:{PHONE}")


@pytest.mark.parametrize(
    ("sender", "phone"),
    [
        ("+15005550006", f"whatsapp:{PHONE}"),
        ("whatsapp:+14155238886", f"rcs:{PHONE}"),
        ("Acme", "messenger:123"),
        (SERVICE, "viber:+14155552671"),
        ("whatsapp:+14155238886", "whatsapp:1-800-FLOWERS"),
        ("whatsapp:+14155238886", "whatsapp:+14155238886"),
        (PHONE, PHONE),
    ],
)
async def test_a_recipient_on_another_channel_or_the_sender_itself_is_refused(sender: str, phone: str) -> None:
    assert (await attempt(sender=sender, phone=phone)).reason is Reason.RECIPIENT_INVALID


async def test_a_messaging_service_texts_every_channel(client: Client) -> None:
    for to in (PHONE, f"whatsapp:{PHONE}", "messenger:123456"):
        message = await arrived(client, await attempt(sender=SERVICE, phone=to, client=client))
        assert message["to"] == to


async def test_a_channel_address_is_told_with_its_number_masked() -> None:
    made = await attempt(sender="whatsapp:+14155238886")
    (step,) = (each for each in made.steps if each.name == "recipient")
    assert step.saw == "whatsapp:+14•••••••71"


async def test_a_scheduled_text_waits_at_twilio(client: Client) -> None:
    extras = ExtrasTemplate(send_at=hog("{event.properties.when}", "send_at"))
    made = await attempt(extras, sender=SERVICE, when=in_(hours=2), client=client)
    assert (await arrived(client, made))["status"] == "scheduled"


async def test_a_time_of_hogs_will_do() -> None:
    extras = ExtrasTemplate(send_at=hog("{dateAdd('hour', 2, now())}", "send_at"))
    made = await attempt(extras, sender=SERVICE)
    assert made.message is not None
    assert made.message.extras is not None
    assert made.message.extras.send_at is not None
    assert timedelta(minutes=119) < made.message.extras.send_at - datetime.now(UTC) <= timedelta(hours=2)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (None, "send_at is empty."),
        (" ", "send_at is empty."),
        ("tomorrow", "send_at is not a time with its time zone."),
        ("2026-12-24T18:00:00", "send_at is not a time with its time zone."),
        (1_800_000_000, "send_at is not a time with its time zone."),
        ("0001-01-01T00:00:00+14:00", "send_at lies beyond all calendars."),
    ],
)
async def test_what_is_no_time_leads_to_no_text(when: Any, said: str) -> None:
    extras = ExtrasTemplate(send_at=hog("{event.properties.when}", "send_at"))
    assert await refused(extras, sender=SERVICE, when=when) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"seconds": -5}, "in the past"),
        ({"seconds": 290}, "less than 300 seconds ahead"),
        ({"days": 35, "seconds": 60}, "more than 35 days ahead"),
    ],
)
async def test_a_time_outside_of_twilios_window_leads_to_no_text(span: dict[str, float], said: str) -> None:
    extras = ExtrasTemplate(send_at=hog("{event.properties.when}", "send_at"))
    assert said in await refused(extras, sender=SERVICE, when=in_(**span))


async def test_only_a_messaging_service_schedules() -> None:
    extras = ExtrasTemplate(send_at=hog("{event.properties.when}", "send_at"))
    with pytest.raises(Invalid, match="needs a Messaging Service"):
        await attempt(extras, when=in_(hours=2))
    said = await refused(extras, sender="{event.properties.by}", when=in_(hours=2), by="Acme")
    assert "needs a Messaging Service" in said


async def test_with_smart_encoding_the_segments_are_those_that_twilio_bills(client: Client) -> None:
    plain = await attempt(text=LONG_CURLY, client=client)
    smart = await attempt(ExtrasTemplate(smart_encoded=True), text=LONG_CURLY, client=client)
    assert plain.message is not None
    assert smart.message is not None
    assert (plain.message.segments, smart.message.segments) == (6, 3)
    assert smart.message.body == LONG_CURLY
    for made in (plain, smart):
        assert made.message is not None
        assert (await arrived(client, made))["num_segments"] == str(made.message.segments)


async def test_a_validity_period_and_the_risk_check_are_taken(client: Client) -> None:
    extras = ExtrasTemplate(validity_period=36_000, risk_check=RiskCheck.DISABLE)
    made = await attempt(extras, client=client)
    assert (await arrived(client, made))["status"] != "failed"
    (step,) = (each for each in made.steps if each.name == "extras")
    assert step.saw == "With at most 36000 s of waiting at Twilio, no risk check."


async def test_the_request_is_shown_as_it_leaves() -> None:
    extras = ExtrasTemplate(
        media_urls=(hog(PICTURE), hog("http://example.com/b")),
        validity_period=60,
        smart_encoded=True,
        risk_check=RiskCheck.ENABLE,
        send_at=hog("{event.properties.when}", "send_at"),
    )
    made = await attempt(extras, sender=SERVICE, when=in_(days=1))
    assert made.request is not None
    assert made.message is not None
    assert made.message.extras is not None
    assert made.message.extras.send_at is not None
    assert made.request["body"] == [
        ("To", PHONE),
        ("MessagingServiceSid", SERVICE),
        ("Body", "Hi"),
        ("MediaUrl", PICTURE),
        ("MediaUrl", "http://example.com/b"),
        ("ValidityPeriod", "60"),
        ("SmartEncoded", "true"),
        ("RiskCheck", "enable"),
        ("SendAt", made.message.extras.send_at.isoformat().replace("+00:00", "Z")),
        ("ScheduleType", "fixed"),
    ]
    assert parse_qsl(build_request(made.message, ACCOUNT).body.decode()) == made.request["body"]


def test_a_destination_that_asks_for_nothing_has_no_extras() -> None:
    assert prepare(a_destination(), SITE).extras is None
    assert describe(Extras()) == "Nothing beside the text."
