"""
Settings: read once, from the environment and `smspipe.toml`, and from then on only handed on.

The environment comes before the file, the command line before both. Nothing else reads the environment.
"""

import difflib
import os
import re
import secrets
import tomllib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from smspipe.model.destination import Secret
from smspipe.model.errors import Invalid

PREFIX: Final = "SMSPIPE_"
KEYS_FILE: Final = "keys.toml"
ADDRESS_FILE: Final = "address"
"""In the data folder while a service runs on it: where it is reached, for the command line."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as the reference, `doctor` and the loader know it."""

    name: str
    """Lower case; `SMSPIPE_` and upper case in the environment."""
    default: str | None
    meaning: str
    """What it is, its unit, and what leaving it out means."""
    secret: bool = False


SETTINGS: Final = (
    Setting(name="data", default="./smspipe-data", meaning="Folder of the embedded database and the keys."),
    Setting(
        name="database_url",
        default=None,
        meaning="Address of the database. Without it, SQLite in the data folder.",
    ),
    Setting(
        name="nats_url",
        default=None,
        meaning="Address of a NATS cluster for the event log. Without it, the log is a table. Not in this version.",
    ),
    Setting(
        name="secret_key",
        default=None,
        secret=True,
        meaning="Keys for the secrets at rest, comma-separated, newest first. Made at first start.",
    ),
    Setting(
        name="project_token",
        default=None,
        meaning="Write-only token that SDKs send events with (`phc_…`). Made at first start.",
    ),
    Setting(
        name="api_key",
        default=None,
        secret=True,
        meaning="Key for the API and the page (`phx_…`). Made at first start.",
    ),
    Setting(
        name="public_url",
        default=None,
        meaning="Address where this service is reached from outside, for links in texts and for Twilio's callbacks. "
        "Without it, links have the local address, and Twilio is asked what became of a text instead of telling.",
    ),
    Setting(
        name="twilio_api_url",
        default="https://api.twilio.com",
        meaning="Address of Twilio's API: another region, or a test double. `--sandbox` sets it to the sandbox.",
    ),
    Setting(
        name="default_country",
        default=None,
        meaning="ISO country that national phone numbers are read in. Without it, they must be international.",
    ),
    Setting(
        name="prices",
        default=None,
        meaning="JSON file with prices of a segment by country, for budgets. Without it, a rough table of our own.",
    ),
    Setting(
        name="twilio_connections",
        default="32",
        meaning="Most requests to Twilio at once; Twilio limits them per account.",
    ),
    Setting(
        name="hook_secret",
        default=None,
        secret=True,
        meaning="A key of its own for `/hooks/posthog`, so that PostHog Cloud need not be given the API key.",
    ),
    Setting(
        name="twilio_webhook_keys",
        default=None,
        secret=True,
        meaning="What Twilio may sign its callbacks with beside the accounts' Auth Tokens, comma-separated: a token "
        "that is being changed or whose account signs in with an API key, or a shared key as `id:secret`.",
    ),
    Setting(
        name="keep_events",
        default="30d",
        meaning="How long events are kept, to explain and to replay: a span such as `36h` or `30d`, or `forever`.",
    ),
    Setting(
        name="keep_events_bytes",
        default=None,
        meaning="Most bytes of stored events, such as `20GB`; beyond it the oldest go. Without it, time alone decides.",
    ),
    Setting(
        name="keep_deliveries",
        default="400d",
        meaning="How long deliveries are kept: a span, or `forever`. No shorter than events, or a repeated one could "
        "lead to a second text.",
    ),
    Setting(
        name="keep_bodies",
        default="90d",
        meaning="How long a delivery keeps the text itself: a span, or `forever`.",
    ),
    Setting(
        name="alarm_private_addresses",
        default="no",
        meaning="`yes` lets alarms be told to webhooks at private addresses: of this machine or this network.",
    ),
    Setting(name="log_level", default="info", meaning="`debug`, `info`, `warning` or `error`."),
    Setting(
        name="crash_at",
        default=None,
        meaning="For tests: a step of the pipeline at which the process kills itself, `step:n` for its n-th time.",
    ),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A setting's value and where it came from, for `doctor`."""

    setting: Setting
    value: str | None
    source: str


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked."""

    data: Path
    database_url: str
    secret_key: Secret
    project_token: str
    api_key: Secret
    public_url: str | None
    twilio_api_url: str
    default_country: str | None
    prices: Path | None
    hook_secret: Secret | None
    twilio_connections: int
    twilio_webhook_keys: Secret | None
    keep_events: timedelta | None
    """None for ever, as with the other two."""
    keep_events_bytes: int | None
    keep_deliveries: timedelta | None
    keep_bodies: timedelta | None
    alarm_private_addresses: bool
    log_level: str
    crash_at: str
    first_start: bool
    """The keys were made just now: the API key is to be shown once."""


def find(
    environment: Mapping[str, str] | None = None,
    given: Mapping[str, str | None] | None = None,
    folder: Path | None = None,
) -> dict[str, Found]:
    """
    Find every setting: on the command line (`given`), in the environment, in `folder`'s `smspipe.toml`, or its default.

    Raises:
        Invalid: the file cannot be read, or holds a setting that there is not.
    """
    environment = os.environ if environment is None else environment
    file = (folder or Path.cwd()) / "smspipe.toml"
    from_file = _read_toml(file) if file.exists() else {}
    found = {}
    for setting in SETTINGS:
        variable = PREFIX + setting.name.upper()
        if given and given.get(setting.name) is not None:
            value, source = given[setting.name], "command line"
        elif environment.get(variable):
            value, source = environment[variable], variable
        elif setting.name in from_file:
            value, source = from_file[setting.name], str(file)
        else:
            value, source = setting.default, "default"
        found[setting.name] = Found(setting=setting, value=value, source=source)
    return found


def _read_toml(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}.", field=str(path)) from error
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat.update(value if isinstance(value, dict) else {key: value})
    for key in flat:
        if key not in _BY_NAME:
            near = difflib.get_close_matches(key, _BY_NAME, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(_BY_NAME)}."
            raise Invalid(f"{path} sets {key!r}, which is no setting. {hint}", field=key, hint=hint)
    return {key: str(value) for key, value in flat.items()}


def load(found: Mapping[str, Found], *, make_keys: bool = True) -> Config:
    """
    Check the settings, and make the keys that are missing.

    Args:
        found: what `find` gave.
        make_keys: write new keys to the data folder where there are none; otherwise say that there are none.

    Raises:
        Invalid: a setting makes no sense; the message says which, and what would be right.
    """
    value = {name: each.value for name, each in found.items()}
    if value["nats_url"]:
        raise Invalid(
            "SMSPIPE_NATS_URL is set, but this version keeps its event log in the database.",
            field="nats_url",
            hint="Leave it out.",
        )
    data = folder(found)
    keys, first_start = _read_keys(data, value, make_keys=make_keys)
    database_url = value["database_url"] or f"sqlite:///{data.resolve() / 'smspipe.db'}"
    level = (value["log_level"] or "info").lower()
    if level not in ("debug", "info", "warning", "error"):
        raise _wrong("log_level", "use debug, info, warning or error")
    keep_events, keep_deliveries = _check_span(value, "keep_events"), _check_span(value, "keep_deliveries")
    if keep_deliveries is not None and (keep_events is None or keep_deliveries < keep_events):
        raise _wrong("keep_deliveries", "use a span no shorter than that of SMSPIPE_KEEP_EVENTS")
    return Config(
        data=data,
        database_url=database_url,
        secret_key=Secret(keys["secret_key"]),
        project_token=keys["project_token"],
        api_key=Secret(keys["api_key"]),
        public_url=_check_url(value, "public_url"),
        twilio_api_url=_check_url(value, "twilio_api_url") or "https://api.twilio.com",
        default_country=_check_country(value["default_country"]),
        prices=Path(value["prices"]) if value["prices"] else None,
        hook_secret=Secret(value["hook_secret"]) if value["hook_secret"] else None,
        twilio_connections=_check_number(value, "twilio_connections", 1, 500),
        twilio_webhook_keys=Secret(value["twilio_webhook_keys"]) if value["twilio_webhook_keys"] else None,
        keep_events=keep_events,
        keep_events_bytes=_check_size(value, "keep_events_bytes"),
        keep_deliveries=keep_deliveries,
        keep_bodies=_check_span(value, "keep_bodies"),
        alarm_private_addresses=_check_yes(value, "alarm_private_addresses"),
        log_level=level,
        crash_at=value["crash_at"] or "",
        first_start=first_start,
    )


def folder(found: Mapping[str, Found]) -> Path:
    """Give the data folder of the settings."""
    return Path(found["data"].value or ".").expanduser()


def with_stored_keys(found: Mapping[str, Found]) -> dict[str, Found]:
    """
    Add the keys that the data folder keeps, for `doctor`.

    Raises:
        Invalid: the file that holds them cannot be read.
    """
    file = folder(found) / KEYS_FILE
    stored = _stored_keys(file)
    return {
        name: msgspec.structs.replace(each, value=stored[name], source=str(file))
        if each.value is None and name in stored
        else each
        for name, each in found.items()
    }


def find_api_key(found: Mapping[str, Found]) -> Secret:
    """
    Give the API key alone, for those who speak to a service that runs.

    Raises:
        Invalid: it is neither in the settings nor in the data folder.
    """
    key = found["api_key"].value or _stored_keys(folder(found) / KEYS_FILE).get("api_key")
    if key is None:
        raise Invalid(
            f"There is no API key in {folder(found) / KEYS_FILE}.",
            field="api_key",
            hint="Set SMSPIPE_API_KEY, or point --data at the folder of the service.",
        )
    return Secret(key)


def secret_input(key: str, environment: Mapping[str, str] | None = None) -> str | None:
    """Give the secret input of a destination that the environment holds for the command line, None if it does not."""
    return (os.environ if environment is None else environment).get(f"{PREFIX}SECRET_{key.upper()}") or None


def variable(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """Give the value of a variable that a document names in place of a secret, None if it is not set or empty."""
    return (os.environ if environment is None else environment).get(name) or None


def without_settings(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment without our settings, for a service that is to have none but its own."""
    given = os.environ if environment is None else environment
    return {name: value for name, value in given.items() if not name.startswith(PREFIX)}


def _wrong(name: str, hint: str) -> Invalid:
    return Invalid(f"{PREFIX}{name.upper()} makes no sense: {hint}.", field=name, hint=hint)


def _check_url(value: Mapping[str, str | None], name: str) -> str | None:
    given = value[name]
    if not given:
        return None
    try:
        parts = urlsplit(given)
        whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:  # a bracket that is not closed, a port that is none
        whole = False
    if not whole or parts.query or parts.fragment:
        raise _wrong(name, "use an address such as https://sms.example.com")
    return given.rstrip("/")


def _check_country(given: str | None) -> str | None:
    if not given:
        return None
    if len(given) != 2 or not given.isascii() or not given.isalpha():
        raise _wrong("default_country", "use an ISO country of two letters, such as US")
    return given.upper()


def _check_number(value: Mapping[str, str | None], name: str, least: int, most: int) -> int:
    given = value[name] or ""
    if not (given.isascii() and given.isdigit()) or not least <= int(given) <= most:
        raise _wrong(name, f"use a whole number from {least} to {most}")
    return int(given)


_SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SIZE: Final = re.compile(r"([1-9][0-9]{0,8}) ?([KMGT]?B)", re.IGNORECASE)
_BYTES: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _check_span(value: Mapping[str, str | None], name: str) -> timedelta | None:
    """Read a span of time; None for ever."""
    given = (value[name] or "").strip().lower()
    if given == "forever":
        return None
    found = _SPAN.fullmatch(given)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    if span is None or not timedelta(hours=1) <= span <= timedelta(days=36_500):
        raise _wrong(name, "use a span of an hour or more such as 36h or 30d, or forever")
    return span


def _check_size(value: Mapping[str, str | None], name: str) -> int | None:
    given = value[name]
    if not given:
        return None
    found = _SIZE.fullmatch(given.strip())
    if not found:
        raise _wrong(name, "use a number of bytes such as 500MB or 20GB")
    return int(found[1]) * _BYTES[found[2].upper()]


def _check_yes(value: Mapping[str, str | None], name: str) -> bool:
    given = (value[name] or "no").lower()
    if given not in ("yes", "no"):
        raise _wrong(name, "use yes or no")
    return given == "yes"


def _read_keys(data: Path, value: Mapping[str, str | None], *, make_keys: bool) -> tuple[dict[str, str], bool]:
    """Take each key from the settings, else from the data folder, else make it; tell whether the API key is new."""
    file = data / KEYS_FILE
    stored = _stored_keys(file)
    made = {}
    keys = {}
    for name, make in _MAKERS.items():
        key = value[name] or stored.get(name)
        if key is None:
            if not make_keys:
                raise Invalid(
                    f"There is no {name.replace('_', ' ')} in {file} or in {PREFIX}{name.upper()}.",
                    field=name,
                    hint="Start the service once with `smspipe serve`, or point --data at its folder.",
                )
            key = made[name] = make()
        keys[name] = key
    if made:
        try:
            _write_keys(file, stored | made)
        except OSError as error:
            raise Invalid(
                f"The keys cannot be written to {file}: {error.strerror}.",
                field="data",
                hint="Free some space, or choose a folder that may be written with --data.",
            ) from error
    if (
        not keys["project_token"].isascii()
        or len(keys["project_token"]) > 64
        or keys["project_token"].startswith("phx_")
    ):
        raise _wrong("project_token", "use up to 64 ASCII characters, such as phc_ and 43 letters")
    return keys, "api_key" in made


def _stored_keys(file: Path) -> dict[str, str]:
    try:
        return {key: str(each) for key, each in tomllib.loads(file.read_text("utf-8")).items()} if file.exists() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"The keys in {file} cannot be read: {error}.", field="data") from error


_MAKERS: Final[Mapping[str, Callable[[], str]]] = {
    "secret_key": lambda: secrets.token_urlsafe(48),
    "project_token": lambda: "phc_" + _letters(43),
    "api_key": lambda: "phx_" + _letters(43),
}


def _letters(n: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(secrets.choice(alphabet) for _ in range(n))


def _write_keys(file: Path, keys: Mapping[str, str]) -> None:
    """Write the keys so that nobody else can read them, and so that a crash leaves the old file or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write("# Keys of this installation. Whoever has them can read its secrets and send in its name.\n")
        out.writelines(f'{name} = "{key}"\n' for name, key in keys.items())
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
