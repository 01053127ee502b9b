"""
What to say of a source that cannot be read: what stands where, what was expected there, and how to mend it.

The readers write text messages, not programs. So a message names the words they typed, never a grammar's.
"""

import re
from enum import StrEnum
from typing import Final

import msgspec

from smspipe.hog.tokens import Kind, Token, read_token
from smspipe.hog.tree import Binary
from smspipe.model.errors import Invalid

SINGLE_BRACES_HINT: Final = "This field uses single curly braces, for example {event.properties.name}."

_NAME_BEFORE: Final = re.compile(r"(?<![a-zA-Z0-9_$\-])[a-zA-Z_$][a-zA-Z0-9_$]*(?:-[a-zA-Z_$][a-zA-Z0-9_$]*)*\Z")
_NAME_AFTER: Final = re.compile(r"[a-zA-Z_$][a-zA-Z0-9_$]*(?:-[a-zA-Z_$][a-zA-Z0-9_$]*)*")
_LONGEST_NAME: Final = 200
_LONGEST_SHOWN: Final = 30
_SHOWN_AROUND: Final = 36
_CURLY_QUOTES: Final = "‘’‚‛“”„‟«»′″"
_DASHES: Final = "‐‑‒–—―−"
_SLIPS: Final[dict[str, str]] = {
    "&": "Write 'and' instead of '&' or '&&'.",
    "|": "Write 'or' for a choice, '||' to join texts; filters such as '| upcase' are Liquid's: in Hog, upper(name).",
    "!": "Write 'not' instead of '!'; unequal is '!='.",
    ";": "A template holds expressions only; leave the ';' out.",
    "^": "There is no operator '^'; multiply with '*'.",
    "@": "Names have letters, digits, '_' and '$'; any other goes into brackets: event.properties['@name'].",
    "\\": "A backslash belongs into a text in quotes, or outside of the braces.",
}
_SQL: Final = {
    "as": "Names for results are SQL; leave 'as …' out.",
    "over": "Windows are SQL; a template sees one event only.",
    "cast": "Write toInt(value), toFloat(value) or toString(value) instead of a cast.",
    "case": "Write case when test then value else other end, or test ? value : other.",
    "interval": "Write dateAdd('day', 1, value) to move a date.",
    "date": "Write toDate('2026-01-31').",
    "timestamp": "Write toDateTime('2026-01-31 12:00:00').",
    "select": "Queries are SQL; a template sees one event only.",
    "distinct": "'distinct' is SQL; leave it out.",
    "return": "A template holds expressions only; leave 'return' out.",
    "let": "A template holds expressions only, without variables.",
}


class Opening(StrEnum):
    """What a sign begins, in words."""

    HOLE = "the expression"
    PARENTHESIS = "the parenthesis"
    CALL = "the list of what the function is given"
    LIST = "the list"
    ITEM = "the brackets"
    KEY = "a key"
    OBJECT = "the object"
    CONDITIONAL = "the choice 'test ? yes : no'"


class Unclosed(msgspec.Struct, frozen=True):
    """Something that `opening` began and that `sign` has yet to end."""

    opening: Token
    sign: str
    what: Opening


def point_at(source: str, position: int) -> str:
    """Show the line of the source with the mistake, and below it a caret: two lines for a font of even width."""
    start = source.rfind("\n", 0, position) + 1
    end = source.find("\n", position)
    line = source[start : end if end >= 0 else len(source)].replace("\t", " ").replace("\r", " ")
    column = position - start
    before = max(0, column - _SHOWN_AROUND)
    cut = "…" if before else ""
    shown = cut + line[before : column + _SHOWN_AROUND] + ("…" if len(line) > column + _SHOWN_AROUND else "")
    return f"{shown}\n{' ' * (column - before + len(cut))}^"


def expected(source: str, token: Token, wanted: str, hint: str | None = None) -> Invalid:
    """Say what was wanted where something else stands."""
    return _slip(source, token) or Invalid(
        f"Expected {wanted}, but {_found(token)}.", position=token.at, hint=hint or _hint(source, token)
    )


def unexpected(source: str, token: Token, last: Token, unclosed: Unclosed | None) -> Invalid:
    """Say that a value is complete, and what stands after it belongs to nothing."""
    if slip := _slip(source, token):
        return slip
    after = f" after {_quoted(last.text)}" if last.text else ""
    if unclosed is None:
        wanted = "an operator or the end"
    elif unclosed.what is Opening.CONDITIONAL:
        return expected(source, token, f"':' and the other value of {unclosed.what}", _elvis(token))
    elif token.kind is Kind.END:
        every = f"Every {unclosed.opening.text} needs its {unclosed.sign}"
        if unclosed.what is Opening.HOLE:
            every += "; write \\{ for a brace that is text"
        elif unclosed.what is Opening.KEY:
            return expected(source, token, "':' after a key of the object")
        return Invalid(
            f"The '{unclosed.opening.text}' that begins {unclosed.what} is never closed.",
            position=unclosed.opening.at,
            hint=SINGLE_BRACES_HINT if "{{" in source[: unclosed.opening.at + 2] else f"{every}.",
        )
    elif unclosed.what in (Opening.HOLE, Opening.PARENTHESIS, Opening.ITEM):
        wanted = f"an operator or '{unclosed.sign}'"
    elif unclosed.what is Opening.KEY:
        wanted = "':' and the value of the key"
    else:
        wanted = f"',' or '{unclosed.sign}'"
    hint = _hint(source, token, last)
    if hint is None and unclosed is not None and unclosed.what is not Opening.HOLE and token.is_sign("}"):
        hint = f"The '{unclosed.opening.text}' of {unclosed.what} needs its '{unclosed.sign}'."
    return Invalid(f"Expected {wanted}{after}, but {_found(token)}.", position=token.at, hint=hint)


def no_operand(source: str, token: Token, last: Token) -> Invalid:
    """Say that a value is missing."""
    if slip := _slip(source, token):
        return slip
    after = f" after {_quoted(last.text)}" if last.text else ""
    hint = _hint(source, token)
    if last.is_sign("?") and token.is_sign(":"):
        hint = _elvis(token)
    elif token.is_sign("}") and last.is_sign("{"):
        hint = "Write an expression between the braces, or \\{ for a brace that is text."
    elif token.is_sign("=", "==") and last.is_sign("=", "=="):
        hint = "Compare with '=='."
    elif token.is_sign("*"):
        hint = "There is no '*' for all; name what you want."
    return Invalid(f"Expected a value{after}, but {_found(token)}.", position=token.at, hint=hint)


def no_step(source: str, token: Token, dot: Token) -> Invalid:
    """Say that no name follows the point of an access."""
    if slip := _slip(source, token):
        return slip
    hint = None
    if token.kind is Kind.STRING:
        hint = f"Write it in brackets, without the point: [{_short(token.text)}]."
    elif token.kind in (Kind.NAME, Kind.INTEGER, Kind.RADIX, Kind.FLOAT):
        hint = f"Write such a name in brackets, without the point: ['{_short(token.text)}']."
    return Invalid(f"Expected a name after '{dot.text}', but {_found(token)}.", position=token.at, hint=hint)


def bad_text(source: str, begins: int, at: int) -> Invalid:
    r"""Say what is wrong with a text in quotes: it has no end, or an escape such as `\q` that does not exist."""
    if source.startswith("\\", at) and at + 1 < len(source):
        return Invalid(
            f"There is no escape '{source[at : at + 2]}'.",
            position=at,
            hint="Write \\\\ for a backslash, \\n for a new line, '' for an apostrophe.",
        )
    return Invalid(
        "The text that begins here is never closed.",
        position=begins,
        hint="It ends with the same quote; an apostrophe inside is written twice: 'it''s'.",
    )


def placeholder(opening: Token) -> Invalid:
    """Refuse `{{name}}`, which PostHog's parser takes for a placeholder of a query."""
    return Invalid("Placeholders are not allowed in this context.", position=opening.at, hint=SINGLE_BRACES_HINT)


def item_zero(at: int) -> Invalid:
    """Refuse `items[0]`."""
    return Invalid("Array access starts from 1.", position=at, hint="The first item is [1], the last [-1].")


def too_deep(most: int, at: int) -> Invalid:
    """Refuse what would exhaust the stack."""
    return Invalid(f"The expression is nested more than {most} levels deep.", position=at)


def check_hyphen(source: str, node: Binary) -> None:
    """
    Refuse `properties.phone-number`: what reads as a subtraction was meant as a name.

    Only a hyphen without any space, between the end of a name and the start of another, is refused.

    Raises:
        Invalid: with the name in brackets as a hint.
    """
    before = _NAME_BEFORE.search(source, max(0, node.sign - _LONGEST_NAME), node.sign)
    after = _NAME_AFTER.match(source, node.sign + 1)
    if before is None or after is None:
        return
    name = f"{before.group()}-{after.group()}"
    owner = source[max(node.left.at, before.start() - _LONGEST_NAME) : before.start()].rstrip()
    example = f"{owner[:-1]}['{name}']" if owner.endswith(".") else f"event.properties['{name}']"
    raise Invalid(
        f"The hyphen in '{name}' means subtraction.",
        position=node.sign,
        hint=f"Use brackets for a name with a hyphen: {example}; or put spaces around the hyphen to subtract.",
    )


# ---- words -----------------------------------------------------------------------------------------


def _found(token: Token) -> str:
    return "the text ends here" if token.kind is Kind.END else f"found {_quoted(token.text)}"


def _quoted(text: str) -> str:
    """Put a word in quotes, unless it has some of its own."""
    return _short(text) if text.startswith("'") else f"'{_short(text)}'"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _slip(source: str, token: Token) -> Invalid | None:
    """Recognise a character that begins no word, and what it was probably meant to be."""
    if token.is_sign("/") and source.startswith("/*", token.at):
        return Invalid("The comment that begins here is never closed.", position=token.at, hint="It ends with */.")
    if token.kind is not Kind.UNKNOWN:
        return None
    character = token.text
    if character in "'\"`":
        return _bad_quotes(source, token)
    if character in _CURLY_QUOTES:
        return Invalid(
            f"The curly quote {character} does not begin a text.",
            position=token.at,
            hint="Use the straight quotes of a keyboard: 'text'.",
        )
    if character in _DASHES:
        return Invalid(f"The dash '{character}' does not subtract.", position=token.at, hint="Use a hyphen: '-'.")
    if character.isdigit():
        digits = re.compile(r"\w+").match(source, token.at)
        number = _short(digits.group() if digits else character)
        return Invalid(f"'{number}' is no number.", position=token.at, hint="Write it with the digits 0 to 9.")
    hint: str | None = SINGLE_BRACES_HINT if character == "|" and "{{" in source else _SLIPS.get(character)
    if hint is None and character.isalpha():
        hint = f"A name with '{character}' goes into backticks or brackets: event.properties['…']."
    return Invalid(f"The character '{character}' means nothing here.", position=token.at, hint=hint)


_INSIDE: Final = {
    quote: re.compile(rf"(?:[^\\{quote}]|{quote}{quote}|\\(?:[bfrntavBFRNTAV0\\{quote}]|[xX][0-9a-fA-F]{{2}}))*")
    for quote in "'\"`"
}


def _bad_quotes(source: str, token: Token) -> Invalid:
    match = _INSIDE[token.text].match(source, token.at + 1)
    return bad_text(source, token.at, match.end() if match else token.end)


def _hint(source: str, token: Token, last: Token | None = None) -> str | None:
    """Suggest what would be right, where the word that stands there tells."""
    word = token.text.lower()
    if token.kind is Kind.NAME and word in _SQL:
        return _SQL[word]
    if last is not None and last.kind is Kind.NAME and last.text.lower() in _SQL:
        return _SQL[last.text.lower()]
    if last is not None and last.kind in (Kind.INTEGER, Kind.FLOAT, Kind.RADIX) and token.kind is Kind.NAME:
        return "Write text in quotes, or outside of the braces."
    if token.kind is Kind.NAME and last is not None and last.kind is Kind.STRING:
        return "An apostrophe inside of a text is written twice: 'it''s'."
    in_braces = last is not None and last.kind in (Kind.STRING, Kind.NAME) and "{" in source[: last.at]
    if token.is_sign(":") and in_braces and not source.startswith((":", "="), token.end):
        return "An object has braces of its own: {{'key': 1}}."
    if token.is_word("empty"):
        return "Write empty(value), or value is null."
    if token.kind in (Kind.STRING, Kind.TEMPLATE) and last is not None:
        return "Join texts with '||', or write them outside of the braces."
    if token.is_sign("->"):
        return "The parameters of a lambda are names: (x, y) -> x + y."
    if token.is_sign(":") and source.startswith(":", token.end):
        return _SQL["cast"]
    if token.is_sign(":") and source.startswith("=", token.end):
        return _SQL["let"]
    if token.is_sign("{") or ("{{" in source and token.is_sign("}")):
        return SINGLE_BRACES_HINT
    if token.kind in (Kind.NAME, Kind.QUOTED_NAME) and last is not None and last.kind is Kind.NAME:
        return "Join two values with an operator, such as '||', '+', 'and'; a name with a blank goes into brackets."
    if token.is_sign("}") and read_token(source, token.end).is_sign("}"):
        return SINGLE_BRACES_HINT
    return None


def _elvis(token: Token) -> str | None:
    return "There is no '?:'; write value ?? fallback." if token.is_sign(":") else None
