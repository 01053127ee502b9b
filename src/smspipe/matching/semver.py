"""Version numbers as PostHog's filters compare them: the first dotted run of digits in a text, as a list of numbers."""

from typing import Any, Final

import re2

from smspipe.hog import to_string
from smspipe.model.errors import Invalid

# RE2, not Python's re: the text is a stranger's, and backtracking over a long run of digits costs its square.
_VERSION: Final = re2.compile(rb"[0-9]+(?:\.[0-9]+)+")
_LONGEST_EXACT: Final = 15

Version = tuple[int | float, ...]


def read_version(value: Any) -> Version:
    """Find the first version in a value's text (`v1.20.3-beta` is 1, 20, 3); () without one, which sorts first."""
    if value is None:
        return ()
    found = _VERSION.search(to_string(value).encode("utf-8", "replace"))
    if found is None:
        return ()
    parts = found.group().decode("ascii").split(".")
    return tuple(int(part) if len(part) <= _LONGEST_EXACT else float(part) for part in parts)


def version_range(operator: str, value: Any, field: str) -> tuple[Version, Version]:
    """
    Find the versions that a range stands for: the first that is in it, and the first past it.

        semver_tilde     1.2.3 is 1.2.3 up to 1.3.0;  1 is 1.0.0 up to 2.0.0
        semver_caret     1.2.3 is 1.2.3 up to 2.0.0;  0.2.3 up to 0.3.0;  0.0.3 up to 0.0.4
        semver_wildcard  1.* is 1.0.0 up to 2.0.0;  1.2.* up to 1.3.0;  1.2.3.* is 1.2.3.0 up to 1.2.4.0

    Raises:
        Invalid: `value` is not such a version.
    """
    text = value.rstrip(".*") if operator == "semver_wildcard" and isinstance(value, str) else value
    parts = _numbers(text, field)
    given = len(parts)
    major, minor, patch = (*parts, 0, 0)[:3]
    if operator == "semver_wildcard" and given > 2:
        return (major, minor, patch, 0), (major, minor, patch + 1, 0)
    if operator == "semver_caret":
        if major:
            return (major, minor, patch), (major + 1, 0, 0)
        return (major, minor, patch), (0, minor + 1, 0) if minor else (0, 0, patch + 1)
    if given == 1:
        return (major, 0, 0), (major + 1, 0, 0)
    lowest = 0 if operator == "semver_wildcard" else patch
    return (major, minor, lowest), (major, minor + 1, 0)


def _numbers(text: Any, field: str) -> list[int]:
    """Read the numbers of a version, without what follows a hyphen."""
    if isinstance(text, str):
        parts = text.split("-")[0].split(".")
        if all(part.isascii() and part.isdecimal() and len(part) <= _LONGEST_EXACT for part in parts):
            return [int(part) for part in parts]
    raise Invalid("This is not a version number.", field=field, hint="Write a version such as 1.2.3.")
