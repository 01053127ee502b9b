"""
A Twilio for development: the same API, callbacks and refusals, with phones to look at and faults to order.

Written from Twilio's documents and nothing else. It imports no other room, and no other room but
the composition root imports it: what it and the sender both get right, they got right independently.
"""

from smspipe.sandbox.account import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from smspipe.sandbox.asgi import keep_drop
from smspipe.sandbox.emulator import Sandbox

__all__ = ["DEMO_ACCOUNT_SID", "DEMO_AUTH_TOKEN", "Sandbox", "keep_drop"]
