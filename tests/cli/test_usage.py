"""What every command has in common: help with an example, one sentence for an error, and its status."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from smspipe import __version__
from smspipe.cli import main, serve
from tests.cli.running import Ended, run_process

SURFACE = Path(__file__).with_name("commands.txt")


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group, with its words."""

    def walk(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield words, command
        for name, each in getattr(command, "commands", {}).items():
            yield from walk((*words, name), each)

    return walk((), typer.main.get_command(main.make_group()))


ALL = [words for words, _ in commands()]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...], smspipe: Callable[..., Ended]) -> None:
    ended = smspipe(*words, "--help")
    assert ended.status == 0
    assert "Example:" in ended.out
    assert f"Usage: {' '.join(('smspipe', *words))}" in ended.out


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_short_help_is_help(words: tuple[str, ...], smspipe: Callable[..., Ended]) -> None:
    assert smspipe(*words, "-h").out == smspipe(*words, "--help").out


def test_help_names_every_command(smspipe: Callable[..., Ended]) -> None:
    text = " ".join(smspipe("--help").out.split())
    for words in ALL:
        for word in words:
            assert word in text


def test_the_surface_of_the_command_line_is_as_recorded() -> None:
    """A change of it is a change for users: it belongs into the changelog, and then into the record."""
    lines = []
    for words, command in commands():
        options = [
            "/".join(param.opts) if param.param_type_name == "option" else param.name.upper()
            for param in command.params
        ]
        lines.append(" ".join(("smspipe", *words, *(f"[{option}]" for option in sorted(options)))))
    assert "\n".join(lines) + "\n" == SURFACE.read_text("utf-8")


def test_data_commands_print_json_when_asked() -> None:
    printing = {words for words, command in commands() if words and not hasattr(command, "commands")}
    with_json = {words for words, command in commands() if any("--json" in param.opts for param in command.params)}
    assert printing - with_json == {("serve",), ("demo",)}


def test_version(smspipe: Callable[..., Ended]) -> None:
    assert smspipe("--version") == Ended(0, f"smspipe {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["deliveries", "nonsense"], "No such command 'nonsense'"),
        (["deliveries", "list", "--nonsense"], "No such option: --nonsense"),
        (["deliveries", "list", "--limit", "many"], "--limit"),
        (["deliveries", "redrive", "--status", "delivered"], "Only failed and held texts"),
        (["deliveries", "redrive", "--status", "unconfirmed"], "With --force and --why they get one all the same."),
        (["deliveries", "redrive", "--status", "unconfirmed", "--force"], "Say with --why why"),
        (["deliveries", "redrive", "--force", "--why", "So."], "Name deliveries, or with --status one of failed"),
        (["explain"], "Give either an event's uuid, or --to"),
        (["explain", "uuid", "--to", "+15005550009"], "Give either an event's uuid, or --to"),
        (["serve", "--port", "99999"], "--port"),
        (["serve", "--port", "http"], "--port"),
        (["serve", "--sandbox", "more"], "unexpected extra argument"),
        (["destinations", "apply"], "FILE"),
        (["test", "name"], "--event"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2_and_one_line(words: list[str], said: str, smspipe: Callable[..., Ended]) -> None:
    ended = smspipe(*words)
    assert ended.status == 2
    assert ended.out == ""
    assert said.lower() in ended.err.lower()
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("words", [[], ["destinations"], ["deliveries"]], ids=" ".join)
def test_no_words_is_wrong_usage_and_shows_the_help(words: list[str], smspipe: Callable[..., Ended]) -> None:
    ended = smspipe(*words)
    assert (ended.status, ended.err) == (2, "")
    assert "Usage: smspipe" in ended.out


@pytest.mark.parametrize(
    "words",
    [["deliveries", "list"], ["destinations", "list"], ["explain", "uuid"], ["doctor"]],
    ids=" ".join,
)
def test_a_folder_without_an_installation_is_a_failure_that_says_what_to_do(
    words: list[str], smspipe: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = smspipe(*words, "--data", tmp_path / "nothing")
    assert ended.status == 1
    assert "smspipe serve" in ended.out + ended.err
    assert not (tmp_path / "nothing").exists()


def test_a_service_that_does_not_answer_is_a_failure_that_says_what_to_do(
    smspipe: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSPIPE_API_KEY", "phx_key")
    ended = smspipe("destinations", "list", "--url", "http://127.0.0.1:1")
    assert ended.status == 1
    assert "No service answers at http://127.0.0.1:1" in ended.err
    assert "smspipe serve" in ended.err


def test_an_address_that_is_none_is_refused(smspipe: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMSPIPE_API_KEY", "phx_key")
    ended = smspipe("destinations", "list", "--url", "here")
    assert ended.status == 1
    assert "http://127.0.0.1:8000" in ended.err


def test_a_setting_that_there_is_not_is_named_with_the_nearest(smspipe: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "smspipe.toml").write_text('[service]\npublic_ur = "https://x"\n')
    ended = smspipe("deliveries", "list")
    assert ended.status == 1
    assert "public_url" in ended.err


@given(
    st.lists(
        st.sampled_from(
            ["--host", "--port", "--data", "--sandbox", "--port=8001", "--data=x", "--host=::1", "0", "70000", "here",
             "--help", "-x", "", "-5", "--port="]
        ),
        max_size=5,
    )
)  # fmt: skip
def test_what_serve_reads_by_hand_the_parser_reads_as_well(words: list[str]) -> None:
    by_hand = serve.read(words)
    if by_hand is None:
        return
    command = typer.main.get_command(main.make_group())
    context = command.commands["serve"].make_context("serve", list(words))  # type: ignore[attr-defined]  # it is a group
    given_data = context.params["data"]
    assert by_hand == serve.Options(
        host=context.params["host"],
        port=context.params["port"],
        data=None if given_data is None else str(given_data),
        sandbox=context.params["sandbox"],
    )


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--port"], ["--port", "99999"], ["--port", "http"], ["--bogus"], ["x"], ["--data", "--sandbox"]],
    ids=" ".join,
)
def test_help_and_mistakes_of_serve_are_the_parsers(words: list[str]) -> None:
    assert serve.read(words) is None


@pytest.mark.slow
def test_serve_does_without_the_parser(tmp_path: Path) -> None:
    """It would cost the service ten megabytes."""
    import subprocess
    import sys

    program = (
        "import sys; from smspipe.cli import main, serve; "
        "serve.run = lambda options: print('typer' in sys.modules, 'rich' in sys.modules) or 0; "
        "sys.exit(main.main(['serve', '--port', '0', '--sandbox']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.slow
def test_a_reader_who_has_enough_ends_the_command_quietly(tmp_path: Path) -> None:
    import subprocess
    import sys

    with subprocess.Popen(
        [sys.executable, "-m", "smspipe", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_the_module_is_the_command(tmp_path: Path) -> None:
    assert run_process("--version", cwd=tmp_path) == Ended(0, f"smspipe {__version__}\n", "")
    assert run_process("nonsense", cwd=tmp_path).status == 2
