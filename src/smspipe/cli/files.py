"""
Destinations in files: YAML, TOML and JSON, read with the line of each part, and written.

YAML is read by its 1.2 core rules, which people expect: `no` and `on` are text, and so is +15005550006.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from smspipe.model.errors import Invalid

if TYPE_CHECKING:
    import yaml

SUFFIXES: Final = (".yaml", ".yml", ".toml", ".json")
_MOST_NODES: Final = 200_000
"""Values in a file. Aliases of aliases could make a small file endless."""
_MOST_DEPTH: Final = 100
_TAG: Final = "tag:yaml.org,2002:"
_KINDS: Final = ("map", "seq", "str", "null", "bool", "int", "float")
KeyPath = tuple[str | int, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One destination as it stands in a file."""

    value: dict[str, Any]
    file: str
    lines: Mapping[KeyPath, int] = {}
    """The line, from 1, of each part whose place is known; () is the whole."""

    def line_of(self, path: KeyPath) -> int | None:
        """Give the line of a part, or of the nearest one around it; None where the format tells no lines."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def place(self, path: KeyPath = ()) -> str:
        """Write where a part stands: `texts.yaml:12`."""
        line = self.line_of(path)
        return self.file if line is None else f"{self.file}:{line}"


def read_files(path: str) -> list[Document]:
    """
    Read the destinations of a file, of all files in a folder, or (`-`) of standard input.

    A file holds one destination, a list of them, or such a list under `destinations` or `results`; YAML may hold
    several documents.

    Raises:
        Invalid: a file cannot be read or understood, or holds something else; the message begins with file and line.
    """
    if path != "-" and Path(path).is_dir():
        files = sorted(each for each in Path(path).rglob("*") if each.suffix in SUFFIXES and each.is_file())
        files = [each for each in files if not any(part.startswith(".") for part in each.relative_to(path).parts)]
        if not files:
            raise Invalid(f"{path} holds no file whose name ends in {', '.join(SUFFIXES)}.")
        return [document for each in files for document in _read_file(str(each))]
    return _read_file(path)


def read_values(path: str) -> list[Document]:
    """As `read_files`, of files that hold something else than destinations: each value as it stands."""
    files = [path]
    if path != "-" and Path(path).is_dir():
        files = [str(each) for each in sorted(Path(path).rglob("*")) if each.suffix in SUFFIXES and each.is_file()]
    return [_document(*given) for each in files for given in _values(each)]


def _read_file(path: str) -> list[Document]:
    found = [document for name, value, lines in _values(path) for document in _split(name, value, lines)]
    if not found:
        raise Invalid(f"{_name_of(path)} holds no destination.")
    return found


def _name_of(path: str) -> str:
    return "standard input" if path == "-" else path


def _values(path: str) -> Iterator[tuple[str, Any, dict[KeyPath, int]]]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is no text in UTF-8.") from error
    name = _name_of(path)
    for value, lines in _parse(name, text):
        yield name, value, lines


def _parse(name: str, text: str) -> list[tuple[Any, dict[KeyPath, int]]]:
    if name.endswith(".toml"):
        try:
            return [(tomllib.loads(text), {})]
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"\(at line (\d+), column \d+\)", str(error))
            said = str(error).partition(" (at ")[0]
            raise Invalid(f"{name}:{line[1]} is no TOML: {said}." if line else f"{name} is no TOML: {said}.") from error
    if name.endswith(".json") or text.lstrip()[:1] in ("{", "["):
        try:
            return [(json.loads(text), {})]
        except ValueError as error:
            if not name.endswith((".yaml", ".yml")):  # YAML may begin with a brace as well
                place = f"{name}:{error.lineno}" if isinstance(error, json.JSONDecodeError) else name
                said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                raise Invalid(f"{place} is no JSON: {said}.") from error
        except RecursionError as error:
            raise Invalid(f"{name} is nested too deeply.") from error
    return list(_parse_yaml(name, text))


def _split(name: str, value: Any, lines: dict[KeyPath, int]) -> Iterator[Document]:
    """Give the destinations of what was parsed."""
    before: KeyPath = ()
    for key in ("destinations", "results"):
        if isinstance(value, dict) and isinstance(value.get(key), list):
            value, before = value[key], (key,)
            break
    if isinstance(value, list):
        for place, each in enumerate(value):
            here = (*before, place)
            inner = {path[len(here) :]: line for path, line in lines.items() if path[: len(here)] == here}
            yield _document(name, each, inner)
    else:
        yield _document(name, value, lines)


def _document(name: str, value: Any, lines: dict[KeyPath, int]) -> Document:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        where = f"{name}:{lines[()]}" if () in lines else name
        raise Invalid(f"{where} holds no destination: it must be an object with a name.")
    return Document(value=value, file=name, lines=lines)


# ---- YAML ------------------------------------------------------------------------------------------------------------


def _parse_yaml(name: str, text: str) -> Iterator[tuple[Any, dict[KeyPath, int]]]:
    import yaml

    try:
        nodes = list(yaml.compose_all(text, _loader()))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(filter(None, (error.context, error.problem)))
        hint = ' A tab cannot indent, and a text with ": " or a brace at its beginning needs quotes.'
        raise Invalid(f"{name}:{mark.line + 1 if mark else 1} is no YAML: {said}.{hint}") from error
    except yaml.YAMLError as error:
        raise Invalid(f"{name} is no YAML: it holds a character that YAML has not.") from error
    except RecursionError as error:
        raise Invalid(f"{name} is nested too deeply.") from error
    for node in nodes:
        lines: dict[KeyPath, int] = {}
        value = _Builder(name, lines).build(node, ())
        if value is not None:  # an empty document stands between two marks
            yield value, lines


def _loader() -> "type[yaml.SafeLoader]":
    """Make the loader: PyYAML's safe one, with the plain words of YAML 1.2 and no others."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads words by YAML 1.2."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own way to say it)

    for tag, pattern, first in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
        ("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
        ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ):
        Loader.add_implicit_resolver(_TAG + tag, re.compile(pattern), list(first))
    return Loader


class _Builder:
    """Makes values of nodes, and notes the line of each."""

    def __init__(self, name: str, lines: dict[KeyPath, int]) -> None:
        self._name = name
        self._lines = lines
        self._count = 0

    def build(self, node: Any, path: KeyPath) -> Any:
        """Make the value of a node, which lies at `path`."""
        import yaml

        self._count += 1
        line = node.start_mark.line + 1
        if self._count > _MOST_NODES or len(path) > _MOST_DEPTH:
            raise Invalid(f"{self._name}:{line} holds too much: an alias may repeat itself.")
        self._lines.setdefault(path, line)
        if not node.tag.startswith(_TAG) or (kind := node.tag.removeprefix(_TAG)) not in _KINDS:
            raise Invalid(f"{self._name}:{line} has the tag {node.tag}, which means nothing here.")
        if isinstance(node, yaml.SequenceNode):
            return [self.build(each, (*path, place)) for place, each in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        try:
            return _scalar(kind, node.value)
        except ValueError as error:
            raise Invalid(f"{self._name}:{line} is no YAML: this is no {kind}.") from error

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = str(key_node.value)
            if key in made:
                raise Invalid(f"{self._name}:{line} gives {key!r} a second time.")
            self._lines[(*path, key)] = line
            made[key] = self.build(value_node, (*path, key))
        return made


def _scalar(kind: str, text: str) -> Any:
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text)
        case "float":
            return float(text)
        case _:
            return text


# ---- writing ---------------------------------------------------------------------------------------------------------


def write_documents(documents: list[dict[str, Any]], form: str) -> str:
    """
    Write documents: `yaml` (one after the other), `toml` (under `destinations`) or `json` (a list).

    Raises:
        Invalid: TOML has no null, and there is one in a list.
    """
    match form:
        case "yaml":
            return "---\n".join(write_yaml(each) for each in documents)
        case "toml":
            import tomli_w

            return tomli_w.dumps({"destinations": [_without_null(each) for each in documents]})
        case _:
            return json.dumps(documents, indent=2, ensure_ascii=False) + "\n"


def write_yaml(value: Any) -> str:
    """Write YAML that every version of it reads the same: what one of them would take for no text is in quotes."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes lines as lines, and no aliases."""

        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, given: str) -> yaml.ScalarNode:
        style = "|" if "\n" in given else '"' if given[:1] in "+{" else None
        return dumper.represent_scalar(_TAG + "str", given, style=style)

    Dumper.add_representer(str, text)
    written: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return written.removesuffix("...\n")


def _without_null(value: Any) -> Any:
    """Leave out keys that are null: in TOML that is the only way to say it."""
    if isinstance(value, dict):
        return {key: _without_null(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        if any(part is None for part in value):
            raise Invalid("TOML has no null, and a list holds one. Export it as yaml or json.")
        return [_without_null(part) for part in value]
    return value
