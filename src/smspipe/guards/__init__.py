"""
Deciders: may this text be sent, here and now, to this person? The first refusal wins.

The order is fixed and documented in `docs/reference/reasons.md`.
"""

from smspipe.guards.budget import charge_of
from smspipe.guards.caps import keys_of
from smspipe.guards.case import Case, Delay, Guard, Known, Verdict
from smspipe.guards.check import GUARDS, check_guards
from smspipe.guards.velocity import places

__all__ = [
    "GUARDS",
    "Case",
    "Delay",
    "Guard",
    "Known",
    "Verdict",
    "charge_of",
    "check_guards",
    "keys_of",
    "places",
]
