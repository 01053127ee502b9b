"""A disk of a few MiB that a test can fill to the last byte, for root and for ordinary users alike."""

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

_MOUNT: Final = 'mount -t tmpfs -o size="$1"m,mode=700 tmpfs "$2" && echo mounted && exec cat'
"""Mount, say so, and keep the namespace alive until standard input ends, with the test at the latest."""


class SmallDisk:
    """
    A tmpfs in a mount namespace of its own: only those who are started `within` see it at `folder`.

    `seen_at` is where this process sees the same folder.
    """

    def __init__(self, folder: Path, holder: int) -> None:
        self.folder = folder
        self.within = ["nsenter", f"--target={holder}", "--user", "--mount", "--preserve-credentials", "--"]
        self.seen_at = Path(f"/proc/{holder}/root") / folder.relative_to("/")

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Take all space but for `leave_bytes`."""
        with (self.seen_at / "filler").open("ab", buffering=0) as filler:
            for size in (65536, 4096):
                while self._write(filler, bytes(size)):
                    pass
            filler.truncate(filler.tell() - leave_bytes)

    def _write(self, file: FileIO, data: bytes) -> bool:
        """Write; False when there was no space for all of it."""
        try:
            return file.write(data) == len(data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False

    def empty(self) -> None:
        """Give the space back."""
        (self.seen_at / "filler").unlink()


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """
    Make one; it is gone when the block, and everyone who uses it, has ended.

    Raises:
        AssertionError: this machine allows no namespaces; the message says what would help.
    """
    folder.mkdir()
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh", str(mebibytes), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stderr is not None
        try:
            said = holder.stdout.readline()
            assert said == b"mounted\n", (
                f"No small disk for the tests: {holder.stderr.read().decode().strip()}. They need `unshare` and"
                " `nsenter` (Debian: util-linux), and a kernel that gives users namespaces:"
                " user.max_user_namespaces above 0, and in a container `--security-opt seccomp=unconfined`."
            )
            yield SmallDisk(folder, holder.pid)
        finally:
            holder.stdin.close()
