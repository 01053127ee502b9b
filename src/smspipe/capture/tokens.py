"""The project token: where a request carries it, what is wrong with it, whether it is ours."""

import hmac
from typing import Final

from smspipe.capture.decode import RawEvent, RawRoot
from smspipe.capture.door import Refused

_LONGEST: Final = 64


def token_of(root: RawRoot) -> str:
    """
    Find the token of a request: the envelope's, else the one that all its events agree upon.

    Raises:
        Refused: 401 when there is none, or events name different ones.
    """
    token = _own_token(root)
    if token is not None:
        return token
    found = {token for raw in root.batch or () if (token := _own_token(raw)) is not None}
    if not found:
        raise Refused(401, "event submitted without an api_key", tag="invalid_api_token")
    if len(found) > 1:
        raise Refused(401, "batch submitted with inconsistent api_key values", tag="invalid_api_token")
    return found.pop()


def _own_token(raw: RawEvent) -> str | None:
    for token in (raw.token, raw.api_key, raw.dollar_token):
        if token is not None:
            return token
    inside = raw.properties.get("token") if raw.properties else None
    return inside if isinstance(inside, str) else None


def check_token(token: str, project_token: str) -> None:
    """
    Let only the project's own token pass.

    Raises:
        Refused: 401, with PostHog's word for what is wrong with the token's form, or `unknown`.
    """
    # Compared in constant time, so that its length is all that a stranger can learn of it.
    if hmac.compare_digest(token.encode(), project_token.encode()):
        return
    token = token.strip()
    if not token:
        fault = "empty"
    elif len(token) > _LONGEST:
        fault = "too_long"
    elif not token.isascii():
        fault = "not_ascii"
    elif token.startswith("phx_"):
        fault = "personal_api_key"
    elif "\0" in token:
        fault = "null_byte"
    elif hmac.compare_digest(token.encode(), project_token.encode()):
        return
    else:
        fault = "unknown"
    raise Refused(401, f"API key is not valid: {fault}", tag="invalid_api_token")
