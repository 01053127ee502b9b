"""The functions of Hog's library, by name; each module adds its own when it is imported."""

from smspipe.hog.library import calendar, encoding, json, lists, logic, text
from smspipe.hog.library.function import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function", "calendar", "encoding", "json", "lists", "logic", "text"]
