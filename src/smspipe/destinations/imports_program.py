"""Take over what a destination's Hog program does, or name what of it is not understood."""

import re
from collections.abc import Iterable, Mapping

from smspipe.destinations import templates
from smspipe.destinations.document import is_own_code
from smspipe.destinations.imports_request import DATE, FIRST, Family, Path
from smspipe.destinations.imports_taken import Options, Taken
from smspipe.destinations.imports_walk import Program, read_request


def texted_inputs(inputs: Iterable[str]) -> tuple[str, str]:
    """Name the inputs that hold the recipient and the text."""
    return ("to_number", "message") if set(inputs) & {"to_number", "twilio_account", "message"} else (
        "phoneNumber", "smsBody"
    )  # fmt: skip


def take_code(taken: Taken, options: Options) -> None:
    """Take over what the program does; the program itself is replaced by the one that says the same here."""
    body = taken.body
    assert body is not None  # noqa: S101 (only called with one)
    code = body.get("hog")
    if body["template_id"] == templates.COOLDOWN or is_own_code({"hog": code}):
        return
    first = texted_inputs(body["inputs"]) == (FIRST.to, FIRST.body)
    if not isinstance(code, str) or not code.strip():
        body["hog"] = templates.CREDENTIAL_CODE if first else templates.INTEGRATION_CODE
        if first:
            taken.changed.append(
                "The export holds no Hog source, so it cannot be seen whether PostHog added the event's name and date"
                " to each text: the text is taken as it stands."
            )
        return
    program = read_request(code)
    if program.family is not None and program.family.to not in body["inputs"]:
        taken.leave(f"Its Hog source sends to the input {program.family.to!r}, which it does not have.")
        return
    if program.strange:
        _tell_strange(taken, program, options)
    else:
        taken.taken_over.append("What its Hog source does: smspipe makes the same request, once.")
        body["hog"] = templates.CREDENTIAL_CODE if program.family == FIRST else templates.INTEGRATION_CODE
    if taken.body is not None and program.family is not None and (program.before or program.after):
        _take_added(taken, program, program.family, options)


def _tell_strange(taken: Taken, program: Program, options: Options) -> None:
    lines = [f"line {each.line}, `{each.text}`: {each.why}" if each.line else each.why for each in program.strange[:10]]
    more = len(program.strange) - len(lines)
    told = "; ".join(lines) + (f"; and {more} more" if more > 0 else "")
    if not options.ignore_code:
        taken.leave(
            f"Its Hog source was edited, and is more than PostHog's own: {told}. Nothing is run half: put into the"
            " filter and the text what it does, and import it with --ignore-code, which leaves the source out."
        )
        return
    taken.changed.append(
        f"Its Hog source was edited; it is kept to be read, and not run, as you asked. Left out: {told}."
    )


def _take_added(taken: Taken, program: Program, family: Family, options: Options) -> None:
    """Write into the template what the program added to each text."""
    assert taken.body is not None  # noqa: S101 (only called with one)
    entry = taken.body["inputs"].get(family.body)
    if not options.suffix:
        taken.changed.append(f"{_what_is_added(program)}; it is left out here.")
        return
    if not isinstance(entry, Mapping):
        items = {item["key"]: item for item in templates.CREDENTIAL_INPUTS}
        entry = {"value": items.get(family.body, {}).get("default", "")}
    schema = taken.body.get("inputs_schema")
    by_schema = next(
        (
            item.get("templating")
            for item in (schema if isinstance(schema, list) else ())
            if isinstance(item, dict) and item.get("key") == family.body
        ),
        None,
    )
    write = _in_liquid if (by_schema or entry.get("templating")) == "liquid" else _in_hog
    value = "".join((*map(write, program.before), str(entry.get("value") or ""), *map(write, program.after)))
    taken.body["inputs"][family.body] = {**entry, "value": value}
    taken.changed.append(
        f"{_what_is_added(program)}; it now stands in the template itself, so that texts stay the same. Import with"
        " --without-suffix to leave it out."
    )


def _what_is_added(program: Program) -> str:
    if not program.before and ("event", "event") in program.after and DATE in program.after:
        return "PostHog's program adds the event's name and date to each text"
    return "Its program adds something to each text"


def _in_hog(piece: str | Path) -> str:
    if isinstance(piece, str):
        return piece.replace("\\", "\\\\").replace("{", "\\{")
    return "{toDate(event.timestamp)}" if piece == DATE else "{" + _chain(piece) + "}"


def _in_liquid(piece: str | Path) -> str:
    if isinstance(piece, str):
        return f"{{% raw %}}{piece}{{% endraw %}}" if "{" in piece else piece
    # The program prints without escaping.
    return "{{ event.timestamp | date: '%Y-%m-%d' }}" if piece == DATE else f"{{{{ {_chain(piece)} | raw }}}}"


def _chain(path: Path) -> str:
    """Write names as both languages read them."""
    steps = [f".{name}" if re.fullmatch(r"[A-Za-z_]\w*", name) else f"['{name}']" for name in path[1:]]
    return path[0] + "".join(steps)
