"""A real database in a temporary file, a keyring, and bodies as PostHog's users send them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.db import migrate, open_database
from smspipe.db.engine import begin_write
from smspipe.destinations import Keyring

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = "k" * 40


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(KEY)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A connection in a write transaction of a new database."""
    database = open_database(f"sqlite:///{tmp_path}/test.db")
    migrate(database)
    with database.engine.connect() as connection:
        begin_write(connection)
        yield connection
    database.close()


@pytest.fixture
def body() -> dict[str, Any]:
    """A destination with credentials among its inputs."""
    return {
        "template_id": "template-twilio",
        "enabled": True,
        "inputs": {
            "accountSid": {"value": "AC0123456789abcdef0123456789abcdef"},
            "authToken": {"value": "tok-original-secret"},
            "fromPhoneNumber": {"value": "+15005550006"},
            "phoneNumber": {"value": "{person.properties.phone}"},
            "smsBody": {"value": "Hi {person.properties.name}"},
        },
        "filters": {"events": [{"id": "signup", "name": "signup", "type": "events"}]},
    }


@pytest.fixture
def cooldown_body() -> dict[str, Any]:
    """The older plugin's settings."""
    return {
        "template_id": "template-twilio-cooldown",
        "enabled": True,
        "inputs": {
            "accountSID": {"value": "AC0123456789abcdef0123456789abcdef"},
            "authToken": {"value": "tok-original-secret"},
            "triggeringEventsAndNumber": {"value": "signup:+15005550006,purchase:+15005550009"},
            "senderPhoneNumber": {"value": "+15005550001"},
            "timeout": {"value": "60"},
        },
    }
