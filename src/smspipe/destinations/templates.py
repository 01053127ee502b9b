"""
The templates that a destination is made from, in the shape of PostHog's `hog_function_templates`.

`template-twilio` has two families of input keys, as in PostHog: five strings with the credentials among them (the first
family, which the template shows), or a stored integration (the second). `template-twilio-cooldown` is the older plugin.
"""

from collections.abc import Iterable
from typing import Any, Final

TWILIO: Final = "template-twilio"
COOLDOWN: Final = "template-twilio-cooldown"

RECIPIENT: Final = "{event.properties.phone ?? person.properties.phone}"
"""The recipient when none is given: the event's phone, else the person's."""
PER_EVENT_AND_NUMBER: Final = "{concat(event.event, '-', recipient)}"

COOLDOWNS: Final = (
    {"label": "Once per recipient", "name": "per recipient", "hash": "{recipient}"},
    {"label": "Once per person", "name": "per person", "hash": "{person.id}"},
    {
        "label": "Once per person and event",
        "name": "per person and event",
        "hash": "{concat(person.id, '-', event.event)}",
    },
    {"label": "Once for the whole destination", "name": "per destination", "hash": "all"},
    {"label": "Once per event and number", "name": "per event and number", "hash": PER_EVENT_AND_NUMBER},
)
"""Ready keys for `masking.hash`. `recipient` is the number in E.164 that the text goes to."""


def _input(key: str, label: str, description: str, **more: Any) -> dict[str, Any]:
    item = {"key": key, "type": "string", "label": label, "description": description}
    return {**item, "secret": False, "required": True, **more}


_BODY_HELP = "Up to 1600 characters; how many segments a text takes is shown beside it."
CREDENTIAL_INPUTS: Final = [
    _input("accountSid", "Account SID", "Found on your Twilio Console dashboard; begins with AC.", templating=False),
    _input("authToken", "Auth Token", "Found on your Twilio Console dashboard.", secret=True, templating=False),
    _input("fromPhoneNumber", "From Phone Number", "The Twilio number that texts are sent from, as +15005550006."),
    _input(
        "phoneNumber",
        "Recipient phone number",
        "The number that texts are sent to. Left out, it is the event's property phone, else the person's.",
        default=RECIPIENT,
    ),
    _input("smsBody", "SMS Body Template", _BODY_HELP, default="Event Notification: {event.event} occurred."),
]
"""The first family of keys."""
INTEGRATION_INPUTS: Final = [
    _input("twilio_account", "Twilio account", "A stored Twilio account.", type="integration", integration="twilio"),
    _input(
        "from_number",
        "From Phone Number",
        "The Twilio number that texts are sent from.",
        type="integration_field",
        integration_key="twilio_account",
        integration_field="twilio_phone_number",
    ),
    _input("to_number", "Recipient phone number", "The number that texts are sent to.", default=RECIPIENT),
    _input("message", "Message", _BODY_HELP, default="PostHog event {event.event} was triggered"),
    _input("debug", "Log responses", "Kept for PostHog's tools.", type="boolean", required=False, default=False),
]
"""The second family of keys."""
COOLDOWN_INPUTS: Final = [
    _input("accountSID", "Account SID", "Found on your Twilio Console dashboard; begins with AC.", templating=False),
    _input("authToken", "Auth Token", "Found on your Twilio Console dashboard.", secret=True, templating=False),
    _input(
        "triggeringEventsAndNumber",
        "Events and numbers",
        "Pairs of event:number separated by commas, as signup:+15005550006,purchase:+15005550009. An event given again"
        " gets another number; action:name:number is for an action; a name with : or , in it stands in quotes.",
        templating=False,
    ),
    _input("senderPhoneNumber", "From Phone Number", "The Twilio number that texts are sent from."),
    _input(
        "timeout",
        "Cooldown in seconds",
        "For so long after a text, its event leads to no other to the same number: 1 to 31536000 (one year).",
        default="60",
        templating=False,
    ),
    _input("message", "Message", _BODY_HELP, required=False, default="Hi {event.event} occured - PostHog"),
]

_PROGRAM = """\
// smspipe sends the text itself: once, with retries that cannot repeat it. This program is not run here;
// it says the same for those who take the destination to PostHog.
if (empty(inputs.%(to)s)) {
  throw Error('There is no recipient')
}
let credentials := base64Encode(concat(inputs.%(sid)s, ':', inputs.%(token)s))
let answer := fetch(f'https://api.twilio.com/2010-04-01/Accounts/{inputs.%(sid)s}/Messages.json', {
  'method': 'POST',
  'headers': {'Authorization': f'Basic {credentials}', 'Content-Type': 'application/x-www-form-urlencoded'},
  'body': concat(
    'To=', encodeURLComponent(inputs.%(to)s),
    '&From=', encodeURLComponent(inputs.%(sender)s),
    '&Body=', encodeURLComponent(inputs.%(body)s)
  )
})
if (answer.status >= 300) {
  throw Error(f'Twilio answered {answer.status}', answer)
}
"""
CREDENTIAL_CODE: Final = _PROGRAM % {
    "sid": "accountSid",
    "token": "authToken",
    "to": "phoneNumber",
    "sender": "fromPhoneNumber",
    "body": "smsBody",
}
INTEGRATION_CODE: Final = _PROGRAM % {
    "sid": "twilio_account.account_sid",
    "token": "twilio_account.auth_token",
    "to": "to_number",
    "sender": "from_number",
    "body": "message",
}
COOLDOWN_CODE: Final = """\
// smspipe sends these texts itself. There is no program that says the same:
// whoever takes this to PostHog makes one destination an event there.
"""

_COMMON: Final[dict[str, Any]] = {
    "type": "destination",
    "code_language": "hog",
    "status": "stable",
    "free": True,
    "category": ["Communication"],
    "icon_url": "/static/services/twilio.png",
    "filters": None,
    "masking": None,
    "mappings": None,
    "mapping_templates": None,
    "sub_templates": None,
}

TEMPLATES: Final[dict[str, dict[str, Any]]] = {
    TWILIO: {
        "id": TWILIO,
        "name": "Twilio",
        "description": "Send SMS messages using Twilio when an event matches.",
        "code": CREDENTIAL_CODE,
        "inputs_schema": CREDENTIAL_INPUTS,
        **_COMMON,
        "smspipe": {"cooldowns": list(COOLDOWNS), "integration_inputs_schema": INTEGRATION_INPUTS},
    },
    COOLDOWN: {
        "id": COOLDOWN,
        "name": "Twilio with a cooldown",
        "description": "Send SMS messages to fixed numbers when given events or actions happen, never twice within a"
        " timeout: the settings of the older Twilio plugin.",
        "code": COOLDOWN_CODE,
        "inputs_schema": COOLDOWN_INPUTS,
        **_COMMON,
        "smspipe": {"cooldowns": []},
    },
}


def get(template_id: str) -> dict[str, Any] | None:
    """Give one template, None if there is none of that id."""
    return TEMPLATES.get(template_id)


def guess(keys: Iterable[str]) -> str | None:
    """Tell which template a document with these input keys was made from, None if nothing says so."""
    given = set(keys)
    if "triggeringEventsAndNumber" in given:
        return COOLDOWN
    if given & {"twilio_account", "smsBody", "accountSid"}:
        return TWILIO
    return None


def schema_for(template_id: str, keys: Iterable[str]) -> list[dict[str, Any]]:
    """Give the inputs schema of a template: of its second family if one of `keys` belongs to that alone."""
    if template_id == TWILIO and set(keys) & {"twilio_account", "from_number", "to_number", "message"}:
        return INTEGRATION_INPUTS
    return list(TEMPLATES[template_id]["inputs_schema"])
