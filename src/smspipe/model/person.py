"""A person as the profiles know them."""

from datetime import datetime
from typing import Any

import msgspec

from smspipe.model.ids import PersonId


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """
    One person: what `$set`, `$set_once`, `$identify` and their like have told of them.

    An event sent with `$process_person_profile: false` has no profile: its person has an id
    derived from the distinct_id, no properties and `profile` false.
    """

    id: PersonId
    properties: dict[str, Any]
    created_at: datetime
    identified: bool = False
    """Has been the goal of an `$identify`: merging such a person away needs `$merge_dangerously`."""
    profile: bool = True
    trusted: frozenset[str] = frozenset()
    """The names of the properties whose value was set by a trusted event, and by no other since."""
