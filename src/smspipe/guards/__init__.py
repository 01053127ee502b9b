"""
Deciders: may this text be sent, here and now, to this person? The first refusal wins.

The order is fixed and documented in `docs/reference/reasons.md`.
"""

from smspipe.guards.check import Facts, check_guards

__all__ = ["Facts", "check_guards"]
