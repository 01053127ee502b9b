"""Keeper of opt-outs: which numbers must not be texted by which sender, since when, and who said so."""

from smspipe.optouts.entries import EVERYWHERE, Action, Heard, New, OptOut, Source, scope_of
from smspipe.optouts.hashing import Hasher, open_hasher, reencrypt
from smspipe.optouts.keywords import Keyword, Words, choose_words, is_toll_free, may_answer, read_keyword
from smspipe.optouts.learning import Applied, Inbound, apply_keyword, learn
from smspipe.optouts.register import (
    Query,
    add,
    add_many,
    erase,
    get,
    history_of,
    is_empty,
    list_opt_outs,
    opted_out,
    remove,
)
from smspipe.optouts.words import LANGUAGES, Family

__all__ = [
    "EVERYWHERE",
    "LANGUAGES",
    "Action",
    "Applied",
    "Family",
    "Hasher",
    "Heard",
    "Inbound",
    "Keyword",
    "New",
    "OptOut",
    "Query",
    "Source",
    "Words",
    "add",
    "add_many",
    "apply_keyword",
    "choose_words",
    "erase",
    "get",
    "history_of",
    "is_empty",
    "is_toll_free",
    "learn",
    "list_opt_outs",
    "may_answer",
    "open_hasher",
    "opted_out",
    "read_keyword",
    "reencrypt",
    "remove",
    "scope_of",
]
