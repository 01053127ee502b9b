"""The options of what is asked of Twilio beside the text: their rules, and what they mean."""

from typing import Any

import pytest

from smspipe.destinations.document import change_document, create_document
from smspipe.destinations.meaning import read
from smspipe.model.destination import ExtrasTemplate, Templating, Text
from smspipe.model.errors import Invalid
from smspipe.model.ids import DestinationId
from smspipe.model.message import RiskCheck

ALL: dict[str, Any] = {
    "media_urls": ["{event.properties.image}"],
    "validity_period": 3600,
    "smart_encoded": True,
    "risk_check": "disable",
    "send_at": "{event.properties.when}",
}


def extras_of(body: dict[str, Any], **options: Any) -> ExtrasTemplate | None:
    draft = create_document(body | {"smspipe": options})
    return read(draft.document, draft.secrets, id=DestinationId("d"), version=1).extras


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("media_urls", "https://example.com/a.png", "must be a list"),
        ("media_urls", ["https://example.com/a.png"] * 11, "11 addresses; Twilio takes 10"),
        ("media_urls", [""], "must be an address"),
        ("media_urls", [7], "must be an address"),
        ("validity_period", 0, "between 1 and 36000"),
        ("validity_period", 36_001, "between 1 and 36000"),
        ("validity_period", True, "between 1 and 36000"),
        ("validity_period", "60", "between 1 and 36000"),
        ("smart_encoded", "true", "must be true or false"),
        ("risk_check", False, '"enable" or "disable"'),
        ("send_at", " ", "must be a time"),
        ("send_at", 1_800_000_000, "must be a time"),
    ],
)
def test_each_option_has_its_rule(body: dict[str, Any], option: str, value: Any, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        extras_of(body, **{option: value})
    assert caught.value.field == f"smspipe__{option}"
    assert option in str(caught.value)
    assert said in str(caught.value)


def test_they_are_read_together_and_their_templates_are_in_the_language_of_the_text(body: dict[str, Any]) -> None:
    body["inputs"]["smsBody"] = {"value": "Hi {{ person.properties.name }}", "templating": "liquid"}
    assert extras_of(body, escape_html=True, **ALL) == ExtrasTemplate(
        media_urls=(
            Text(source="{event.properties.image}", templating=Templating.LIQUID, field="smspipe__media_urls"),
        ),
        validity_period=3600,
        smart_encoded=True,
        risk_check=RiskCheck.DISABLE,
        send_at=Text(source="{event.properties.when}", templating=Templating.LIQUID, field="smspipe__send_at"),
    )


@pytest.mark.parametrize("options", [{}, {"smart_encoded": False}, {"media_urls": []}, dict.fromkeys(ALL)])
def test_a_destination_that_asks_for_nothing_has_none(body: dict[str, Any], options: dict[str, Any]) -> None:
    assert extras_of(body, **options) is None


def test_the_document_keeps_them_as_they_were_given(body: dict[str, Any]) -> None:
    draft = create_document(body | {"smspipe": ALL})
    assert draft.document["smspipe"] == ALL
    changed = change_document(draft.document, draft.secrets, {"name": "Other"})
    assert create_document(changed.document, changed.secrets).document["smspipe"] == ALL
