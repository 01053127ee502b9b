"""
The words of an expression: names, numbers, texts and signs.

Words are read one at a time, where the parser stands, because what a character means depends on that: outside of
braces, and inside of `f'…'`, nearly all is text. Of several words that could begin at a place the longest is taken.
"""

import re
from enum import StrEnum
from typing import Final

import msgspec


class Kind(StrEnum):
    """What a word is."""

    NAME = "name"
    QUOTED_NAME = "quoted name"
    """In double quotes or backticks: always a name, also where it spells a keyword."""
    INTEGER = "integer"
    """Decimal digits, which can also be a step: `items.1`."""
    FLOAT = "float"
    RADIX = "radix"
    """A whole number in hexadecimal (`0x1F`) or binary (`0b11`)."""
    STRING = "string"
    TEMPLATE = "template"
    """The `f'` that begins text with holes."""
    SIGN = "sign"
    UNKNOWN = "unknown"
    """A character with which no word begins."""
    END = "end"


class Token(msgspec.Struct, frozen=True):
    """One word of the source, from `at` up to `end` (code points)."""

    kind: Kind
    text: str
    at: int
    end: int

    def is_sign(self, *signs: str) -> bool:
        """Tell whether it is one of these signs."""
        return self.kind is Kind.SIGN and self.text in signs

    def is_word(self, *words: str) -> bool:
        """Tell whether it is one of these keywords, in any case of letters."""
        return self.kind is Kind.NAME and self.text.lower() in words


_SPACE: Final = r"[ \t\r\n\x0b\f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_PASSED_OVER: Final = re.compile(rf"(?:{_SPACE}+|/\*[\s\S]*?\*/|(?:--|//|#(?![0-9]))[^\n\r]*)*")
_ESCAPE: Final = r"\\(?:[bfrntavBFRNTAV0\\]|[xX][0-9a-fA-F]{2})"
_WORDS: Final = re.compile(
    rf"""
    (?P<template> f')
  | (?P<name> [a-zA-Z_$][a-zA-Z0-9_$]* )
  | (?P<quoted_name>  ` (?: [^\\`] | {_ESCAPE} | \\' | `` )* ` | " (?: [^\\"] | {_ESCAPE} | \\" | "" )* " )
  | (?P<string> ' (?: [^\\'] | {_ESCAPE} | \\' | '' )* ' )
  | (?P<float>
        0[xX][0-9a-fA-F]+ (?: \.[0-9a-fA-F]* )? [pP][+-]?[0-9]+
      | (?: [0-9]+ (?: \.[0-9]* )? | \.[0-9]+ ) [eE][+-]?[0-9]+
    )
  | (?P<radix> 0[xX][0-9a-fA-F]+ | 0[bB][01]+ (?![0-9]) )
  | (?P<integer> (?! 0[bBoO][0-9] ) [0-9]+ )
  | (?P<sign>
        =~\* | !~\* | -> | \?\. | \?\? | \|\| | == | != | <> | <= | >= | =~ | !~ | ~\*
      | [-+*/%=<>~?:.,()\[\]{{}}]
    )
    """,
    re.VERBOSE,
)


def read_token(source: str, at: int) -> Token:
    """Read the word at `at`, after blanks and comments."""
    at = _passed_over(source, at)
    if at >= len(source):
        return Token(Kind.END, "", at, at)
    match = _WORDS.match(source, at)
    if match is None or match.lastgroup is None:
        return Token(Kind.UNKNOWN, source[at], at, at + 1)
    return Token(Kind(match.lastgroup.replace("_", " ")), match.group(), at, match.end())


def _passed_over(source: str, at: int) -> int:
    match = _PASSED_OVER.match(source, at)
    return at if match is None else match.end()


# ---- text ------------------------------------------------------------------------------------------

TEMPLATE_TEXT: Final = re.compile(r"(?:[^{\\]+|\\\{?)+")
"""Text outside of braces. A brace right after a backslash is text, whatever stands before the backslash."""
QUOTED_TEXT: Final = re.compile(rf"(?:[^{{\\']+|''|{_ESCAPE}|\\'|\\\{{)+")
"""Text in `f'…'`, up to a hole or the closing quote."""

# A NUL ends a text in PostHog's parser, which leaves it out; nobody could read it in a text message either.
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "", "a": "\a", "v": "\v", "b": "\b", "f": "\f", "\\": "\\"}


def unescape(text: str, quote: str = "") -> str:
    r"""
    Resolve the escapes of a string: `\n`, `\t` …, `\\`, `\{`, and `quote` escaped or doubled.

    Unknown escapes stay as they are, backslash included.
    """
    if "\\" not in text and not (quote and quote in text):
        return text
    known = _ESCAPES | {"{": "{"} | ({quote: quote} if quote else {})
    doubled = f"|{re.escape(quote)}{re.escape(quote)}" if quote else ""
    escape = re.compile(rf"\\(.){doubled}", re.DOTALL)
    return escape.sub(lambda match: known.get(match[1], match[0]) if match[1] else quote, text)
