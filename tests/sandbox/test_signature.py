from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from smspipe.sandbox.signature import SharedKey, sign, signature_headers

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]
REPEATED = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
BODY_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"


@pytest.mark.parametrize(
    ("url", "fields", "algorithm", "signature"),
    [
        (URL, CALL, "HMAC_SHA1", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (URL.replace(".com/", ".com:443/"), CALL, "HMAC_SHA1", "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (
            URL.replace("https", "http").replace(".com/", ".com:80/"),
            CALL,
            "HMAC_SHA1",
            "0ZXoZLH/DfblKGATFgpif+LLRf4=",
        ),
        (URL, CALL, "HMAC_SHA256", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="),
        (URL, REPEATED, "HMAC_SHA1", "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (f"{URL}&bodySHA256={BODY_HASH}", [], "HMAC_SHA1", "a9nBmqA0ju/hNViExpshrM61xv4="),
    ],
    ids=["https", "with port 443", "http with port 80", "SHA-256", "a name that repeats", "a JSON body"],
)
def test_known_requests_get_their_known_signatures(url: str, fields: Any, algorithm: str, signature: str) -> None:
    assert sign(url, fields, "12345", algorithm) == signature


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text("AZaz ü😀", max_size=3), st.text(st.characters(codec="utf-8"), max_size=5)), max_size=8),
    st.booleans(),
)
def test_twilio_s_own_validator_accepts_every_form_that_is_signed(fields: list[tuple[str, str]], modern: bool) -> None:
    algorithm = "HMAC_SHA256" if modern else "HMAC_SHA1"
    signature = sign(URL, fields, "12345", algorithm)

    assert RequestValidator("12345").validate(URL, MultiDict(fields), signature, algorithm)
    assert not RequestValidator("54321").validate(URL, MultiDict(fields), signature, algorithm)


def test_a_shared_key_signs_in_place_of_the_token_and_says_so() -> None:
    key = SharedKey(id="webhooks_sharedkey_1", secret="secret")

    assert signature_headers(URL, CALL, "12345", key) == {
        "X-Twilio-Signature": sign(URL, CALL, "secret", "HMAC_SHA256"),
        "X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    assert signature_headers(URL, CALL, "12345", None) == {"X-Twilio-Signature": sign(URL, CALL, "12345")}
