"""How the API shows what is not a message: the account, its numbers, a text's media and the feedback on it."""

from datetime import datetime
from typing import Any, Final

from smspipe.sandbox.account import DEFAULT_SENDER, Account
from smspipe.sandbox.messages import API_VERSION, Message, rfc2822

_LONG_AGO: Final = "Thu, 01 Jan 2026 00:00:00 +0000"


def account_document(account: Account) -> dict[str, Any]:
    """Show the account; its token is left out."""
    base = f"/{API_VERSION}/Accounts/{account.sid}"
    return {
        "sid": account.sid,
        "owner_account_sid": account.sid,
        "friendly_name": "Sandbox",
        "status": "active",
        "type": "Trial" if account.settings.trial else "Full",
        "auth_token": None,
        "date_created": _LONG_AGO,
        "date_updated": _LONG_AGO,
        "subresource_uris": {
            "messages": f"{base}/Messages.json",
            "incoming_phone_numbers": f"{base}/IncomingPhoneNumbers.json",
        },
        "uri": f"{base}.json",
    }


def numbers_document(account: Account, query: dict[str, str]) -> dict[str, Any]:
    """List the account's numbers on one page, those alone whose digits contain the query's `PhoneNumber`."""
    own = sorted(account.settings.own_numbers or {DEFAULT_SENDER})
    wanted = query.get("PhoneNumber", "").removeprefix("+")
    shown = [number for number in own if number.startswith("+") and wanted in number]
    numbers = [_number_document(number, account.sid) for number in shown]
    uri = f"/{API_VERSION}/Accounts/{account.sid}/IncomingPhoneNumbers.json"
    return {**_one_page(uri, len(numbers)), "incoming_phone_numbers": numbers}


def media_document(message: Message) -> dict[str, Any]:
    """List a text's media on one page; the sandbox fetches none, so it does not know their type."""
    base = message.uri.removesuffix(".json") + "/Media"
    media = []
    for index in range(len(message.media)):
        sid = f"ME{message.sid[2:-2]}{index:02x}"
        media.append(
            {
                "sid": sid,
                "account_sid": message.account_sid,
                "parent_sid": message.sid,
                "content_type": "application/octet-stream",
                "date_created": rfc2822(message.created_at),
                "date_updated": rfc2822(message.created_at),
                "uri": f"{base}/{sid}.json",
            }
        )
    return {**_one_page(f"{base}.json", len(media)), "media_list": media}


def feedback_document(message: Message, outcome: str, now: datetime) -> dict[str, Any]:
    """Show the feedback that was just given on a text."""
    return {
        "account_sid": message.account_sid,
        "message_sid": message.sid,
        "outcome": outcome,
        "date_created": rfc2822(now),
        "date_updated": rfc2822(now),
        "uri": message.uri.removesuffix(".json") + "/Feedback.json",
    }


def _number_document(number: str, account_sid: str) -> dict[str, Any]:
    sid = "PN" + number.removeprefix("+").rjust(32, "0")
    return {
        "sid": sid,
        "account_sid": account_sid,
        "friendly_name": number,
        "phone_number": number,
        "origin": "twilio",
        "status": "in-use",
        "capabilities": {"voice": False, "sms": True, "mms": True, "fax": False},
        "date_created": _LONG_AGO,
        "date_updated": _LONG_AGO,
        "api_version": API_VERSION,
        "uri": f"/{API_VERSION}/Accounts/{account_sid}/IncomingPhoneNumbers/{sid}.json",
    }


def _one_page(uri: str, count: int) -> dict[str, Any]:
    return {
        "first_page_uri": f"{uri}?PageSize=50&Page=0",
        "next_page_uri": None,
        "previous_page_uri": None,
        "uri": f"{uri}?PageSize=50&Page=0",
        "page": 0,
        "page_size": 50,
        "start": 0,
        "end": max(0, count - 1),
    }
