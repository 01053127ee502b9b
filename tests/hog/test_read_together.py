"""The names of a text are read together, from objects that are found once: with the result of reading each alone."""

from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from smspipe.hog import HogError, compile_template, to_text
from smspipe.model.clock import EPOCH

PATHS: Final = (
    "event.properties.name", "event.properties.length", "event.properties.plan.length", "event.event", "person.name",
    "person.properties.name", "person.properties.name.first", "groups.shop.properties.name", "nowhere.name",
)  # fmt: skip

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers())
objects = st.dictionaries(st.sampled_from(["name", "plan", "first", "length"]), leaves, max_size=3)
values = leaves | objects | st.dictionaries(st.just("name"), objects)
roots = st.fixed_dictionaries(
    {},
    optional={
        "event": st.fixed_dictionaries({}, optional={"event": leaves, "properties": values}) | leaves,
        "person": st.fixed_dictionaries({}, optional={"name": leaves, "properties": values}) | leaves,
        "groups": st.fixed_dictionaries({}, optional={"shop": st.fixed_dictionaries({"properties": values}) | leaves}),
    },
)
paths = st.lists(st.sampled_from(PATHS), min_size=2, max_size=12)


def evaluate(source: str, globals_: dict[str, Any]) -> Any:
    """Give the value, or the sentence that says why there is none."""
    try:
        return to_text(compile_template(source)(globals_, EPOCH))
    except HogError as error:
        return error


@given(paths, roots)
def test_a_text_of_several_names_is_what_its_names_are_one_by_one(names: list[str], globals_: dict[str, Any]) -> None:
    alone = [evaluate("{" + name + "}", globals_) for name in names]
    together = evaluate(" | ".join("{" + name + "}" for name in names), globals_)
    faults = [str(each) for each in alone if isinstance(each, HogError)]
    if faults:
        assert str(together) in faults
    else:
        assert together == " | ".join(alone)


@given(paths, roots)
def test_names_behind_a_condition_are_what_they_are_before_it(names: list[str], globals_: dict[str, Any]) -> None:
    """What is found once inside of a condition is not there after it, when the condition did not hold."""
    first, *rest = names
    holes = "".join("{" + name + " ?? " + first + "}" for name in rest)
    alone = [evaluate("{" + name + " ?? " + first + "}", globals_) for name in rest]
    together = evaluate(f"{holes}.", globals_)
    faults = [str(each) for each in alone if isinstance(each, HogError)]
    if faults:
        assert str(together) in faults
    else:
        assert together == "".join(alone) + "."
