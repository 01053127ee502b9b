"""A Hog program is recognised by the request that it makes, and what else it does is named by its line."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.destinations import templates
from smspipe.destinations.imports_request import DATE, FIRST, SECOND
from smspipe.destinations.imports_walk import read_request
from tests.destinations import programs

ADDED = (" - Event: ", ("event", "event"), " at ", DATE)


def test_what_posthogs_first_program_sends_is_recognised_with_what_it_adds_to_the_text() -> None:
    program = read_request(programs.FIRST)
    assert (program.family, program.before, program.after, program.strange) == (FIRST, (), ADDED, ())


def test_what_posthogs_second_program_sends_is_recognised() -> None:
    program = read_request(programs.SECOND)
    assert (program.family, program.before, program.after, program.strange) == (SECOND, (), (), ())


@pytest.mark.parametrize("code", [templates.CREDENTIAL_CODE, templates.INTEGRATION_CODE])
def test_our_own_programs_are_recognised(code: str) -> None:
    program = read_request(code)
    assert program.family is not None
    assert not program.strange


def in_one_line(code: str) -> str:
    lines = [line.split("// ")[0].strip() for line in code.splitlines()]
    return " ".join(line + ";" if line.endswith((")", "_number", "_account")) else line for line in lines)


REWRITTEN: list[tuple[str, Callable[[str], str]]] = [
    ("other names", lambda code: code.replace("recipient", "whoGetsIt").replace("answer", "res")),
    ("more blanks", lambda code: code.replace(" ", "   ").replace("\n", "\n\n\t").replace(
        "   -   Event:   ", " - Event: ").replace("}   at   {", "} at {").replace("'Basic   {", "'Basic {")),
    ("comments", lambda code: "/* who\nwhat */ -- a note\n" + code.replace("{\n", "{ // here\n")),
    ("semicolons", lambda code: code.replace(")\n", ");\n")),
    ("one line", in_one_line),
    ("prints", lambda code: "print('hello', event)\n" + code + "\nprint('done')\nreturn 1"),
    ("an unused variable", lambda code: "let plan := upper(event.properties.plan)\n" + code),
    ("a literal in parts", lambda code: code.replace("'https://api.twilio.com/", "'https://api.' || f'twilio.com/")),
    ("assigned later", lambda code: "let credentials := ''\n" + code.replace("let credentials", "credentials")),
    ("method left out", lambda code: code.replace("'method': 'POST',", "")),
    ("headers in another case", lambda code: code.replace("'Content-Type'", "'content-type'")),
    ("options in another order", lambda code: code.replace("'method': 'POST',", "").replace(
        "'headers'", "'method': 'POST', 'headers'")),
    ("bracket access", lambda code: code.replace("inputs.", "inputs?.")),
    ("windows line ends", lambda code: code.replace("\n", "\r\n")),
]  # fmt: skip


@pytest.mark.parametrize("rewrite", [each[1] for each in REWRITTEN], ids=[each[0] for each in REWRITTEN])
@pytest.mark.parametrize("code", [programs.FIRST, programs.SECOND], ids=["first", "second"])
def test_how_a_program_is_written_makes_no_difference(code: str, rewrite: Callable[[str], str]) -> None:
    assert rewrite(code) != code
    assert read_request(rewrite(code)) == read_request(code)


@pytest.mark.parametrize(
    "check",
    [
        "if (not inputs.phoneNumber) { return }",
        "if (empty(inputs.phoneNumber) or empty(inputs.smsBody)) throw Error('x')",
        "if (inputs.phoneNumber == '' or inputs.phoneNumber is null) { print('none'); return null }",
        "if (null == inputs.fromPhoneNumber) { return } else { print('there') }",
        "let to := inputs.phoneNumber\nif (not to) { return false }",
    ],
)
def test_a_program_may_stop_where_no_text_could_be_sent_anyway(check: str) -> None:
    assert read_request(f"{check}\n{programs.FIRST}").strange == ()


@pytest.mark.parametrize("test", ["inputs.phoneNumber", "notEmpty(inputs.phoneNumber)", "inputs.phoneNumber != ''"])
def test_a_program_may_send_only_where_there_is_a_recipient(test: str) -> None:
    program = read_request(f"if ({test}) {{\n{programs.FIRST}\n}}")
    assert (program.family, program.after, program.strange) == (FIRST, ADDED, ())


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        (" - Event: {event.event} at {toDate(event.timestamp)}", "", (), ()),
        ("{inputs.smsBody} - Event:", "[{event.properties.team}] {inputs.smsBody} -",
         ("[", ("event", "properties", "team"), "] "), (" - ", ("event", "event"), " at ", DATE)),
        (" - Event: {event.event} at {toDate(event.timestamp)}", " {person.name}", (), (" ", ("person", "name"))),
    ],
)  # fmt: skip
def test_another_addition_to_the_text_is_understood(old: str, new: str, before: object, after: object) -> None:
    assert old in programs.FIRST
    program = read_request(programs.FIRST.replace(old, new))
    assert (program.before, program.after, program.strange) == (before, after, ())


EDITED = [
    ("let answer", "if (event.properties.plan == 'free') { return }\nlet answer", 5, "depends on this"),
    ("let answer", "if (not event.properties.phone) { return }\nlet answer", 5, "depends on this"),
    ("let answer", "for (let i in [1, 2]) { print(i) }\nlet answer", 5, "is not understood"),
    ("let answer", "while (true) {\n}\nlet answer", 5, "is not understood"),
    ("let answer", "fun f(x) {\n return x\n}\nlet answer", 5, "is not understood"),
    ("let answer", "postHogCapture({'event': 'x'})\nlet answer", 5, "calls postHogCapture"),
    ("let answer", "let other := fetch('https://example.com', {})\nlet answer", 5, "another address"),
    ("let answer", "let inputs := {}\nlet answer", 5, "another meaning"),
    ("let answer", "let x := [1](2)\nlet answer", 5, "calls something"),
    ("let answer", "return\nlet answer", 5, "ends here"),
    ("let answer", "if (true) { credentials := '' }\nlet answer", 5, "depends on this"),
    ("let answer", "event.properties.x := 1\nlet answer", 5, "is not understood"),
    ("let answer", "}\nlet answer", 5, "is not understood"),
    ("api.twilio.com", "api.example.com", 5, "another address"),
    ("'POST'", "'PUT'", 6, "no POST"),
    ("'Basic ", "'Bearer ", 7, "signs in"),
    ("x-www-form-urlencoded'", "x-www-form-urlencoded', 'X': '1'", 7, "header 'X'"),
    ("'Content-Type': 'application/x-www-form-urlencoded'", "", 7, "lacks a header"),
    ("'method'", "'timeout': 1, 'method'", 6, "option 'timeout'"),
    ("To={recipient}&From={sender}", "From={sender}&To={recipient}", 8, "another body"),
    ("Body={text}", "Body={text}&MediaUrl=x", 8, "another body"),
    ("encodeURLComponent(inputs.phoneNumber)", "inputs.phoneNumber", 1, "not encoded"),
    ("encodeURLComponent(inputs.phoneNumber)", "encodeURLComponent('+1' || inputs.phoneNumber)", 1, "the recipient"),
    ("inputs.fromPhoneNumber", "event.properties.sender", 2, "the sender"),
    ("{inputs.smsBody} - Event", "Event", 3, "made of something else"),
    ("inputs.smsBody}", "upper(inputs.smsBody)}", 3, "made of something else"),
    ("{event.event} at", "{upper(event.event)} at", 3, "adds something"),
    ("print('It was sent')", "fetch('https://example.com', {})", 10, "more after the request"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "why"), EDITED, ids=[f"{old} → {new}"[:60] for old, new, _, _ in EDITED]
)
def test_what_a_user_edited_is_named_by_its_line(old: str, new: str, line: int, why: str) -> None:
    assert old in programs.FIRST
    program = read_request(programs.FIRST.replace(old, new, 1))
    assert [(each.line, why in each.why) for each in program.strange][:1] == [(line, True)], program.strange


def test_a_second_request_is_named() -> None:
    program = read_request(programs.FIRST + "fetch('https://example.com', {'method': 'POST'})")
    assert [each.why for each in program.strange] == ["it makes another request"]


@pytest.mark.parametrize("code", ["", "// nothing\n", "print(1)", "let a := inputs.smsBody"])
def test_a_program_that_sends_nothing_is_not_recognised(code: str) -> None:
    program = read_request(code)
    assert program.family is None
    assert [each.why for each in program.strange] == ["it makes no request to Twilio"]


def test_a_line_is_told_without_what_may_be_secret() -> None:
    code = programs.FIRST.replace(
        "let answer", "let key := send('+15005550009', 'a1b2c3d4e5f6a7b8c9d0e1f2a3b4')\nlet answer"
    )
    (strange,) = read_request(code).strange
    assert strange.text == "let key := send('…', '…')"


@pytest.mark.parametrize(
    "code",
    [
        "let a := concat('x', 'x')\n" + "a := concat(a, a)\n" * 60 + programs.FIRST,
        "(" * 19_000,
        "f'{" * 6_000,
        "if (true) " * 1_900,
        "if (true) {" * 1_800,
        "x\n" * 9_000,
        "let a := '" + "x" * 50_000 + "'",
        "a := b " * 2_800,
    ],
    ids=["doubling", "brackets", "quotes", "ifs", "blocks", "statements", "long", "assignments"],
)
def test_a_hostile_program_is_refused_at_once(code: str) -> None:
    assert read_request(code).strange


PIECES = st.sampled_from(
    ["let ", "x ", ":= ", "if ", "(", ")", "{", "}", "else ", "fetch", "'", "f'", "return ", "throw ", ";", "\n", "//",
     "/*", "*/", "inputs.phoneNumber ", "== ", "and ", "not ", ",", ".", "1 ", "\\", "'a' ", "[", "]", "?", ":", "é"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_source_is_read_or_named(code: str) -> None:
    program = read_request(code)
    assert program.family is None
    assert program.strange


@given(st.integers(0, len(programs.FIRST)), PIECES)
def test_no_change_of_a_program_is_passed_over(at: int, piece: str) -> None:
    changed = read_request(programs.FIRST[:at] + piece + programs.FIRST[at:])
    same = read_request(programs.FIRST)
    assert changed.strange or changed.family == FIRST
    if changed.strange == ():
        # Then only the text differs, or what is printed, or nothing does.
        assert changed == same or (changed.before, changed.after) != (same.before, same.after)
