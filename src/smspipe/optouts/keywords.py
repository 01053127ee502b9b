"""
Read an incoming text: does it ask for no more texts, for texts again, or for help?

The whole text must be the keyword, as at Twilio: "STOP" counts, "stop please" does not. Case, accents, hyphens and
white space around and between the words never matter. Marks around the word ("Stop!", "“stop”") are passed over for
STOP and HELP and not for START: whoever may have meant to end the texts gets none, and only the exact word brings them
back.

An answer to a keyword could be answered by a machine, that answer by us, and so on. Twilio answers STOP, START and HELP
by itself; `may_answer` says when we may at all.
"""

import difflib
import unicodedata
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from smspipe.model.errors import Invalid
from smspipe.optouts.words import LANGUAGES, Family

LONGEST: Final = 40
"""Characters that a keyword has at most; a longer text is looked at no further."""
QUIET_AFTER_HELP: Final = timedelta(days=1)
_TOLL_FREE: Final = frozenset({"800", "833", "844", "855", "866", "877", "888"})
_TOLL_FREE_START: Final = frozenset({"start", "unstop"})


class Keyword(msgspec.Struct, frozen=True, kw_only=True):
    """A text that was a keyword."""

    family: Family
    word: str
    """As it was written, without white space around it, cut at `LONGEST` characters."""
    told: bool = False
    """Twilio said so (`OptOutType`), and has answered it."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The words of each family, folded for comparing; see `choose_words`."""

    stop: frozenset[str]
    start: frozenset[str]
    help: frozenset[str]


def choose_words(
    languages: Collection[str] = tuple(LANGUAGES),
    *,
    stop: Sequence[str] = (),
    start: Sequence[str] = (),
    help: Sequence[str] = (),  # noqa: A002 (the family's own name)
) -> Words:
    """
    Put the lists of some languages together, with words of one's own.

    STOP, START, UNSTOP and HELP are in every list: carriers promise them to everybody.

    Args:
        languages: ISO 639 codes, keys of `LANGUAGES`.
        stop: further words that end texts.
        start: further words that bring them back.
        help: further words that ask for help.

    Raises:
        Invalid: a language is not known, a word is blank or longer than `LONGEST`, or one means two things.
    """
    for language in languages:
        if language not in LANGUAGES:
            near = difflib.get_close_matches(language[:40], LANGUAGES, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(LANGUAGES)}."
            raise Invalid(f"There is no list of keywords for the language {language[:40]!r}.", hint=hint)
    own = {Family.STOP: ("STOP", *stop), Family.START: ("START", "UNSTOP", *start), Family.HELP: ("HELP", *help)}
    found = {
        family: frozenset(
            _check_word(word) for word in (*more, *(word for each in languages for word in LANGUAGES[each][family]))
        )
        for family, more in own.items()
    }
    for one, other in ((Family.STOP, Family.START), (Family.STOP, Family.HELP), (Family.START, Family.HELP)):
        if both := found[one] & found[other]:
            raise Invalid(f"{min(both).upper()!r} cannot mean both {one} and {other}.", hint="Take it out of one list.")
    return Words(stop=found[Family.STOP], start=found[Family.START], help=found[Family.HELP])


def _check_word(word: str) -> str:
    folded = fold(word)
    if not folded or len(word) > LONGEST:
        raise Invalid(f"A keyword has 1 to {LONGEST} characters.", hint="Write the words without marks around them.")
    return folded


def fold(text: str) -> str:
    """Write a text as it is compared: no case, accents or invisible marks; hyphens and white space as one space."""
    # Fullwidth and other compatible forms become plain letters, accents marks of their own.
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = (" " if _parts(character) else character for character in apart if _stays(character))
    return " ".join("".join(kept).split())


def _parts(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Pd"


def _stays(character: str) -> bool:
    """Is it neither an accent, a format mark (direction, joiner) nor a variation selector?"""
    return unicodedata.category(character) not in ("Mn", "Me", "Cf")


def _bare(text: str) -> str:
    """Take marks off both ends of a text: everything that is neither a letter nor a digit."""
    start, end = 0, len(text)
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return text[start:end]


@lru_cache(maxsize=1)
def default_words() -> Words:
    """Give the lists of all languages."""
    return choose_words()


def read_keyword(
    body: str, opt_out_type: str | None = None, *, toll_free: bool = False, words: Words | None = None
) -> Keyword | None:
    """
    Say which keyword a text is, None for any other text.

    Args:
        body: the text as it came.
        opt_out_type: Twilio's own reading (`OptOutType` of the webhook), where there is one: it wins, since Twilio has
            acted on it.
        toll_free: the text went to a toll-free number of the United States or Canada. Their network takes nothing but
            START and UNSTOP as a return, so nothing else is one.
        words: the lists; None for those of all languages.

    Source:
        https://help.twilio.com/articles/31560110671259 (OptOutType), https://help.twilio.com/articles/360058144374
    """
    written = body.strip()[:LONGEST]
    told = (opt_out_type or "").strip().upper()
    if told in Family.__members__:
        return Keyword(family=Family[told], word=written, told=True)
    # Marks around it may double the length of a keyword, not more.
    if not body or len(body.strip()) > 2 * LONGEST:
        return None
    family = _family(body, words or default_words(), toll_free)
    return None if family is None else Keyword(family=family, word=written)


def _family(body: str, words: Words, toll_free: bool) -> Family | None:
    # Before folding as well: a mark such as ™ is folded to letters.
    text, bare = fold(body), _bare(fold(_bare(body)))
    if bare in words.stop:
        return Family.STOP
    if text in words.start and (not toll_free or text in _TOLL_FREE_START):
        return Family.START
    if bare in words.help:
        return Family.HELP
    return None


def is_toll_free(sender: str) -> bool:
    """Is it a toll-free number of the United States or Canada, in E.164?"""
    return len(sender) == 12 and sender.startswith("+1") and sender[2:5] in _TOLL_FREE


def may_answer(
    keyword: Keyword | None,
    sender: str,
    *,
    wanted: bool = False,
    ours: Collection[str] = (),
    answered_at: datetime | None,
    now: datetime,
) -> bool:
    """
    Say whether a text of ours may answer an incoming one. Unless `wanted`, never: Twilio answers by itself.

    No two machines can keep each other going: only HELP is ever answered, no number more than once a day, and nobody
    who cannot be a person with a phone.

    Args:
        keyword: what the incoming text was.
        sender: who it came from; a short code or a name is a machine.
        wanted: whoever runs the service asked for answers to HELP, for senders that Twilio does not answer for.
        ours: our own numbers, which never answer each other.
        answered_at: when this number was answered last, None for never.
        now: the instant of the decision.
    """
    if not wanted or keyword is None or keyword.family is not Family.HELP or keyword.told:
        return False
    digits = sender.removeprefix("+")
    if not (sender.startswith("+") and digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 15):
        return False
    # A clock that was set back must not make an answer possible again: only a full day later, by this clock, does.
    return sender not in ours and (answered_at is None or now - answered_at >= QUIET_AFTER_HELP)
