"""Read a checked document into a `model.Destination`: one place per template that says what its inputs mean."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from smspipe.destinations import templates
from smspipe.destinations.filters import LONGEST_SECONDS, narrow, read_masking
from smspipe.destinations.inputs import to_text, to_values
from smspipe.destinations.options import Options, read_options
from smspipe.destinations.pairs import read_pairs, to_routes
from smspipe.matching import read_filter
from smspipe.model.destination import Account, Cooldown, Destination, ExtrasTemplate, Route, Secret, Templating, Text
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action, ActionFilter, EventFilter, Filter
from smspipe.model.ids import DestinationId, IntegrationId

FindAccount = Callable[[IntegrationId], Account | None]
"""Finds the account of a stored integration, None when it is gone."""


def read(
    document: Mapping[str, Any],
    secrets: Mapping[str, Any],
    *,
    id: DestinationId,  # noqa: A002 (the model's own word)
    version: int,
    paused: str | None = None,
    find_account: FindAccount = lambda _id: None,
    actions: Mapping[str, Action] = MappingProxyType({}),
) -> Destination:
    """
    Read what a document means.

    Args:
        document: as `document.create_document` or `change_document` left it.
        secrets: the values of its secret inputs; one that is missing leaves the destination without an account.
        id: the destination's, also where its document is not saved yet.
        version: that of the document.
        paused: why the engine stopped it, None while it runs.
        find_account: looks up the integration that an input names.
        actions: the existing actions by id, for what names one.

    Raises:
        Invalid: inputs that each are right by themselves do not fit together.
    """
    schema = {item["key"]: item for item in document["inputs_schema"]}
    inputs: Mapping[str, Any] = document["inputs"]
    _, options = read_options(document["smspipe"])
    own = read_filter(document["filters"], mode=options.filter_mode)
    cooldown = read_masking(document["masking"])
    if document["template_id"] == templates.COOLDOWN:
        parts = _read_cooldown(schema, inputs, secrets, own, cooldown, actions)
    elif "twilio_account" in schema:
        parts = _Parts(
            account=_integration(inputs, find_account),
            sender=_text(schema, inputs, "from_number"),
            routes=(Route(to=_text(schema, inputs, "to_number")),),
            body=_text(schema, inputs, "message"),
            filter=own,
            cooldown=cooldown,
        )
    else:
        parts = _Parts(
            account=_credentials(inputs, secrets, "accountSid"),
            sender=_text(schema, inputs, "fromPhoneNumber"),
            routes=(Route(to=_text(schema, inputs, "phoneNumber")),),
            body=_text(schema, inputs, "smsBody"),
            filter=own,
            cooldown=cooldown,
        )
    escaped = _escaped if options.escape_html else _same
    return Destination(
        id=id,
        version=version,
        name=document["name"],
        enabled=document["enabled"],
        template_id=document["template_id"],
        filter=parts.filter,
        account=parts.account,
        sender=escaped(parts.sender),
        routes=tuple(msgspec.structs.replace(route, to=escaped(route.to)) for route in parts.routes),
        body=escaped(parts.body),
        cooldown=parts.cooldown,
        inputs={key: escaped(value) for key, value in to_values(schema, inputs).items()},
        truncate=options.truncate,
        max_age=options.max_age,
        default_country=options.default_country,
        pace=options.pace,
        unconfirmed=options.unconfirmed,
        silence=options.silence_hours,
        recipients=options.recipients,
        countries=options.countries,
        number_types=options.number_types,
        velocity=options.velocity,
        caps=options.caps,
        refuse_identical=options.refuse_identical,
        budget=options.budget,
        quiet_hours=options.quiet_hours,
        extras=_read_extras(options, parts.body.templating),
        paused=paused,
    )


def _read_extras(options: Options, language: Templating) -> ExtrasTemplate | None:
    """Gather what is asked of Twilio beside the text; templates of it are in the text's language, never escaped."""

    def text(source: str, key: str) -> Text:
        return Text(source=source, templating=language, field=f"smspipe__{key}")

    extras = ExtrasTemplate(
        media_urls=tuple(text(source, "media_urls") for source in options.media_urls),
        validity_period=options.validity_period,
        smart_encoded=options.smart_encoded,
        risk_check=options.risk_check,
        send_at=None if options.send_at is None else text(options.send_at, "send_at"),
    )
    return None if extras == ExtrasTemplate() else extras


def _escaped(value: Any) -> Any:
    liquid = isinstance(value, Text) and value.templating is Templating.LIQUID
    return msgspec.structs.replace(value, escape=True) if liquid else value


def _same(value: Any) -> Any:
    return value


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    account: Account | None
    sender: Text
    routes: tuple[Route, ...]
    body: Text
    filter: Filter
    cooldown: Cooldown | None


def _read_cooldown(
    schema: Mapping[str, dict[str, Any]],
    inputs: Mapping[str, Any],
    secrets: Mapping[str, Any],
    own: Filter,
    masking: Cooldown | None,
    actions: Mapping[str, Action],
) -> _Parts:
    """Read the older plugin's settings: a route a pair, and the cooldown of each event and number."""
    if masking is not None:
        raise Invalid("The cooldown of this template is its timeout.", field="masking", hint="Leave masking empty.")
    pairs = read_pairs(_text(schema, inputs, "triggeringEventsAndNumber").source)
    routes = to_routes(pairs, actions)
    listed = Filter(
        events=tuple(EventFilter(id=name, name=name) for name in dict.fromkeys(r.event for r in routes if r.event)),
        actions=tuple(
            ActionFilter(id=id, name=actions[id].name)
            for id in dict.fromkeys(r.action for r in routes if r.action)  # noqa: A001 (the model's own word)
        ),
    )
    return _Parts(
        account=_credentials(inputs, secrets, "accountSID"),
        sender=_text(schema, inputs, "senderPhoneNumber"),
        routes=routes,
        body=_text(schema, inputs, "message"),
        filter=narrow(own, listed),
        cooldown=Cooldown(
            key=Text(source=templates.PER_EVENT_AND_NUMBER, field="inputs__timeout"),
            ttl=_read_timeout(inputs.get("timeout", {}).get("value")),
        ),
    )


def _text(schema: Mapping[str, dict[str, Any]], inputs: Mapping[str, Any], key: str) -> Text:
    value = inputs.get(key, {}).get("value")
    if key not in schema or not isinstance(value, str) or not value:
        # A schema of somebody's own may lack the key, or not require it.
        raise Invalid("This field is required.", field=f"inputs__{key}")
    return to_text(schema, inputs, key)


def _credentials(inputs: Mapping[str, Any], secrets: Mapping[str, Any], key: str) -> Account | None:
    sid = secrets.get(key, inputs.get(key, {}).get("value"))
    if not isinstance(sid, str) or not sid:
        raise Invalid("This field is required.", field=f"inputs__{key}")
    check_account_sid(sid, f"inputs__{key}")
    token = secrets.get("authToken")
    return Account(sid=sid, username=sid, password=Secret(token)) if isinstance(token, str) and token else None


def check_account_sid(sid: str, field: str) -> None:
    """
    Refuse an account SID that could not stand in an address.

    Raises:
        Invalid: it has other characters than letters, digits, `_` and `-`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", sid):
        raise Invalid("Value must be a Twilio Account SID: AC and 32 letters and digits.", field=field)


def _integration(inputs: Mapping[str, Any], find_account: FindAccount) -> Account | None:
    value = inputs.get("twilio_account", {}).get("value")
    if value is None:
        raise Invalid("This field is required.", field="inputs__twilio_account")
    return find_account(IntegrationId(int(value)))


def _read_timeout(given: Any) -> timedelta:
    """Read whole seconds, as a number or as text: the plugin had text."""
    try:
        seconds = float(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else math.nan
    except ValueError:
        seconds = math.nan
    if not (1 <= seconds <= LONGEST_SECONDS and seconds == int(seconds)):
        raise Invalid(f"timeout must be between 1 and {LONGEST_SECONDS} seconds", field="inputs__timeout")
    return timedelta(seconds=int(seconds))
