"""Values that a document only refers to: read from the environment or a file, here and not by the service."""

from pathlib import Path
from typing import Any, Final

import msgspec

from smspipe import config
from smspipe.cli.files import Document, KeyPath
from smspipe.model.errors import Invalid

_STAND_INS: Final = dict.fromkeys(("sid", "accountSid"), "AC" + "0" * 32) | dict.fromkeys(
    ("from", "fromPhoneNumber", "from_number"), "+15005550006"
)
_WITH_VALUES: Final = ("inputs", "account", "from", "to", "message")


def resolve(documents: list[Document]) -> list[Document]:
    """
    Put in what documents only refer to: `{from_env: NAME}` and `{from_file: PATH}` (beside the document's own file).

    Raises:
        Invalid: a variable is not set, or a file cannot be read; every such place is named, and no value.
    """
    wrong: list[str] = []
    resolved = []
    for document in documents:
        value = dict(document.value)
        for key in _WITH_VALUES:
            if key in value:
                value[key] = _resolve(document, value[key], (key,), wrong)
        resolved.append(msgspec.structs.replace(document, value=value))
    if wrong:
        raise Invalid(" ".join(wrong) + " Nothing was changed.")
    return resolved


def stand_in(documents: list[Document]) -> list[Document]:
    """Put something in the place of what documents only refer to: for who looks, and sends nothing."""

    def part(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            if value.keys() in ({"from_env"}, {"from_file"}):
                return _STAND_INS.get(key, "stand-in")
            return {name: part(each, key if name == "value" else name) for name, each in value.items()}
        return value

    def whole(value: dict[str, Any]) -> dict[str, Any]:
        changed = {key: part(value[key], key) if key in _WITH_VALUES else value[key] for key in value}
        if isinstance(changed.get("inputs"), dict):
            changed["inputs"] = {
                key: each if isinstance(each, dict) else {"value": each} for key, each in changed["inputs"].items()
            }
        return changed

    return [msgspec.structs.replace(each, value=whole(each.value)) for each in documents]


def _resolve(document: Document, value: Any, path: KeyPath, wrong: list[str]) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"from_env"} and isinstance(value["from_env"], str):
        found = config.variable(value["from_env"])
        if found is None:
            wrong.append(f"{document.place(path)}: the environment has no {value['from_env']}.")
        return _as_input(path, found)
    if value.keys() == {"from_file"} and isinstance(value["from_file"], str):
        return _as_input(path, _read_secret(document, value["from_file"], path, wrong))
    return {key: _resolve(document, part, (*path, key), wrong) for key, part in value.items()}


def _as_input(path: KeyPath, value: str | None) -> Any:
    """Make an input of a value that stands in the place of one."""
    return {"value": value} if path[0] == "inputs" and len(path) == 2 else value


def _read_secret(document: Document, name: str, path: KeyPath, wrong: list[str]) -> str | None:
    folder = Path() if document.file == "standard input" else Path(document.file).parent
    try:
        return (folder / name).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        wrong.append(f"{document.place(path)}: {name} cannot be read: {reason}.")
        return None
