"""
Take over what PostHog exports: destinations made from its Twilio templates, SMS steps of its workflows, and the
settings of its older Twilio plugin.

Every text is to stay the same; where that cannot be, a sentence says what differs, and why. Nothing is switched on by
an import. Reading is pure: `take_over` makes bodies and sentences of a file, `store` keeps them.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from smspipe.destinations import templates
from smspipe.destinations.imports_filters import count_conditions, dated, join, place_actions, take_masking
from smspipe.destinations.imports_plugin import find_settings, take_plugin
from smspipe.destinations.imports_program import take_code, texted_inputs
from smspipe.destinations.imports_store import Imported, look_around, store
from smspipe.destinations.imports_taken import SWITCHED_OFF, Document, Here, Options, Taken, as_object, choose_account
from smspipe.destinations.imports_workflow import is_step, is_workflow, take_step, take_workflow
from smspipe.matching import quirks, read_filter
from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode

__all__ = ["NOTES", "Here", "Imported", "Options", "Taken", "look_around", "store", "take_over"]

MOST: Final = 1000
"""Destinations in one import."""
NOTES: Final = (
    "Nothing is switched on by an import.",
    "An event older than a day leads to no text here, unless a destination's option max_age says otherwise.",
)
"""What holds for every import."""
_LISTS: Final = ("results", "destinations", "hog_functions", "hog_flows")
_TYPES: Final[Mapping[str, str]] = {
    "transformation": "It is a transformation: it changes events inside of PostHog, and sends no texts.",
    "site_destination": "It is a site_destination: it runs in people's browsers, and sends no texts.",
    "site_app": "It is a site_app: it runs in people's browsers, and sends no texts.",
    "internal_destination": "It is an internal_destination: PostHog's alerts run it, and those do not come here.",
}
_KNOWN: Final = frozenset({
    "id", "type", "kind", "name", "description", "created_at", "created_by", "updated_at", "enabled", "deleted", "hog",
    "bytecode", "transpiled", "icon_url", "inputs_schema", "inputs", "filters", "masking", "mappings", "template",
    "template_id", "status", "execution_order", "batch_export_id", "smspipe", "search_match_type", "team", "team_id",
    "bytecode_error", "encrypted_inputs", "hog_function_template", "user_access_level",
})  # fmt: skip
"""Fields of an export that are taken over, or mean nothing outside of PostHog."""
_OUTPUT: Final = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_RAW_AT_END: Final = re.compile(r"\|\s*raw\s*\Z")


def take_over(given: Any, options: Options, here: Here) -> list[Taken]:
    """
    Make bodies of ours of what PostHog exported.

    Args:
        given: one function, workflow, step or plugin's settings; a list of them; or a page (`{"results": […]}`).
        options: how to import.
        here: what is stored here.

    Raises:
        Invalid: it holds nothing that could be taken over, or too much.
    """
    for key in _LISTS:
        if isinstance(given, Mapping) and isinstance(given.get(key), list):
            given = given[key]
            break
    found = given if isinstance(given, list) else [given]
    if not isinstance(given, list | Mapping):
        raise Invalid("This is no export of PostHog: it must be an object, or a list of such.")
    if not found:
        raise Invalid("The export is empty.", hint="Export with ?full=true from the project that has the destinations.")
    if len(found) > MOST:
        raise Invalid(f"These are {len(found)} destinations; {MOST} is the most.", hint="Import them in parts.")
    taken = [each for index, one in enumerate(found, start=1) for each in _take_one(one, index, options, here)]
    _name_apart(taken)
    return taken


def _take_one(given: Any, index: int, options: Options, here: Here) -> list[Taken]:
    if not isinstance(given, Mapping):
        return [Taken(name=f"Entry {index}", body=None, needs=["It is no object, so it is no destination."])]
    if is_workflow(given):
        taken = take_workflow(given)
    elif is_step(given):
        taken = [take_step(given, options)]
    elif _template_id(given) != templates.COOLDOWN and (settings := find_settings(given)) is not None:
        return [take_plugin(given, settings, here)]
    else:
        taken = _take_function(given)
    for each in taken:
        if each.body is not None:
            _finish(each, options, here)
    return taken


def _finish(taken: Taken, options: Options, here: Here) -> None:
    """Do to a body what has to be done to every one that comes from PostHog."""
    _refuse_without_recipient(taken)
    if taken.body is not None and not taken.own:
        take_code(taken, options)
    if taken.body is not None and "twilio_account" in taken.body["inputs"]:
        choose_account(taken, options, here)
    if taken.body is None or taken.own:
        return
    _take_filters(taken, here)
    more: Document = {"filter_mode": "posthog"}
    if _escaping_shows(taken.body):
        if options.escape:
            more["escape_html"] = True
            taken.changed.append(
                "PostHog writes & as &amp; in what Liquid prints, and < > ' \" likewise; the option escape_html keeps"
                " that, so that texts stay the same. Set it to false, and people get these characters themselves."
            )
        else:
            taken.changed.append("PostHog writes & as &amp; in what Liquid prints; people get & itself here.")
    taken.body["smspipe"] = more


# ---- functions ---------------------------------------------------------------------------------------


def _template_id(given: Mapping[str, Any]) -> Any:
    template = given.get("template")
    return given.get("template_id") or (template.get("id") if isinstance(template, Mapping) else None)


def _take_function(given: Mapping[str, Any]) -> list[Taken]:
    """Take over one function: a destination, or one for each of its mappings."""
    name = str(given.get("name") or "Twilio")[:400]
    own = isinstance(given.get("smspipe"), Mapping)
    taken = Taken(name=name, body=None, own=own)
    kind, template_id, inputs = given.get("type") or "destination", _template_id(given), given.get("inputs")
    if kind != "destination":
        return [taken.leave(_TYPES.get(str(kind), f"It is a {str(kind)[:40]}, which sends no texts."))]
    if template_id not in (None, templates.TWILIO, templates.COOLDOWN):
        return [taken.leave(f"It is made from {str(template_id)[:60]}, which sends no texts.")]
    if given.get("deleted"):
        return [taken.leave("It is deleted.")]
    if not isinstance(inputs, Mapping) or not inputs:
        return [taken.leave("It has no inputs. Export it with ?full=true, or from its own address.")]
    if template_id is None and templates.guess(inputs) is None:
        return [taken.leave("It has none of the inputs of PostHog's Twilio templates, so it sends no texts.")]
    taken.body = {
        **{key: given[key] for key in ("description", "hog", "icon_url", "inputs_schema", "execution_order")
           if given.get(key) is not None},
        "template_id": template_id or templates.guess(inputs),
        "name": name,
        "enabled": False,
        "inputs": _without_computed(inputs),
        "filters": given.get("filters") or {},
        "masking": given.get("masking"),
    }  # fmt: skip
    if own:
        taken.body["smspipe"] = given["smspipe"]
        taken.taken_over.append("All of it, as this software exported it.")
        return [taken]
    taken.taken_over.append("The text, its recipient and its sender.")
    if given.get("enabled"):
        taken.changed.append(SWITCHED_OFF)
    masking = take_masking(given.get("masking"))
    taken.body["masking"] = masking.value
    taken.changed += masking.changed
    if isinstance(masking.value, Mapping):
        taken.taken_over.append("The cooldown.")
    if unknown := sorted(str(key)[:40] for key in given if key not in _KNOWN):
        taken.changed.append(f"Left out, because nothing here knows it: {', '.join(unknown)}.")
    mappings = given.get("mappings")
    if not mappings:
        return [taken]
    if not isinstance(mappings, list) or not all(isinstance(each, Mapping) for each in mappings):
        return [taken.leave("Its mappings cannot be read.")]
    return [_take_mapping(taken, mapping, number, mappings) for number, mapping in enumerate(mappings, start=1)]


def _take_mapping(function: Taken, mapping: Mapping[str, Any], number: int, mappings: list[Any]) -> Taken:
    """Make a destination of one mapping: its inputs go before the function's, and both filters must let through."""
    assert function.body is not None  # noqa: S101 (only called with one)
    name = f"{function.name[:300]}: {str(mapping.get('name') or number)[:90]}"
    inputs = as_object(mapping.get("inputs"))
    body = {
        **function.body,
        "name": name,
        "inputs": {**function.body["inputs"], **_without_computed(inputs)},
        "filters": join(function.body["filters"], mapping.get("filters")),
    }
    if schema := _join_schemas(function.body.get("inputs_schema"), mapping.get("inputs_schema")):
        body["inputs_schema"] = schema
    taken = Taken(
        name=name,
        body=body,
        taken_over=[
            *function.taken_over,
            f"Mapping {number} of {len(mappings)} of {function.name!r}, with its filter.",
        ],
        changed=list(function.changed),
        needs=list(function.needs),
    )
    if body["filters"] is None:
        return taken.leave(
            "The filter of this mapping and that of the whole destination ask for different events or actions; no one"
            " filter says the same. Make this destination yourself."
        )
    if mapping.get("disabled"):
        taken.changed.append("This mapping is switched off in PostHog: leave it off here, too.")
    if body["masking"] is not None and sum(not each.get("disabled") for each in mappings) > 1:
        taken.changed.append("In PostHog the mappings share one cooldown; here each has its own.")
    return taken


def _without_computed(inputs: Mapping[str, Any]) -> Document:
    """Drop what PostHog compiled of each input: it is compiled anew."""
    computed = ("bytecode", "transpiled", "order")
    return {
        key: {name: part for name, part in entry.items() if name not in computed} if isinstance(entry, dict) else entry
        for key, entry in inputs.items()
    }


def _join_schemas(first: Any, second: Any) -> list[Any]:
    """Join two schemas; the second one's items replace those of the same key."""
    items = [item for part in (first, second) if isinstance(part, list) for item in part if isinstance(item, Mapping)]
    return list({str(item.get("key")): item for item in items}.values())


# ---- what every body goes through ---------------------------------------------------------------------


def _refuse_without_recipient(taken: Taken) -> None:
    """
    Leave out what has no recipient, and so sent to nobody.

    A new destination without one would get this software's default, and begin to text people.
    """
    assert taken.body is not None  # noqa: S101 (only called with one)
    if taken.own or taken.body["template_id"] != templates.TWILIO:
        return
    key, _ = texted_inputs(taken.body["inputs"])
    entry = taken.body["inputs"].get(key)
    schema = taken.body.get("inputs_schema")
    items = schema if isinstance(schema, list) else []
    default = next((item.get("default") for item in items if isinstance(item, dict) and item.get("key") == key), None)
    if schema is templates.INTEGRATION_INPUTS:
        default = None
    if entry is None and default:
        taken.body["inputs"][key] = {"value": default}
    elif not isinstance(entry, Mapping) or entry.get("value") in (None, ""):
        taken.leave(f"It has no recipient ({key}), so in PostHog it reached nobody. Give it one, and import it again.")


def _take_filters(taken: Taken, here: Here) -> None:
    assert taken.body is not None  # noqa: S101 (only called with one)
    filters = taken.body["filters"]
    if not isinstance(filters, Mapping):
        return  # refused when it is stored
    placed = place_actions(filters, here.actions)
    computed = ("bytecode", "transpiled", "bytecode_error")
    taken.body["filters"] = {key: part for key, part in placed.value.items() if key not in computed}
    taken.changed += placed.changed
    taken.needs += placed.needs
    if count := count_conditions(filters):
        conditions = "1 condition" if count == 1 else f"{count} conditions"
        taken.taken_over.append(f"The filter with {conditions}, compared as PostHog does (filter_mode posthog).")
    elif filters.get("events") or filters.get("actions"):
        taken.taken_over.append("The filter.")
    else:
        taken.taken_over.append("That it has no filter: every event leads to a text.")
    if filters.get("filter_test_accounts") and not here.shared.test_accounts.values:
        taken.needs.append(
            "Its filter leaves out test accounts, and the export does not say who they are: store PostHog's list"
            " here (test_account_filters of the project), or they get texts, too."
        )
    taken.quirks += _find_quirks(taken.body["filters"], here)
    if dated(filters):
        taken.changed.append(
            "PostHog froze the relative date of its filter when it was saved; here it is resolved anew."
        )


def _find_quirks(filters: Mapping[str, Any], here: Here) -> list[str]:
    """Say which of PostHog's quirks a filter depends on; nothing where it does not compile, which is said elsewhere."""
    try:
        own = read_filter(filters, mode=Mode.POSTHOG)
        test_accounts = here.shared.test_accounts
        found = quirks(own, actions=here.shared.actions, test_accounts=test_accounts)
    except Invalid:
        return []
    return list(dict.fromkeys(each.sentence for each in found))


def _escaping_shows(body: Mapping[str, Any]) -> bool:
    """May PostHog's HTML escaping of Liquid show in what this sends?"""
    items = body.get("inputs_schema")
    schema = {
        str(item.get("key")): item for item in (items if isinstance(items, list) else ()) if isinstance(item, Mapping)
    }
    for key, entry in body["inputs"].items():
        value = entry.get("value") if isinstance(entry, Mapping) else None
        language = schema.get(key, {}).get("templating") or (isinstance(entry, Mapping) and entry.get("templating"))
        second_family = schema.keys() >= {"twilio_account"} or not schema
        if not isinstance(value, str) or not (language == "liquid" or (not language and second_family)):
            continue
        outputs = [output.strip() for output in _OUTPUT.findall(value)]
        if "echo" in value or any(not _RAW_AT_END.search(output) for output in outputs):
            return True
    return False


def _name_apart(taken: list[Taken]) -> None:
    """Give different names to those from PostHog that have the same: commands find a destination by its name."""
    seen: set[str] = set()
    for each in taken:
        if each.body is None or each.own:
            continue
        name, number = each.name, 1
        while name in seen:
            number += 1
            name = f"{each.name[:390]} ({number})"
        seen.add(name)
        if name != each.name:
            each.changed.append(f"It is called {name!r} here, because another of this import is called {each.name!r}.")
            each.name = each.body["name"] = name
