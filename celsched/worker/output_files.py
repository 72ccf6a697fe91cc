"""Owns the files into which a slot's body writes: records of its own process, and raw standard output and error.

It never interprets their content. They lie in a folder of the worker's own, closed to others, and outlive the child.
"""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

_KINDS = ("rec", "out", "err")


def make_folder() -> Path:
    """Make the folder of one worker, mode 0700."""
    return Path(tempfile.mkdtemp(prefix="celsched-worker-"))


@dataclass(frozen=True, slots=True)
class OutputFiles:
    """The three files of one slot, or of a claim that has been set aside.

    Plain files and not pipes: a body that fills a pipe while it holds the interpreter would wait for ever, and what a
    dead body wrote must still be there.
    """

    records: Path
    stdout: Path
    stderr: Path

    def begin(self) -> None:
        """Empty them."""
        for path in (self.records, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600))

    def set_aside(self, folder: Path, token: str) -> "OutputFiles":
        """Rename them, so that a new child of the slot makes its own; return where they are now."""
        aside = OutputFiles(*(folder / f"ended-{token}.{kind}" for kind in _KINDS))
        pairs = ((self.records, aside.records), (self.stdout, aside.stdout), (self.stderr, aside.stderr))
        for source, target in pairs:
            with contextlib.suppress(OSError):
                source.rename(target)
        return aside

    def remove(self) -> None:
        """Delete them."""
        for path in (self.records, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def files_of(folder: Path, index: int) -> OutputFiles:
    """Return the files of a slot."""
    return OutputFiles(*(folder / f"slot-{index}.{kind}" for kind in _KINDS))


def read_from(path: Path, offset: int, most: int) -> bytes:
    """Return at most `most` bytes from `offset`; nothing where the file is shorter or gone."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(most) or b""
    except OSError:
        return b""


def empty_if_large(path: Path, limit: int) -> bool:
    """Empty a file beyond `limit` bytes, so that a chatty program cannot fill the disk; return whether it was."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > limit:
            os.truncate(path, 0)
            return True
    return False
