"""The hook's door opens to the hook's own secret and to the API key, and to nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from smspipe.model.destination import Secret
from smspipe.model.event import Event, Payload
from smspipe.web.capture import CaptureDoor, Incoming

BODY = b'{"event": {"event": "signup", "uuid": "0199b0c4-0000-7000-8000-00000000000a", "distinct_id": "ada"}}'


@pytest.mark.parametrize(
    ("header", "opens"),
    [
        (b"Bearer hook-secret-of-its-own", True),
        (b"bearer phx_api_key_of_the_owner", True),
        (b"Bearer wrong", False),
        (b"Basic hook-secret-of-its-own", False),
        (b"hook-secret-of-its-own", False),
        (b"", False),
        (None, False),
    ],
)
def test_only_a_key_opens_the_hook(header: bytes | None, opens: bool) -> None:
    taken: list[Payload] = []

    def offer(payload: Payload, events: Sequence[Event], then: object) -> bool:
        taken.append(payload)
        return True

    keys = [Secret("phx_api_key_of_the_owner"), Secret("hook-secret-of-its-own")]
    door = CaptureDoor(offer=offer, clock=lambda: datetime(2026, 1, 2, tzinfo=UTC), token="phc_x", hook_keys=keys)
    headers = {} if header is None else {b"authorization": header}
    incoming = Incoming(method="POST", path="/hooks/posthog", query=b"", headers=headers, ip=None)
    answer = door.enter(incoming, BODY, lambda _: None)
    assert (len(taken) == 1) is opens
    assert opens or (answer is not None and answer[0] == 401)
