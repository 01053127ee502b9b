"""Secrets at rest: every key reads, the newest writes, and none of them shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.destinations import Keyring, generate_key
from smspipe.model.errors import Invalid, Permanent

json_objects = st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none() | st.booleans())
ONE = Keyring("k" * 40)


@given(json_objects)
def test_what_is_encrypted_is_given_back(secrets: dict[str, object]) -> None:
    assert ONE.decrypt(ONE.encrypt(secrets)) == secrets


@pytest.mark.parametrize(
    "key",
    [generate_key(), "0123456789abcdef" * 4, "a long sentence that nobody else would ever think of"],
    ids=["generated", "hexadecimal", "a sentence"],
)
def test_a_key_is_a_generated_one_or_any_long_text(key: str) -> None:
    assert Keyring(key).decrypt(Keyring(f" {key} ,").encrypt({"a": 1})) == {"a": 1}


def test_every_key_reads_and_the_newest_writes() -> None:
    old, new = generate_key(), generate_key()
    both = Keyring(f"{new},{old}")
    assert both.decrypt(Keyring(old).encrypt({"a": 1})) == {"a": 1}
    assert Keyring(new).decrypt(both.encrypt({"a": 1})) == {"a": 1}
    with pytest.raises(Permanent):
        Keyring(old).decrypt(both.encrypt({"a": 1}))


@pytest.mark.parametrize("token", ["", "x", "gAAAAA" + "A" * 100])
def test_what_was_altered_is_not_read(token: str) -> None:
    with pytest.raises(Permanent):
        ONE.decrypt(token)


@pytest.mark.parametrize("keys", ["", " , ", "short", "k" * 31, "k" * 40 + ",short"])
def test_a_key_that_protects_nothing_is_refused_without_being_repeated(keys: str) -> None:
    with pytest.raises(Invalid) as refused:
        Keyring(keys)
    assert refused.value.hint is not None
    assert "short" not in str(refused.value)


def test_a_keyring_hides_its_keys() -> None:
    assert repr(Keyring("visible-key-" * 4)) == "Keyring(***)"
