"""
Twilio's own OpenAPI document, as the npm package `@twilio/cli-core` carries it, and a check of traffic against it.

Two things in the document are not as Twilio behaves, and are put right here: links between the
pages of a list are relative, so their format is `uri-reference`; and `DateSent` also takes plain
dates, which only concerns who sends them.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.support.npm import npm_package

_PACKAGE: Final = ("@twilio/cli-core", "9.0.0")
_DOCUMENT: Final = "src/services/twilio-api/twilio_api_v2010.json"
_HOST: Final = "https://api.twilio.com"
_KEPT: Final = (
    "/2010-04-01/Accounts/{Sid}.json",
    "/2010-04-01/Accounts/{AccountSid}/Messages",
    "/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers.json",
)


@cache
def twilio_contract() -> OpenAPI:
    """Read the part of Twilio's document that is about messages, the account and its numbers."""
    path = npm_package(*_PACKAGE, dependencies=False) / _DOCUMENT
    document: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    document["paths"] = {name: item for name, item in document["paths"].items() if name.startswith(_KEPT)}
    for item in document["paths"].values():
        _make_links_relative(item)
    return OpenAPI.from_dict(document)


def _make_links_relative(item: dict[str, Any]) -> None:
    for response in item.get("get", {}).get("responses", {}).values():
        for media in response.get("content", {}).values():
            for name, schema in media["schema"].get("properties", {}).items():
                if name.endswith("_uri") and schema.get("format") == "uri":
                    schema["format"] = "uri-reference"


@dataclass
class ContractGate:
    """
    Checks an SDK's requests and the answers to them; give `hooks` to the SDK's HTTP client.

    `prefix` is what the base URL has beyond Twilio's own host. The document does not describe error
    answers, so of these only the request is checked, and not even that while `breaking`, when
    a request is wrong on purpose.
    """

    prefix: str = ""
    breaking: bool = False
    seen: list[tuple[str, int]] = field(default_factory=list)

    @property
    def hooks(self) -> dict[str, Any]:
        """Give the hooks in the form that `requests` takes."""
        return {"response": self._check}

    def _check(self, response: Any, **_options: Any) -> None:
        asked = _as_asked(response.request, self.prefix)
        self.seen.append((f"{asked.method.upper()} {asked.path}", response.status_code))
        if not self.breaking:
            twilio_contract().validate_request(asked)
        if response.status_code < 400:
            content_type = response.headers.get("content-type", "").partition(";")[0]
            given = MockResponse(response.content, response.status_code, dict(response.headers), content_type)
            twilio_contract().validate_response(asked, given)


def _as_asked(request: Any, prefix: str) -> MockRequest:
    parts = urlsplit(request.url)
    body = request.body or b""
    return MockRequest(
        _HOST,
        request.method,
        parts.path.removeprefix(prefix),
        args=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers=dict(request.headers),
        data=body.encode() if isinstance(body, str) else body,
        content_type=request.headers.get("Content-Type", ""),
    )
