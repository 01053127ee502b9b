"""
The command group, and what every command has in common: how it ends.

Status 0 is success, 1 failure, 2 wrong usage. Whatever goes wrong ends as one sentence on standard error that says
what to do next; a traceback is for faults of ours alone.
"""

import os
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from smspipe.model.errors import Fault, Invalid

if TYPE_CHECKING:
    import typer

INTERRUPTED = 130
_HELP = ["-h", "--help"]


def run() -> NoReturn:
    """Run the command that the process was started with, and end the process."""
    sys.exit(main(sys.argv[1:]))


def main(words: list[str]) -> int:
    """Run a command; give its exit status."""
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except Fault as fault:
        from smspipe.cli.output import print_error

        print_error(_sentence(fault))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. What is buffered must not fail a second time at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["serve"]:
        from smspipe.cli import serve

        options = serve.read(words[1:])
        if options is not None:
            return serve.run(options)
    return _run_group(words)


def _run_group(words: list[str]) -> int:
    import typer

    from smspipe.cli.output import print_error

    try:
        command = _quiet(typer.main.get_command(make_group()))
        status = command.main(words, prog_name="smspipe", standalone_mode=False)
    except typer.TyperException as error:
        if said := _usage(error):
            print_error(said)
        return error.exit_code
    except typer.Abort:
        print_error("Nothing was done.")
        return 1
    return status if isinstance(status, int) else 0


def _sentence(fault: Fault) -> str:
    """Write a fault with its hint, unless the message has it already, and the line that it is about."""
    hint = fault.hint if isinstance(fault, Invalid) else None
    said = str(fault)
    if not said.endswith((".", "!", "?")):
        said += "."
    if hint is not None and hint not in said:
        said += f" {hint}"
    excerpt = fault.excerpt if isinstance(fault, Invalid) else None
    return said if excerpt is None else f"{said}\n{textwrap.indent(excerpt, '    ')}"


def _usage(error: "typer.TyperException") -> str:
    """Say what is wrong with the words of a command, and where its usage stands; nothing where the help was printed."""
    context = getattr(error, "ctx", None)
    said = error.format_message()
    if not said:
        return ""
    said = said if said.endswith((".", "?", ")")) else said + "."
    return said if context is None else f"{said} See `{context.command_path} --help`."


def _quiet(command: Any) -> Any:
    """Leave `<bool>` out of the help of flags: they take no value."""
    import typer

    for option in (*command.params, command.get_help_option(typer.Context(command, help_option_names=_HELP))):
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    for each in getattr(command, "commands", {}).values():
        _quiet(each)
    return command


def _version(wanted: bool) -> None:
    if wanted:
        import typer

        from smspipe import __version__

        print(f"smspipe {__version__}")
        raise typer.Exit


def make_group() -> "typer.Typer":
    """Build the command group; importing the parser waits until here, see `serve`."""
    import typer

    from smspipe.cli import (
        budget,
        deliveries,
        demo,
        destinations,
        doctor,
        erase,
        explain,
        forecast,
        halting,
        optouts,
        scenario,
        trial,
    )
    from smspipe.cli.options import Data, example

    group = typer.Typer(
        name="smspipe",
        help="Analytics events in, text messages out: each once, and with a reason for every text that was not sent.",
        epilog=example("smspipe demo", "smspipe serve --sandbox"),
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": _HELP},
        pretty_exceptions_enable=False,
    )

    @group.callback()
    def common(
        version: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
        ] = False,
    ) -> None:
        pass

    @group.command(epilog=example("smspipe serve --port 8000 --data ./smspipe-data --sandbox"))
    def serve(
        host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen at.")] = "127.0.0.1",
        port: Annotated[
            int, typer.Option(metavar="PORT", min=0, max=65_535, help="Port to listen at; 0 for any free one.")
        ] = 8000,
        data: Data = None,
        sandbox: Annotated[
            bool, typer.Option("--sandbox", help="Serve a Twilio for development, and send to that.")
        ] = False,
    ) -> int:
        """Run the service: capture, API, web page, pipeline and sender in one process."""
        from smspipe.cli import serve as command

        return command.run(
            command.Options(host=host, port=port, data=None if data is None else str(data), sandbox=sandbox)
        )

    demo.add_to(group)
    trial.add_to(group)
    explain.add_to(group)
    halting.add_to(group)
    erase.add_to(group)
    budget.add_to(group)
    forecast.add_to(group)
    scenario.add_to(group)
    doctor.add_to(group)
    group.add_typer(destinations.make_group(), name="destinations")
    group.add_typer(deliveries.make_group(), name="deliveries")
    group.add_typer(optouts.make_group(), name="optouts")
    return group
