"""Owns a disk of a few megabytes for a test, which it fills and empties. It never touches what others wrote on it."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class SmallDisk:
    """A file system in memory, mounted on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take all the room that is left."""
        descriptor = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for size in (1 << 20, 1 << 12, 1):
                with suppress_no_room():
                    while True:
                        os.write(descriptor, bytes(size))
        finally:
            os.close(descriptor)

    def make_room(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def suppress_no_room() -> Iterator[None]:
    """Let the block end where the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one on a folder, which is made; at the end it goes with all that is on it."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", folder], capture_output=True, text=True
    )
    assert done.returncode == 0, f"a small disk cannot be mounted here: {done.stderr}"
    try:
        yield SmallDisk(folder)
    finally:
        with suppress(FileNotFoundError):
            subprocess.run(["umount", "--lazy", folder], check=True)
