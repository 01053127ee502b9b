"""What differs between two documents is told field by field, and enough to make the one from the other."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smspipe.destinations.changes import Change, compare, compare_secrets

keys = st.text(alphabet="abc", min_size=1, max_size=2)
documents = st.recursive(
    st.dictionaries(keys, st.none() | st.integers(0, 3) | st.lists(st.integers(0, 2))),
    lambda inner: st.dictionaries(keys, st.none() | st.integers(0, 3) | inner, max_size=4),
)


@given(documents, documents)
def test_the_changes_make_the_one_document_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    made = copy(before)
    for change in compare(before, after):
        *path, last = change.field.split(".")
        place = made
        for key in path:
            place = place[key]
        if change.action == "deleted":
            assert place.pop(last) == change.before
        else:
            assert (last in place) is (change.action == "changed")
            place[last] = change.after
    assert made == after


def copy(document: dict[str, Any]) -> dict[str, Any]:
    """Copy a document with the objects in it."""
    return {key: copy(value) if isinstance(value, dict) else value for key, value in document.items()}


@given(documents)
def test_nothing_differs_from_itself(document: dict[str, Any]) -> None:
    assert compare(document, document) == []


def test_a_secret_that_changed_is_named_and_not_shown() -> None:
    hidden = {"secret": True}
    assert compare_secrets({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "x", "d": "4"}) == [
        Change(field="inputs.b.value", action="changed", before=hidden, after=hidden),
        Change(field="inputs.c.value", action="deleted", before=hidden),
        Change(field="inputs.d.value", action="created", after=hidden),
    ]
