"""Twilio's requests are told from everybody else's: by its documented examples, and by its own validator."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from smspipe.model.destination import Secret
from smspipe.receipts import Algorithm, SigningKey, address_of, is_signed, split_form
from smspipe.sandbox.signature import SharedKey as SandboxKey
from smspipe.sandbox.signature import signature_headers

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]
REPEATED = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
JSON = b'{"property": "value", "boolean": true}'
HASHED = f"{URL}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
TOKEN = SigningKey(secret=Secret("12345"))
SHARED = SigningKey(secret=Secret("12345"), id="webhooks_sharedkey_1", algorithm=Algorithm.SHA256)
SETTINGS = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"


def arrives(
    signature: str,
    *,
    url: str = URL,
    fields: Sequence[tuple[str, str]] = CALL,
    body: bytes | None = None,
    headers: Mapping[str, str] = FORM,
    settings: str | None = None,
    keys: Sequence[SigningKey] = (TOKEN,),
) -> bool:
    """Say whether a request with these parts is believed."""
    headers = {**headers, "x-twilio-signature": signature}
    if settings is not None:
        headers["x-twilio-webhooks-signature-settings"] = settings
    sent = urlencode(fields).encode() if body is None else body
    return is_signed(url=url, body=sent, headers=headers, keys=keys)


# ---- what Twilio documents -------------------------------------------------------------------------------------------


def test_a_form_is_signed_by_the_auth_token_with_sha_1() -> None:
    assert arrives("RSOYDt4T1cUTdK1PDd93/VVr8B8=")


def test_a_form_is_signed_by_a_shared_key_with_sha_256() -> None:
    signature = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="
    assert arrives(signature, settings=SETTINGS, keys=[SHARED])


def test_a_form_is_signed_by_a_shared_key_with_sha_1() -> None:
    key = SigningKey(secret=Secret("12345"), id="k1")
    assert arrives("RSOYDt4T1cUTdK1PDd93/VVr8B8=", settings="key=k1,algorithm=HMAC_SHA1", keys=[key])


def test_values_of_a_repeated_name_count_once_each_and_sorted() -> None:
    assert arrives("IK+Dwps556ElfBT0I3Rgjkr1wJU=", fields=REPEATED)
    assert arrives("IK+Dwps556ElfBT0I3Rgjkr1wJU=", fields=REPEATED[::-1])


def test_a_json_body_is_vouched_for_by_its_hash_in_the_query() -> None:
    headers = {"content-type": "application/json"}
    assert arrives("a9nBmqA0ju/hNViExpshrM61xv4=", url=HASHED, body=JSON, headers=headers)
    assert not arrives("a9nBmqA0ju/hNViExpshrM61xv4=", url=HASHED, body=JSON + b" ", headers=headers)
    assert not arrives("a9nBmqA0ju/hNViExpshrM61xv4=", url=HASHED, body=b"", headers=headers)


SECURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
SECURE_443 = "kvajT1Ptam85bY51eRf/AJRuM3w="
PLAIN_80 = "0ZXoZLH/DfblKGATFgpif+LLRf4="


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        pytest.param(URL, SECURE_443, id="https, signed with its port"),
        pytest.param(URL.replace(".com", ".com:443"), SECURE_443, id="443 in both"),
        pytest.param(URL.replace(".com", ".com:443"), SECURE, id="443, signed without"),
        pytest.param(URL.replace(".com", ".com:8443"), SECURE, id="another port, signed without"),
        pytest.param(URL.replace(".com", ".com:"), SECURE_443, id="an empty port, signed with"),
        pytest.param(URL.replace("https", "http"), PLAIN_80, id="http, signed with its port"),
        pytest.param(URL + "#rc=5&rp=all", SECURE, id="the fragment is never signed"),
    ],
)
def test_the_port_may_be_part_of_what_was_signed_or_not(url: str, signature: str) -> None:
    assert arrives(signature, url=url)


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https", "http"),
        URL.replace(".com", ".com:444"),
        URL.replace("mycompany", "yourcompany"),
        URL + "&",
        URL.replace("?", "/?"),
        URL.upper(),
        "mycompany.com/myapp.php?foo=1&bar=2",
        "",
    ],
)
def test_another_address_is_not_signed(url: str) -> None:
    assert not arrives(SECURE if "444" not in url else SECURE_443, url=url)


# ---- whoever else asks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signature", ["", " ", "x", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "ü" * 28, "\udcff", "=" * 5000])
def test_another_signature_is_not_believed(signature: str) -> None:
    assert not arrives(signature)


def test_a_request_without_the_header_is_not_believed() -> None:
    assert not is_signed(url=URL, body=urlencode(CALL).encode(), headers=FORM, keys=[TOKEN])


def test_without_any_key_nothing_is_believed() -> None:
    assert not arrives(SECURE, keys=[])


def test_an_empty_secret_signs_nothing() -> None:
    signature = RequestValidator("").compute_signature(URL, dict(CALL))
    assert not arrives(signature, keys=[SigningKey(secret=Secret(""))])


def test_during_a_change_of_tokens_either_is_enough() -> None:
    both = [SigningKey(secret=Secret("new")), TOKEN]
    for token in ("new", "12345"):
        signature = RequestValidator(token).compute_signature(URL, dict(CALL))
        assert arrives(signature, keys=both)
        assert arrives(signature, keys=both[::-1])
    assert not arrives(RequestValidator("older").compute_signature(URL, dict(CALL)), keys=both)


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        pytest.param(None, [SHARED], id="the header of the shared key was stripped"),
        pytest.param("", [SHARED], id="it is empty"),
        pytest.param("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1", [SHARED], id="a weaker algorithm is named"),
        pytest.param("key=webhooks_sharedkey_1", [SHARED], id="no algorithm is named"),
        pytest.param("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1", [TOKEN], id="the token in place of a shared key"),
    ],
)
def test_a_signature_with_sha_1_does_not_pass_for_a_shared_key_with_sha_256(
    settings: str | None, keys: list[SigningKey]
) -> None:
    assert not arrives(SECURE, settings=settings, keys=keys)


@pytest.mark.parametrize(
    "settings",
    [
        "key=another,algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA256",
        "key=,algorithm=HMAC_SHA256",
        "key=webhooks_sharedkey_1,algorithm=HMAC_MD5",
        "key=webhooks_sharedkey_1,algorithm=none",
        "webhooks_sharedkey_1",
        ",,==,",
    ],
)
def test_another_key_or_algorithm_is_not_believed(settings: str) -> None:
    assert not arrives("033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=", settings=settings, keys=[SHARED, TOKEN])


def test_settings_may_be_spaced_and_in_any_order() -> None:
    settings = " algorithm = hmac_sha256 , key = webhooks_sharedkey_1 , more=1"
    assert arrives("033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=", settings=settings, keys=[TOKEN, SHARED])


@pytest.mark.parametrize("fields", [CALL[:-1], [*CALL, ("More", "")], [*CALL[:-1], ("Caller", "+14158675308")], []])
def test_a_form_that_lacks_or_changes_anything_is_not_signed(fields: list[tuple[str, str]]) -> None:
    assert not arrives(SECURE, fields=fields)


@pytest.mark.parametrize("length", range(0, len(urlencode(CALL)), 7))
def test_a_truncated_form_is_not_signed(length: int) -> None:
    assert not arrives(SECURE, body=urlencode(CALL).encode()[:length])


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/json"}])
def test_a_body_that_is_no_form_needs_its_hash(headers: dict[str, str]) -> None:
    signature = RequestValidator("12345").compute_signature(URL, {})
    assert arrives(signature, body=b"", headers=headers)
    assert not arrives(signature, body=b"MessageStatus=delivered", headers=headers)


def test_the_repr_of_a_key_hides_its_secret() -> None:
    assert "12345" not in repr(SHARED)


# ---- the form --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", []),
        (b"&&", []),
        (b"a", [(b"a", b"")]),
        (b"a=", [(b"a", b"")]),
        (b"=b", [(b"", b"b")]),
        (b"a=b=c", [(b"a", b"b=c")]),
        (b"a=+x+&b=%2B", [(b"a", b" x "), (b"b", b"+")]),
        (b"b=2&a=1&b=1", [(b"b", b"2"), (b"a", b"1"), (b"b", b"1")]),
        (b"a=%F0%9F%98%80&b=%ff&c=%zz&d=%", [(b"a", "😀".encode()), (b"b", b"\xff"), (b"c", b"%zz"), (b"d", b"%")]),
        (b"a;b=c", [(b"a;b", b"c")]),
    ],
)
def test_a_form_is_split_without_loss(body: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    assert split_form(body) == fields


def test_the_address_is_the_public_one_with_the_path_and_query_as_they_came() -> None:
    assert address_of("https://sms.example.com/", "/twilio/status/a%20b") == (
        "https://sms.example.com/twilio/status/a%20b"
    )
    assert address_of("https://example.com/sms", "/twilio/inbound", "a=%2F&b") == (
        "https://example.com/sms/twilio/inbound?a=%2F&b"
    )


# ---- Twilio's own validator ------------------------------------------------------------------------------------------

NAMES = st.text("AZaz09 &=+%ü😀", max_size=4)
VALUES = st.text(st.characters(codec="utf-8"), max_size=6)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
PORTS = st.sampled_from(["", ":80", ":443", ":8443"])
ADDRESSES = st.builds(
    lambda scheme, port, path, query: f"{scheme}://sms.example.com{port}/{path}{'?' + query if query else ''}",
    st.sampled_from(["http", "https"]),
    PORTS,
    st.text("ab/%20.-_~", max_size=6),
    st.text("ab=&%2F", max_size=6),
)


@settings(deadline=None)
@given(
    url=ADDRESSES,
    fields=FIELDS,
    token=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
    algorithm=st.sampled_from(Algorithm),
    data=st.data(),
)
def test_what_twilios_own_library_signs_is_believed_and_nothing_next_to_it(
    url: str, fields: list[tuple[str, str]], token: str, algorithm: Algorithm, data: st.DataObject
) -> None:
    signature = RequestValidator(token).compute_signature(url, MultiDict(fields), algorithm)
    key = SigningKey(secret=Secret(token), id="k", algorithm=algorithm)
    told = f"key=k,algorithm={algorithm}"

    assert arrives(signature, url=url, fields=fields, settings=told, keys=[key])
    assert arrives(signature, url=url, fields=data.draw(st.permutations(fields)), settings=told, keys=[key])
    assert not arrives(signature, url=url, fields=fields, settings=told, keys=[])
    other = SigningKey(secret=Secret(token + "x"), id="k", algorithm=algorithm)
    assert not arrives(signature, url=url, fields=fields, settings=told, keys=[other])
    assert not arrives(signature, url=url, fields=[*fields, ("More", "1")], settings=told, keys=[key])


@settings(deadline=None)
@given(signed=ADDRESSES, port=PORTS, fields=FIELDS)
def test_ports_are_alike_to_us_as_they_are_to_twilios_own_library(
    signed: str, port: str, fields: list[tuple[str, str]]
) -> None:
    asked = re.sub(r"com(:\d+)?/", f"com{port}/", signed)
    signature = RequestValidator("12345").compute_signature(signed, MultiDict(fields))
    theirs = RequestValidator("12345").validate(asked, MultiDict(fields), signature)
    assert arrives(signature, url=asked, fields=fields) == (theirs or signed == asked)


@settings(deadline=None)
@given(body=st.recursive(st.none() | VALUES, lambda inner: st.dictionaries(VALUES, inner, max_size=3), max_leaves=5))
def test_a_json_body_is_believed_as_by_twilios_own_library(body: object) -> None:
    text = json.dumps(body, ensure_ascii=False)
    url = f"{URL}&bodySHA256={hashlib.sha256(text.encode()).hexdigest()}"
    signature = RequestValidator("12345").compute_signature(url, {})
    assert RequestValidator("12345").validate(url, text, signature)
    headers = {"content-type": "application/json"}
    assert arrives(signature, url=url, body=text.encode(), headers=headers)
    assert not arrives(signature, url=url, body=text.encode() + b"\n", headers=headers)


@settings(deadline=None)
@given(
    st.text(max_size=30), st.binary(max_size=60), st.text(max_size=40), st.text(max_size=40), st.sampled_from(["", "f"])
)
def test_whatever_comes_is_refused_without_a_fault(
    url: str, body: bytes, signature: str, told: str, content_type: str
) -> None:
    headers = FORM if content_type else {}
    assert not arrives(signature, url=url, body=body, headers=headers, settings=told, keys=[TOKEN, SHARED])


@given(st.binary(max_size=20))
def test_every_byte_of_a_value_reaches_the_signature(value: bytes) -> None:
    assert split_form(b"a=" + quote(value).encode()) == [(b"a", value)]


# ---- the sandbox -----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(url=ADDRESSES, fields=FIELDS, shared=st.booleans())
def test_what_the_sandbox_signs_is_believed(url: str, fields: list[tuple[str, str]], shared: bool) -> None:
    theirs = SandboxKey(id="webhooks_sharedkey_1", secret="12345") if shared else None
    signed = {name.lower(): value for name, value in signature_headers(url, fields, "12345", theirs).items()}
    body = urlencode(fields).encode()

    assert is_signed(url=url, body=body, headers={**FORM, **signed}, keys=[TOKEN, SHARED])
    assert not is_signed(url=url, body=body, headers={**FORM, **signed}, keys=[TOKEN if shared else SHARED])
