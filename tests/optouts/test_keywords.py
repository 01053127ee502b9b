"""Which incoming texts are keywords, and when one may be answered."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.errors import Invalid
from smspipe.optouts import Family, Keyword, choose_words, is_toll_free, may_answer, read_keyword
from smspipe.optouts.keywords import LONGEST, QUIET_AFTER_HELP, fold
from smspipe.optouts.words import LANGUAGES

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVERY_WORD = [(word, family) for lists in LANGUAGES.values() for family, words in lists.items() for word in words]


def family_of(body: str, told: str | None = None, *, toll_free: bool = False) -> Family | None:
    found = read_keyword(body, told, toll_free=toll_free)
    return None if found is None else found.family


@pytest.mark.parametrize("word", ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"])
def test_what_twilio_heeds_ends_the_texts(word: str) -> None:
    assert family_of(word) is Family.STOP


@pytest.mark.parametrize("word", ["START", "YES", "UNSTOP"])
def test_what_twilio_heeds_brings_them_back(word: str) -> None:
    assert family_of(word) is Family.START


@pytest.mark.parametrize("word", ["HELP", "INFO"])
def test_what_twilio_heeds_asks_for_help(word: str) -> None:
    assert family_of(word) is Family.HELP


@pytest.mark.parametrize(("word", "family"), EVERY_WORD)
def test_every_word_of_the_lists_is_read_in_any_case(word: str, family: Family) -> None:
    assert {family_of(each) for each in (word, word.lower(), word.title(), f" {word}\r\n")} == {family}


@pytest.mark.parametrize(
    "body",
    ["stop", "sToP", "  stop\n", "Stop.", "STOP!!!", "“Stop”", "(stop)", "stop 🛑", "STO\u200bP", "\u202bstop\u202c",
     "ＳＴＯＰ", "opt-out", "Opt out", "opt‑out", "stop  all", "arrêt", "ARRET", "arre\u0302t", "Désabonner",
     "kündigen", "\ufeffSTOP", "stop\u00a0", "STOP™"],
)  # fmt: skip
def test_a_stop_is_read_however_a_phone_writes_it(body: str) -> None:
    assert family_of(body) is Family.STOP


@pytest.mark.parametrize(
    "body",
    ["", " ", "...", "🛑", "stop please", "please stop", "don't stop", "stop it", "s t o p", "bus stop", "stopped",
     "cancel my order", "the end", "Hello", "STOP\nSTART", "stop start", "yes please", "S.T.O.P", "x" * 5000, "\x00"],
)  # fmt: skip
def test_other_texts_are_no_keywords(body: str) -> None:
    assert family_of(body) is None


@pytest.mark.parametrize("body", ["Start.", "start!", "'start'", "yes!", "YES."])
def test_only_the_exact_word_brings_texts_back(body: str) -> None:
    assert family_of(body) is None


@pytest.mark.parametrize("body", ["start", " START ", "Yes", "unstop"])
def test_case_and_white_space_do_not_matter_for_a_return(body: str) -> None:
    assert family_of(body) is Family.START


@pytest.mark.parametrize(
    ("body", "told", "family"),
    [
        ("ENOUGH", "STOP", Family.STOP),
        ("stop", "START", Family.START),
        ("hi there", "help", Family.HELP),
        ("x" * 1600, "STOP", Family.STOP),
        ("", "STOP", Family.STOP),
        ("stop", "", Family.STOP),
        ("stop", None, Family.STOP),
        ("stop", "PAUSE", Family.STOP),
        ("hello", "PAUSE", None),
    ],
)
def test_twilios_own_reading_wins(body: str, told: str | None, family: Family | None) -> None:
    assert family_of(body, told) is family


def test_a_keyword_says_its_word_and_whether_twilio_read_it() -> None:
    assert read_keyword(" Stop! ") == Keyword(family=Family.STOP, word="Stop!")
    assert read_keyword("Genug", "STOP") == Keyword(family=Family.STOP, word="Genug", told=True)
    long = read_keyword("word " * 300, "STOP")
    assert long is not None
    assert len(long.word) == LONGEST


@pytest.mark.parametrize(
    ("body", "family"),
    [("START", Family.START), ("unstop", Family.START), ("YES", None), ("alta", None), ("CANCEL", Family.STOP)],
)
def test_a_toll_free_number_is_returned_to_only_as_its_network_allows(body: str, family: Family | None) -> None:
    assert family_of(body, toll_free=True) is family


def test_no_word_means_two_things_in_any_choice_of_languages() -> None:
    for size in (1, 2, len(LANGUAGES)):
        for languages in combinations(LANGUAGES, size):
            words = choose_words(languages)
            assert not words.stop & words.start
            assert not words.help & (words.stop | words.start)


def test_languages_can_be_chosen_and_words_added() -> None:
    words = choose_words(["de"], stop=["Genug jetzt"], start=["Weiter"], help=["Was"])

    def read(body: str) -> Family | None:
        found = read_keyword(body, words=words)
        return None if found is None else found.family

    assert [read(body) for body in ("abmelden", "genug  JETZT!", "weiter", "was?", "hilfe")] == [
        Family.STOP, Family.STOP, Family.START, Family.HELP, Family.HELP,
    ]  # fmt: skip
    assert read("baja") is None
    assert read("yes") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_that_carriers_promise_are_in_every_list(language: str) -> None:
    words = choose_words([language])
    families = {body: read_keyword(body, words=words) for body in ("STOP", "START", "UNSTOP", "HELP")}
    assert [found.family if found else None for found in families.values()] == [
        Family.STOP, Family.START, Family.START, Family.HELP,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"languages": ["eng"]}, "Did you mean 'en'"),
        ({"languages": ["xx"]}, "There are en"),
        ({"stop": [" "]}, "1 to 40 characters"),
        ({"stop": ["!" * 50]}, "1 to 40 characters"),
        ({"stop": ["Help"]}, "'HELP' cannot mean both STOP and HELP"),
        ({"start": ["stop"]}, "'STOP' cannot mean both STOP and START"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(arguments: dict[str, list[str]], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        choose_words(**arguments)
    assert said in f"{caught.value} {caught.value.hint}"


@given(st.text())
def test_any_text_is_read_without_a_fault_and_alike_in_any_frame(body: str) -> None:
    found = read_keyword(body)
    framed = read_keyword(f"  {body}\n")
    assert (found and found.family) == (framed and framed.family)
    assert fold(fold(body)) == fold(body)


@given(st.sampled_from(EVERY_WORD), st.text(st.characters(categories=["P", "Zs", "So"]), max_size=5))
def test_marks_around_a_word_that_ends_texts_change_nothing(each: tuple[str, Family], marks: str) -> None:
    word, family = each
    if family is Family.STOP:
        assert family_of(marks + word + marks) is Family.STOP


@pytest.mark.parametrize(
    ("sender", "expected"),
    [("+18885550100", True), ("+18005550100", True), ("+12025550143", False), ("+448005550100", False),
     ("88855", False), ("+188855501000", False), ("MG" + "8" * 32, False)],
)  # fmt: skip
def test_toll_free_numbers_are_those_of_north_america(sender: str, expected: bool) -> None:
    assert is_toll_free(sender) is expected


# ---- answers ---------------------------------------------------------------------------------------------------------

HELP = Keyword(family=Family.HELP, word="HELP")
ADA, OURS = "+12025550143", "+15005550006"


def test_nothing_is_answered_unless_asked_for() -> None:
    assert not may_answer(HELP, ADA, answered_at=None, now=NOW)
    assert may_answer(HELP, ADA, wanted=True, answered_at=None, now=NOW)


@pytest.mark.parametrize(
    "keyword",
    [None, Keyword(family=Family.STOP, word="STOP"), Keyword(family=Family.START, word="START"),
     Keyword(family=Family.HELP, word="HELP", told=True)],
    ids=["no keyword", "STOP", "START", "HELP that Twilio answers"],
)  # fmt: skip
def test_only_a_help_that_twilio_does_not_answer_is_answered(keyword: Keyword | None) -> None:
    assert not may_answer(keyword, ADA, wanted=True, answered_at=None, now=NOW)


@pytest.mark.parametrize("sender", ["", "ACME", "12345", "88855501", "+", "+1", "+1202555014x", "MG" + "0" * 32, OURS])
def test_machines_and_our_own_numbers_get_no_answer(sender: str) -> None:
    assert not may_answer(HELP, sender, wanted=True, ours=[OURS], answered_at=None, now=NOW)


@given(st.lists(st.integers(-200_000, 200_000), min_size=1, max_size=40))
def test_two_machines_cannot_keep_each_other_going(waits: list[int]) -> None:
    """Whatever the clock does, a number gets no more answers than there were full days between them."""
    now, answered_at = NOW, None
    for seconds in waits:
        now += timedelta(seconds=seconds)
        if may_answer(HELP, ADA, wanted=True, answered_at=answered_at, now=now):
            assert answered_at is None or now - answered_at >= QUIET_AFTER_HELP
            answered_at = now
