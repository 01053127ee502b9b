"""What a mistake is answered with: where it is, what was expected there, and how to mend it, word for word."""

import pytest

from smspipe.hog import compile_template
from smspipe.hog.mistakes import point_at
from smspipe.model.errors import Invalid


@pytest.mark.parametrize(
    ("source", "position", "message", "hint"),
    [
        (
            "Hi {event.properties.name",
            3,
            "The '{' that begins the expression is never closed.",
            "Every { needs its }; write \\{ for a brace that is text.",
        ),
        (
            "Hi {}",
            4,
            "Expected a value after '{', but found '}'.",
            "Write an expression between the braces, or \\{ for a brace that is text.",
        ),
        (
            "Hi {{ person.properties.name }}",
            4,
            "Placeholders are not allowed in this context.",
            "This field uses single curly braces, for example {event.properties.name}.",
        ),
        (
            "{{ event.event | upcase }}",
            15,
            "The character '|' means nothing here.",
            "This field uses single curly braces, for example {event.properties.name}.",
        ),
        (
            "{event.properties.phone-number}",
            23,
            "The hyphen in 'phone-number' means subtraction.",
            (
                "Use brackets for a name with a hyphen: event.properties['phone-number']; or put spaces around "
                "the hyphen to subtract."
            ),
        ),
        ("{uper(event.event)}", 1, "Unsupported function call: uper", "Did you mean upper?"),
        ("{Upper(event.event)}", 1, "Unsupported function call: Upper", "Did you mean upper?"),
        (
            "{event.event == ‘sale’}",
            16,
            "The curly quote ‘ does not begin a text.",
            "Use the straight quotes of a keyboard: 'text'.",
        ),
        ("{event.properties.n – 1}", 20, "The dash '–' does not subtract.", "Use a hyphen: '-'."),
        ("{event.event === 'sale'}", 15, "Expected a value after '==', but found '='.", "Compare with '=='."),
        ("{event.event = = 'sale'}", 15, "Expected a value after '=', but found '='.", "Compare with '=='."),
        ("{event.event && true}", 13, "The character '&' means nothing here.", "Write 'and' instead of '&' or '&&'."),
        (
            "{event.event | upcase}",
            13,
            "The character '|' means nothing here.",
            (
                "Write 'or' for a choice, '||' to join texts; filters such as '| upcase' are Liquid's: in Hog, "
                "upper(name)."
            ),
        ),
        ("{!event.event}", 1, "The character '!' means nothing here.", "Write 'not' instead of '!'; unequal is '!='."),
        (
            "{event.event ?: 'you'}",
            14,
            "Expected a value after '?', but found ':'.",
            "There is no '?:'; write value ?? fallback.",
        ),
        (
            "{event.event ? 'you'}",
            20,
            "Expected ':' and the other value of the choice 'test ? yes : no', but found '}'.",
            None,
        ),
        (
            "{'it's'}",
            5,
            "Expected an operator or '}' after 'it', but found 's'.",
            "An apostrophe inside of a text is written twice: 'it''s'.",
        ),
        (
            "{'open}",
            1,
            "The text that begins here is never closed.",
            "It ends with the same quote; an apostrophe inside is written twice: 'it''s'.",
        ),
        (
            "{'a\\qb'}",
            3,
            "There is no escape '\\q'.",
            "Write \\\\ for a backslash, \\n for a new line, '' for an apostrophe.",
        ),
        (
            "{upper(event.event}",
            18,
            "Expected ',' or ')' after 'event', but found '}'.",
            "The '(' of the list of what the function is given needs its ')'.",
        ),
        ("{event.items[0]}", 13, "Array access starts from 1.", "The first item is [1], the last [-1]."),
        ("{event.items[]}", 13, "Expected a value after '[', but found ']'.", None),
        (
            "{event.items[1}",
            14,
            "Expected an operator or ']' after '1', but found '}'.",
            "The '[' of the brackets needs its ']'.",
        ),
        (
            "{event.'name'}",
            7,
            "Expected a name after '.', but found 'name'.",
            "Write it in brackets, without the point: ['name'].",
        ),
        (
            "{event.1st}",
            8,
            "Expected an operator or '}' after '1', but found 'st'.",
            "Write text in quotes, or outside of the braces.",
        ),
        (
            "{event.event 'sale'}",
            13,
            "Expected an operator or '}' after 'event', but found 'sale'.",
            "Join texts with '||', or write them outside of the braces.",
        ),
        (
            "{event.event person}",
            13,
            "Expected an operator or '}' after 'event', but found 'person'.",
            "Join two values with an operator, such as '||', '+', 'and'; a name with a blank goes into brackets.",
        ),
        (
            "{12px}",
            3,
            "Expected an operator or '}' after '12', but found 'px'.",
            "Write text in quotes, or outside of the braces.",
        ),
        (
            "{(x, 1) -> x}",
            8,
            "Expected an operator or '}' after ')', but found '->'.",
            "The parameters of a lambda are names: (x, y) -> x + y.",
        ),
        ("{1 +}", 4, "Expected a value after '+', but found '}'.", None),
        ("{+ event.n}", 3, "Expected a number after '+', but found 'event'.", None),
        ("{event.n between 1}", 18, "Expected 'and' and the upper bound of 'between', but found '}'.", None),
        (
            "{event.n is empty}",
            12,
            "Expected 'null' or 'not null' after 'is', but found 'empty'.",
            "Write empty(value), or value is null.",
        ),
        (
            "{event as name}",
            7,
            "Expected an operator or '}' after 'event', but found 'as'.",
            "Names for results are SQL; leave 'as …' out.",
        ),
        (
            "{toInt(event.n)::int}",
            15,
            "Expected an operator or '}' after ')', but found ':'.",
            "Write toInt(value), toFloat(value) or toString(value) instead of a cast.",
        ),
        (
            "{let x := 1}",
            5,
            "Expected an operator or '}' after 'let', but found 'x'.",
            "A template holds expressions only, without variables.",
        ),
        (
            "{return 1}",
            8,
            "Expected an operator or '}' after 'return', but found '1'.",
            "A template holds expressions only; leave 'return' out.",
        ),
        (
            "{select 1}",
            8,
            "Expected an operator or '}' after 'select', but found '1'.",
            "Queries are SQL; a template sees one event only.",
        ),
        (
            "{'a': 1}",
            4,
            "Expected an operator or '}' after 'a', but found ':'.",
            "An object has braces of its own: {{'key': 1}}.",
        ),
        ("{{'a' 1}}", 6, "Expected ':' and the value of the key after 'a', but found '1'.", None),
        (
            "{event.event; 1}",
            12,
            "The character ';' means nothing here.",
            "A template holds expressions only; leave the ';' out.",
        ),
        (
            "{event.é}",
            7,
            "The character 'é' means nothing here.",
            "A name with 'é' goes into backticks or brackets: event.properties['…'].",
        ),
        ("{/* note}", 1, "The comment that begins here is never closed.", "It ends with */."),
        ("{[1, 2}", 6, "Expected ',' or ']' after '2', but found '}'.", "The '[' of the list needs its ']'."),
        (
            "{f'x {event.event'}",
            17,
            "The text that begins here is never closed.",
            "It ends with the same quote; an apostrophe inside is written twice: 'it''s'.",
        ),
        ("{٣}", 1, "'٣' is no number.", "Write it with the digits 0 to 9."),
        (
            "{concat('a', )  'b'}",
            16,
            "Expected an operator or '}' after ')', but found 'b'.",
            "Join texts with '||', or write them outside of the braces.",
        ),
        ("{event..name}", 7, "Expected a name after '.', but found '.'.", None),
        ("{upper()}", 1, "Function upper requires at least 1 arguments", None),
        ("{upper('a', 'b')}", 1, "Function upper requires at most 1 arguments", None),
        ("{print(event.event) != 1 and}", 28, "Expected a value after 'and', but found '}'.", None),
    ],
)
def test_a_mistake_is_named_placed_and_mended(source: str, position: int, message: str, hint: str | None) -> None:
    with pytest.raises(Invalid) as refusal:
        compile_template(source)
    assert (refusal.value.position, str(refusal.value), refusal.value.hint) == (position, message, hint)


@pytest.mark.parametrize(
    ("source", "position", "shown"),
    [
        ("Hi {a b}", 6, "Hi {a b}\n      ^"),
        ("one\ntwo {a b}\nthree", 11, "two {a b}\n       ^"),
        ("{a", 2, "{a\n  ^"),
        ("", 0, "\n^"),
        ("x" * 100 + "{" + "y" * 100, 100, "…" + "x" * 36 + "{" + "y" * 35 + "…\n" + " " * 37 + "^"),
        ("\t{a b}", 4, " {a b}\n    ^"),
    ],
)
def test_a_caret_points_at_the_place(source: str, position: int, shown: str) -> None:
    assert point_at(source, position) == shown
