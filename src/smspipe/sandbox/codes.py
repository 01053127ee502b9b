"""
Twilio's error numbers: which HTTP status goes with each, and a sentence for a person.

One number space serves refused requests (`code` of an error answer) and failed deliveries
(`error_code` of a message). The sentences are ours; programs must not read them anyway.

Source:
    https://www.twilio.com/docs/api/errors
"""

from typing import Final

import msgspec

ERROR_PAGE: Final = "https://www.twilio.com/docs/errors/{}"

REFUSALS: Final[dict[int, tuple[int, str]]] = {
    20001: (400, "A parameter is unknown or has a value that does not fit it."),
    20003: (401, "Authenticate"),
    20004: (405, "This resource does not know the method."),
    20005: (403, "The account is not active."),
    20006: (403, "Access to this resource is denied."),
    20007: (400, "PageSize must be 1 to 1000."),
    20008: (403, "This resource is closed to test credentials."),
    20009: (400, "The message is not finished yet and cannot be deleted."),
    20010: (403, "The action is disabled for this account."),
    20403: (403, "Forbidden."),
    20404: (404, "The requested resource was not found."),
    20422: (400, "Invalid parameter."),
    20426: (426, "Upgrade required."),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal server error; the request may have taken effect."),
    20503: (503, "The service is unavailable."),
    21211: (400, "The 'To' number is not a valid phone number."),
    21212: (400, "The 'From' number is not a valid phone number, short code, channel address or sender name."),
    21214: (400, "The 'To' number cannot be reached."),
    21217: (400, "The 'To' number does not appear to be valid."),
    21265: (400, "The 'To' number is a short code."),
    21266: (400, "The 'To' and 'From' numbers are the same."),
    21267: (400, "A trial account cannot send from a sender name."),
    21268: (400, "The 'To' number is a premium or information number."),
    21408: (400, "Sending is not permitted for the region of the 'To' number."),
    21601: (400, "The 'From' number cannot send texts."),
    21602: (400, "The message has no content: give Body, MediaUrl or ContentSid."),
    21603: (400, "A 'From' or 'MessagingServiceSid' parameter is required."),
    21604: (400, "A 'To' parameter is required."),
    21606: (400, "The 'From' number is not a text-capable number of this account for this destination."),
    21608: (400, "The 'To' number is not verified, as a trial account needs it to be."),
    21609: (400, "The 'StatusCallback' URL is not valid."),
    21610: (400, "The recipient has opted out of texts from this sender."),
    21611: (429, "The queue of the 'From' number is full."),
    21612: (400, "Texts cannot be routed between these 'To' and 'From' numbers."),
    21614: (400, "The 'To' number is not a mobile number."),
    21616: (400, "The 'From' number is ambiguous."),
    21617: (400, "The body is longer than 1600 characters."),
    21618: (400, "The content is filtered by all carriers."),
    21620: (400, "A media URL is not valid."),
    21623: (400, "There are more than 10 media URLs."),
    21624: (400, "ValidityPeriod must be a whole number of seconds, 1 to 36000."),
    21635: (400, "The 'To' number is a landline."),
    21654: (400, "ContentVariables need a ContentSid."),
    21655: (400, "The ContentSid is not valid."),
    21656: (400, "ContentVariables is not a JSON object of texts."),
    21658: (400, "A content variable is too long."),
    21657: (400, "The sender name is not allowed."),
    21659: (400, "The 'From' number is not a Twilio number."),
    21660: (400, "The 'From' number is not one of this account."),
    21661: (400, "The 'From' number cannot send texts."),
    21664: (400, "FallbackFrom needs a MessagingServiceSid."),
    21701: (404, "The Messaging Service does not exist."),
    21702: (400, "The Messaging Service is not available."),
    21703: (400, "The Messaging Service has no usable sender for this destination."),
    21704: (400, "The Messaging Service has no sender."),
    21705: (400, "The MessagingServiceSid is not valid."),
    21709: (400, "The sender name is not allowed for this Messaging Service."),
    21910: (400, "'From' and 'To' must be addresses of the same channel."),
    30029: (400, "ContentRetention needs Message Privacy on the account."),
    30030: (400, "AddressRetention needs Message Privacy on the account."),
    35111: (400, "The 'SendAt' parameter is missing."),
    35114: (400, "'SendAt' must be an ISO 8601 UTC time 5 minutes to 35 days ahead."),
    35118: (400, "A scheduled message needs a MessagingServiceSid."),
    35125: (429, "The account has too many scheduled messages."),
    35126: (400, "This ScheduleType is not supported."),
}
"""code -> (HTTP status, sentence) of a refused request."""

DELIVERY_FAILURES: Final[dict[int, str]] = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30011: "MMS not supported by the receiving number in this region",
    30017: "Carrier network congestion",
    30018: "Destination carrier requires sender ID pre-registration",
    30019: "Content size exceeds carrier limit",
    30020: "Internal failure with message expiration",
    30021: "Internal failure",
    30022: "US A2P 10DLC rate limit exceeded",
    30023: "US A2P 10DLC daily message cap reached",
    30024: "Numeric sender ID not provisioned on carrier",
    30032: "Toll-free number has not been verified",
    30033: "US A2P 10DLC campaign suspended",
    30034: "US A2P 10DLC message from an unregistered number",
    30035: "US A2P 10DLC number is still being configured",
    30036: "Validity period expired",
    30047: "Message could not be rescheduled",
    30410: "Provider timeout error",
    30450: "Message delivery blocked",
    30453: "Message could not be delivered",
    30610: "Blocked by compliance settings",
    30640: "Blocked by compliance settings",
}
"""code -> text of `error_message` of a message that failed or was not delivered."""

NEVER_LEFT_TWILIO: Final = frozenset({30001, 30002, 30036, 30047, 30410, 30450, 30453, 30610, 30640})
"""Delivery codes that end in `failed`; all others end in `undelivered`, because a carrier said so."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A request that Twilio answers with an error. `detail` replaces the sentence that `code` stands for."""

    code: int
    detail: str | None = None

    @property
    def status(self) -> int:
        """Give the HTTP status of the answer; 400 for a number we have no entry for."""
        return REFUSALS.get(self.code, (400, ""))[0]

    def document(self) -> dict[str, object]:
        """Build the body of the answer, in the shape that Twilio's 2010 API gives every error."""
        sentence = self.detail or REFUSALS.get(self.code, (400, "The request was refused."))[1]
        return {
            "code": self.code,
            "message": sentence,
            "more_info": ERROR_PAGE.format(self.code),
            "status": self.status,
        }
