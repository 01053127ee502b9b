"""One message becomes one POST to Twilio, and its answer one of six things. No other room speaks to Twilio."""

from smspipe.sending.client import Client
from smspipe.sending.codes import CODES, Code, Kind, describe
from smspipe.sending.request import Request, build_check, build_numbers, build_request, encode_form
from smspipe.sending.response import (
    Accepted,
    AccountFault,
    Answer,
    Later,
    Number,
    Numbers,
    OptedOut,
    Refused,
    Unconfirmed,
    Verified,
    sort_answer,
    sort_check,
    sort_delivery,
    sort_numbers,
)

__all__ = [
    "CODES",
    "Accepted",
    "AccountFault",
    "Answer",
    "Client",
    "Code",
    "Kind",
    "Later",
    "Number",
    "Numbers",
    "OptedOut",
    "Refused",
    "Request",
    "Unconfirmed",
    "Verified",
    "build_check",
    "build_numbers",
    "build_request",
    "describe",
    "encode_form",
    "sort_answer",
    "sort_check",
    "sort_delivery",
    "sort_numbers",
]
