"""Make sure that a draft can be run before it is kept, and say what is wrong in PostHog's words."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from smspipe.destinations import meaning
from smspipe.destinations.document import Draft
from smspipe.destinations.integrations import find_account
from smspipe.destinations.secrets import Keyring
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.filter import Shared
from smspipe.model.ids import DestinationId

Check = Callable[[Destination, Shared], object]
"""Compiles a filter and templates, given what filters refer to; raises `Invalid` for what does not compile."""


def no_check(destination: Destination, shared: Shared) -> None:
    """Find everything right: for who compiles elsewhere."""


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads documents into destinations, with what that takes: the accounts, their keys, what filters refer to."""

    connection: Connection
    keyring: Keyring
    shared: Shared

    def read(self, draft: Draft, id: DestinationId, version: int, paused: str | None = None) -> Destination:  # noqa: A002 (the model's own word)
        """Read one document; errors as `meaning.read`."""
        return meaning.read(
            draft.document,
            draft.secrets,
            id=id,
            version=version,
            paused=paused,
            find_account=lambda integration: find_account(self.connection, self.keyring, integration),
            actions=self.shared.actions,
        )


def check_draft(draft: Draft, destination: Destination, check: Check, shared: Shared) -> dict[str, Any]:
    """
    Check that a draft can be run, and give the document to keep.

    A filter that does not compile is refused while the destination is or gets enabled; in a disabled one it is kept,
    and what is wrong with it is noted inside it.

    Raises:
        Invalid: something does not compile, or the destination is enabled and its account is gone.
    """
    document = draft.document
    if document["enabled"] and destination.account is None:
        _refuse_missing_account(document)
    try:
        compile_draft(draft, destination, check, shared)
    except Invalid as error:
        if document["enabled"] or not _is_about_filters(error):
            raise
        return {**document, "filters": {**document["filters"], "bytecode_error": str(error)}}
    return {**document, "filters": {key: part for key, part in document["filters"].items() if key != "bytecode_error"}}


def compile_draft(draft: Draft, destination: Destination, check: Check, shared: Shared) -> None:
    """
    Run `check`, and word what it finds as PostHog does.

    Raises:
        Invalid: what `check` raised, under a prefix that says what is meant.
    """
    try:
        check(destination, shared)
    except Invalid as error:
        told, field = str(error), error.field or ""
        prefix = ""
        if _is_about_filters(error):
            prefix = "Invalid filter configuration: "
        elif field.startswith(("inputs__", "masking__")):
            prefix = "Invalid template: "
            if _is_at_double_braces(draft.document, field, error.position):
                told = "this field uses single curly braces, as in {event.event}; two of them belong to Liquid."
        if not told.startswith(prefix):
            told = prefix + told
        raise Invalid(
            told, field=error.field, position=error.position, hint=error.hint, excerpt=error.excerpt
        ) from error


def _is_at_double_braces(document: Mapping[str, Any], field: str, position: int | None) -> bool:
    """Does the mistake begin where somebody wrote Liquid's braces in a Hog template?"""
    entry = document["inputs"].get(field.split("__")[1], {})
    source = entry.get("value")
    if not isinstance(source, str) or position is None or entry.get("templating") == "liquid":
        return False
    return source[position : position + 2] in ("{{", "{%")


def _refuse_missing_account(document: Mapping[str, Any]) -> None:
    entry = document["inputs"].get("twilio_account")
    if entry is not None:
        raise Invalid(
            f"There is no Twilio integration {entry['value']}.",
            field="inputs__twilio_account",
            hint="Store the account first, under integrations.",
        )
    raise Invalid("No value is saved for this secret input. Enter the value again.", field="inputs__authToken")


def _is_about_filters(error: Invalid) -> bool:
    return (error.field or "").split("__")[0] == "filters"
