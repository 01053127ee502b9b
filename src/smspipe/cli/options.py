"""Options that many commands share, each described once."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        show_default=False,
        help="Folder of the installation. Left out: SMSPIPE_DATA, else ./smspipe-data.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        show_default=False,
        help="Address of a running service. Left out: the one that serves the folder, else the folder itself.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


class Misused(typer.TyperException):
    """The command's words do not fit together; the message says what would."""

    exit_code = 2


def example(*lines: str) -> str:
    """Write the examples at the end of a command's help."""
    return "Example:  " + "   or   ".join(lines)
