"""Tell a person what files of destinations would do: changes line by line, refusals with their place, warnings."""

import difflib
from collections.abc import Iterator
from typing import Any, Final

from smspipe.cli import output
from smspipe.cli.files import Document, write_yaml
from smspipe.destinations.short import is_short, place_of, short_value


def count_changes(results: list[dict[str, Any]]) -> int:
    """Count the results that would change something."""
    return sum(each["action"] in ("create", "change", "delete") for each in results)


_SIGNS: Final = {
    "create": ("+", "would be created", "green"),
    "change": ("~", "would be changed", "yellow"),
    "delete": ("-", "would be deleted", "red"),
    "none": ("=", "stays as it is", "dim"),
}


def print_plan(result: dict[str, Any], documents: list[Document]) -> None:
    """Print what would become of one document: the changes and the warnings, or why it is refused."""
    if result["action"] == "kept":
        return
    if result["action"] == "refused":
        print_refusal(result, documents)
        return
    document = None if result["position"] is None else documents[result["position"]]
    sign, words, style = _SIGNS[result["action"]]
    output.print_line(f"{sign} {result['name']} {words}", style)
    for change in result["changes"]:
        _print_change(change, document)
    print_warnings(result, document)


def _print_change(change: dict[str, Any], document: Document | None) -> None:
    output.print_line(f"    {_field(change['field'].replace('.', '__'), document)}")
    before, after = change["before"], change["after"]
    if document is not None and is_short(document.value):
        before, after = short_value(change["field"], before), short_value(change["field"], after)
    if {"secret": True} in (before, after):
        output.print_line("      ~ another secret than the one that is stored", "yellow")
        return
    for line in _difference(before, after):
        output.print_line(f"      {line}", {"-": "red", "+": "green"}.get(line[0]))


def _difference(before: Any, after: Any) -> Iterator[str]:
    """Write two values line by line: what goes, what comes, and what is around it."""
    old, new = ([] if each is None else _lines(each) for each in (before, after))
    if len(old) > 3 and len(new) > 3:
        for line in list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]:
            yield "  …" if line.startswith("@@") else f"{line[0]} {line[1:]}"
        return
    yield from (f"- {line}" for line in old)
    yield from (f"+ {line}" for line in new)


def _lines(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split("\n")
    return write_yaml(value).rstrip("\n").split("\n")


def _field(attr: str, document: Document | None) -> str:
    """Name a field as the document writes it: `message` for `inputs__smsBody__value`."""
    if document is None:
        return attr.replace("__", ".")
    path = place_of(attr, document.value)
    value: Any = document.value
    for depth, part in enumerate(path):
        if isinstance(value, str) or (depth and value is None):
            path = path[:depth]
            break
        value = value[part] if _has(value, part) else {}
    return ".".join(map(str, path[:-1] if len(path) > 1 and path[-1] == "value" else path))


def _has(value: Any, part: str | int) -> bool:
    return (isinstance(value, dict) and part in value) or (
        isinstance(value, list) and isinstance(part, int) and part < len(value)
    )


def _place(attr: str | None, document: Document) -> str:
    return document.place(place_of(attr, document.value) if attr else ())


def print_refusal(result: dict[str, Any], documents: list[Document], words: str = "would be refused") -> None:
    """Print why a document is refused, where, and a mark below the mistake."""
    refused, document = result["refused"], documents[result["position"]]
    attr = refused["attr"]
    what = f"{_field(attr, document)}: " if attr else ""
    output.print_line(f"! {result['name'] or 'A destination without a name'} {words}", "red")
    output.print_line(f"    {_place(attr, document)}: {what}{refused['detail']}")
    if attr and attr.lower().endswith("authtoken"):
        output.print_line("    Give it as {from_env: NAME}, or set SMSPIPE_SECRET_AUTHTOKEN.")
    elif refused["hint"] and refused["hint"] not in refused["detail"]:
        output.print_line(f"    {refused['hint']}")
    source = _source(attr, document)
    if source is not None and refused["position"] is not None:
        _print_caret(source, refused["position"])


def _source(attr: str | None, document: Document) -> str | None:
    """Find the text that an error points into."""
    value: Any = document.value
    for part in place_of(attr, document.value) if attr else ():
        if not _has(value, part):
            break
        value = value[part]
    if isinstance(value, dict):
        value = value.get("value")
    return value if isinstance(value, str) else None


def _print_caret(source: str, position: int) -> None:
    """Show the line of a mistake, cut to what is around it, and a mark below."""
    begin = source.rfind("\n", 0, position) + 1
    end = source.find("\n", position)
    line, column = source[begin : len(source) if end < 0 else end], position - begin
    cut = max(0, column - 40)
    print(f"      {output.clean(line[cut : cut + 66])}")
    print(f"      {' ' * (column - cut)}^")


def print_warnings(result: dict[str, Any], document: Document | None) -> None:
    """Print the warnings of one destination, with their places where they stand in a file."""
    for each in result["warnings"]:
        place = "" if document is None else f" ({_place(each['field'], document)})"
        output.print_line(f"    {each['code']}{place}", "yellow")
        output.print_line(f"      {_field(each['field'], document)}: {each['saw']}")
        output.print_line(f"      {each['hint']}")


def print_rest(results: list[dict[str, Any]], *, prune: bool) -> None:
    """Print which destinations the file does not have."""
    kept = [each["name"] for each in results if each["action"] == "kept"]
    if kept and not prune:
        shown = ", ".join(kept[:5]) + (f" and {len(kept) - 5} more" if len(kept) > 5 else "")
        output.print_line(
            f"On the service but not in the file: {shown}. --prune would delete what is not there.", "dim"
        )


def print_sum(results: list[dict[str, Any]], file: str, *, prune: bool) -> None:
    """Print the last lines of a plan: what it was drawn from, and what to do next."""
    looked = [each["looked_at"] for each in results if each.get("looked_at")]
    if any(each["warnings"] for each in results):
        output.print_line(_say_looked(looked), "dim")
    if any(each["action"] == "refused" for each in results):
        output.print_line("Nothing would be applied, as not all of it would be taken.", "red")
    elif changing := count_changes(results):
        flag = " --prune" if prune else ""
        about = sum(each["position"] is not None or each["action"] == "delete" for each in results)
        output.print_line(f"{changing} of {about} would change. `smspipe destinations apply {file}{flag}` does it.")
    else:
        output.print_line("Nothing would change.")


def print_looked(results: list[dict[str, Any]]) -> None:
    """Print which events were looked at."""
    if results:
        output.print_line(_say_looked([each["looked_at"] for each in results]), "dim")
    else:
        output.print_line("There is no destination to look at.", "dim")


def _say_looked(looked: list[dict[str, Any]]) -> str:
    if not looked or not looked[0]["events"]:
        return "There are no events yet: only what a destination's own text shows is told."
    first = looked[0]
    return (
        f"Looked at the last {first['events']} events, {output.short_time(first['since'])} to"
        f" {output.utc_time(first['until'])}."
    )


def say_count(warnings: list[Any]) -> str:
    """Say how many warnings there are."""
    return "nothing to warn of" if not warnings else f"{len(warnings)} warning{'s'[: len(warnings) > 1]}"
