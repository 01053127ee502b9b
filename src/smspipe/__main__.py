"""`python -m smspipe` is `smspipe`."""

from smspipe.cli.main import run

run()
