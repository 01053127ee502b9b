from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from smspipe.sandbox.account import Account, Settings
from smspipe.sandbox.checks import MAGIC_FROM, MAGIC_TO, Draft, check_create
from smspipe.sandbox.codes import REFUSALS, Refusal

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GOOD = {"To": "+14155552671", "From": "+15005550006", "Body": "Hi Ada"}
SERVICE = {"From": "", "MessagingServiceSid": "MG" + "a" * 32}
CONTENT = {"Body": "", "ContentSid": "HX" + "c" * 32}


def account(**options: object) -> Account:
    return Account(
        sid=DEMO_ACCOUNT_SID,
        auth_token=DEMO_AUTH_TOKEN,
        seed=0,
        clock=lambda: NOW,
        settings=Settings(**options),  # type: ignore[arg-type]  # each case names real settings
    )


def check(changes: dict[str, str], **settings: object) -> Draft | Refusal:
    form = {name: value.split("\n") for name, value in {**GOOD, **changes}.items() if value}
    return check_create(form, account(**settings))


def schedule(ahead: timedelta) -> dict[str, str]:
    return {**SERVICE, "ScheduleType": "fixed", "SendAt": f"{NOW + ahead:%Y-%m-%dT%H:%M:%SZ}"}


REFUSED = {
    "no To": ({"To": ""}, 21604),
    "no From": ({"From": ""}, 21603),
    "no content": ({"Body": ""}, 21602),
    "To without plus": ({"To": "14155552671"}, 21211),
    "To with a word": ({"To": "+1415555CALL"}, 21211),
    "To too short for its country": ({"To": "+141555526"}, 21211),
    "To too long": ({"To": "+1234567890123456"}, 21211),
    "To is a short code": ({"To": "12345"}, 21265),
    "To is a premium number": ({"To": "+19005552671"}, 21268),
    "To is From": ({"To": "+15005550006"}, 21266),
    "To on a channel, From not": ({"To": "whatsapp:+14155552671"}, 21910),
    "To is no number on a channel": ({"To": "whatsapp:Ada", "From": "whatsapp:+15005550006"}, 21211),
    "From is no number on a channel": ({"To": "whatsapp:+14155552671", "From": "whatsapp:Ada"}, 21212),
    "From is too long a name": ({"From": "TwelveLetter", "To": "+4915112345678"}, 21212),
    "From has a sign that names lack": ({"From": "Ada!", "To": "+4915112345678"}, 21212),
    "From is a name, To in North America": ({"From": "Ada"}, 21612),
    "service SID malformed": ({**SERVICE, "MessagingServiceSid": "MG123"}, 21705),
    "body too long": ({"Body": "a" * 1601}, 21617),
    "emoji count twice": ({"Body": "😀" * 801}, 21617),
    "eleven media": ({"MediaUrl": "\n".join(["https://example.com/a"] * 11)}, 21623),
    "media without scheme": ({"MediaUrl": "https://example.com/a\nexample.com/b"}, 21620),
    "content SID malformed": ({**CONTENT, "ContentSid": "HX1"}, 21655),
    "variables without content": ({"ContentVariables": "{}"}, 21654),
    "variables not JSON": ({**CONTENT, "ContentVariables": "{"}, 21656),
    "variables not an object": ({**CONTENT, "ContentVariables": "[]"}, 21656),
    "callback without scheme": ({"StatusCallback": "example.com"}, 21609),
    "callback with a bad port": ({"StatusCallback": "https://example.com:x/"}, 21609),
    "callback host with underscore": ({"StatusCallback": "https://a_b.example.com/"}, 21609),
    "callback too long": ({"StatusCallback": "https://example.com/" + "a" * 4000}, 21609),
    "validity of zero": ({"ValidityPeriod": "0"}, 21624),
    "validity too long": ({"ValidityPeriod": "36001"}, 21624),
    "validity no number": ({"ValidityPeriod": "1.5"}, 21624),
    "attempt no number": ({"Attempt": "two"}, 20422),
    "unknown risk check": ({"RiskCheck": "maybe"}, 20422),
    "unknown boolean": ({"SmartEncoded": "yes"}, 20422),
    "retention without Message Privacy": ({"ContentRetention": "discard"}, 30029),
    "address retention without it": ({"AddressRetention": "obfuscate"}, 30030),
    "fallback without service": ({"FallbackFrom": "+15005550006"}, 21664),
    "scheduled too soon": (schedule(timedelta(seconds=299)), 35114),
    "scheduled too late": (schedule(timedelta(days=35, seconds=1)), 35114),
    "schedule without time": ({**SERVICE, "ScheduleType": "fixed"}, 35111),
    "schedule of another type": ({**SERVICE, "ScheduleType": "optimize", "SendAt": "x"}, 35126),
    "schedule in local time": ({**SERVICE, "ScheduleType": "fixed", "SendAt": "2026-11-22T15:00:00+02:00"}, 35114),
    "schedule on no day": ({**SERVICE, "ScheduleType": "fixed", "SendAt": "2026-11-32T15:00:00Z"}, 35114),
}


@pytest.mark.parametrize(("changes", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_a_create_request_that_breaks_a_rule_gets_the_code_of_that_rule(changes: dict[str, str], code: int) -> None:
    refusal = check(changes)

    assert isinstance(refusal, Refusal)
    assert refusal.code == code


@pytest.mark.parametrize(("number", "code"), [*MAGIC_TO.items()])
def test_a_magic_recipient_fails_as_twilio_documents(number: str, code: int) -> None:
    assert check({"To": number}) == Refusal(code=code)


@pytest.mark.parametrize(("number", "code"), [*MAGIC_FROM.items()])
def test_a_magic_sender_fails_as_twilio_documents(number: str, code: int) -> None:
    assert check({"From": number}) == Refusal(code=code)


def test_the_magic_numbers_are_the_documented_ones() -> None:
    last = {number[-1]: code for number, code in MAGIC_TO.items()}
    assert last == {"1": 21211, "2": 21612, "3": 21408, "4": 21610, "9": 21614}
    last = {number[-1]: code for number, code in MAGIC_FROM.items()}
    assert last == {"1": 21212, "2": 21606, "3": 21606, "4": 21606, "7": 21606, "8": 21611, "9": 21606}


ACCEPTED = {
    "a number of another country": {"To": "+4915112345678"},
    "magic recipients without a failure": {"To": "+15005550007"},
    "a short code as sender": {"From": "12345"},
    "a name as sender": {"From": "Ada & Co", "To": "+4915112345678"},
    "a channel": {"To": "whatsapp:+14155552671", "From": "whatsapp:+15005550006"},
    "media alone": {"Body": "", "MediaUrl": "https://example.com/a"},
    "a template alone": CONTENT,
    "the longest body": {"Body": "a" * 1600},
    "a callback on this machine": {"StatusCallback": "http://127.0.0.1:8000/status?m=1#rc=5&rp=all"},
    "the longest validity": {"ValidityPeriod": "36000"},
    "an unknown parameter": {"Bodyy": "typo"},
    "a schedule that a sender alone drops": {"ScheduleType": "fixed", "SendAt": "soon"},
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_create_request_that_keeps_the_rules_is_accepted(changes: dict[str, str]) -> None:
    draft = check(changes)

    assert isinstance(draft, Draft)
    assert draft.send_at is None


@pytest.mark.parametrize("ahead", [timedelta(seconds=300), timedelta(days=35)])
def test_the_schedule_s_window_includes_its_ends(ahead: timedelta) -> None:
    draft = check(schedule(ahead))

    assert isinstance(draft, Draft)
    assert draft.send_at == NOW + ahead


OWN = {"own_numbers": frozenset({"+14155550100", "777777"})}
SERVICES: dict[str, object] = {"messaging_services": {"MG" + "a" * 32: []}}
BY_SETTING = {
    "a sender that is not the account's": ({"From": "+14155550199"}, OWN, 21659),
    "a short code that is not the account's": ({"From": "12345"}, OWN, 21659),
    "an unknown service": ({**SERVICE, "MessagingServiceSid": "MG" + "b" * 32}, SERVICES, 21701),
    "a service without senders": (SERVICE, SERVICES, 21704),
    "an unknown template": (CONTENT, {"contents": {}}, 21655),
    "a name on a trial account": ({"From": "Ada", "To": "+4915112345678"}, {"trial": True}, 21267),
}


@pytest.mark.parametrize(("changes", "settings", "code"), BY_SETTING.values(), ids=BY_SETTING.keys())
def test_what_the_account_owns_can_be_configured(
    changes: dict[str, str], settings: dict[str, object], code: int
) -> None:
    assert check(changes, **settings) == Refusal(code=code)


@pytest.mark.parametrize("sender", ["+14155550100", "777777", "+15005550006"])
def test_the_account_s_own_senders_are_accepted(sender: str) -> None:
    assert isinstance(check({"From": sender}, **OWN), Draft)


def test_a_template_is_filled_in_with_its_variables() -> None:
    draft = check({**CONTENT, "ContentVariables": '{"1": "Ada"}'}, contents={"HX" + "c" * 32: "Hi {{1}}"})

    assert isinstance(draft, Draft)
    assert draft.body == "Hi Ada"


def test_a_trial_account_says_so_in_every_text() -> None:
    draft = check({}, trial=True)

    assert isinstance(draft, Draft)
    assert draft.body == "Sent from your Twilio trial account - Hi Ada"


def test_smart_encoding_is_done_when_asked_for() -> None:
    draft = check({"Body": "Ada’s", "SmartEncoded": "true"})

    assert isinstance(draft, Draft)
    assert draft.body == "Ada's"


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*GOOD, "MessagingServiceSid", "StatusCallback", "SendAt", "MediaUrl"]), st.text())
)
def test_no_form_whatever_breaks_the_checks(form: dict[str, str]) -> None:
    result = check_create({name: [value] for name, value in {**GOOD, **form}.items()}, account())

    assert isinstance(result, Draft) or result.code in REFUSALS
