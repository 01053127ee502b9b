"""Any name can be written in the list, and reading never fails but with a sentence."""

from hypothesis import given
from hypothesis import strategies as st

from smspipe.destinations.pairs import read_pairs
from smspipe.model.errors import Invalid

names = st.text(min_size=1)


@given(st.lists(names, min_size=1, max_size=5, unique=True), st.sampled_from("\"'"))
def test_any_name_can_be_written_in_quotes(chosen: list[str], quote: str) -> None:
    source = ",".join(f"{quote}{name.replace(quote, quote * 2)}{quote}:+15005550006" for name in chosen)
    assert [pair.name for pair in read_pairs(source)] == chosen


@given(st.text() | st.text(alphabet="a:,\"'{}+1 "))
def test_any_text_is_read_or_refused(source: str) -> None:
    try:
        pairs = read_pairs(source)
    except Invalid as error:
        field, pairs = error.field, ()
    else:
        field = "inputs__triggeringEventsAndNumber"
        assert pairs
    assert field == "inputs__triggeringEventsAndNumber"
    assert all(pair.name and pair.number for pair in pairs)
