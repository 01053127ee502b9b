"""Time zones by name."""

from functools import lru_cache
from typing import Any, Final, TypeGuard
from zoneinfo import ZoneInfo

_LONGEST_NAME: Final = 64
_NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Files that lie beside the zones on some machines."""


def is_zone(name: Any) -> TypeGuard[str]:
    """Is it the name of an IANA time zone, such as `Europe/Vienna`?"""
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and _exists(name)


@lru_cache(maxsize=4096)
def _exists(name: str) -> bool:
    if not name.isascii() or name in _NO_ZONES:
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # no name of a file, a folder, nothing there
        return False
    return True
