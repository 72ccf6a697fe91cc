"""Owns the files into which a slot's body writes: records of its own process, and raw standard output and error.

It never interprets their content. They lie in a folder of the worker's own, closed to others, and outlive the child.
"""

import contextlib
import ctypes
import errno
import logging
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

logger = logging.getLogger("celsched.worker")

_KINDS = ("rec", "out", "err")
_PREFIX = "celsched-worker-"
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
_RESERVE = 64 * 1024
"""Bytes: what programs may write although the disk fills up meanwhile."""


def make_folder() -> Path:
    """Make the folder of one worker, mode 0700; where none can be made now, bodies try again, each at its begin."""
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        folder = Path("/tmp", f"{_PREFIX}{uuid4().hex}")  # a name that nobody can know before
        logger.warning("the output of executions is not kept until %s can be made: %s", folder, error)
        return folder


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
        """Empty them; a folder that was cleaned away is made again.

        Raises:
            OSError: they cannot be written. What lies there may be another body's output.
        """
        _have_own(self.records.parent)
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


def open_for_output(path: Path, *, reserve: bool = False) -> int:
    """Return a descriptor that appends to a file; with `reserve` there is room for a while, even if the disk fills up.

    A program that cannot write its output fails, and with it the task.

    Raises:
        OSError: it cannot be written, or there is no room.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if reserve and _no_room(descriptor):
        os.close(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return descriptor


def open_nothing() -> int:
    """Return a descriptor that takes everything and keeps nothing."""
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _no_room(descriptor: int) -> bool:
    # Not os.posix_fallocate: that makes the file longer, and readers would take the zeros for output.
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.fallocate(descriptor, _KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(_RESERVE))
    return bool(failed) and ctypes.get_errno() == errno.ENOSPC  # others: a file system that cannot reserve


def _have_own(folder: Path) -> None:
    """Make the folder where it is missing; refuse one that another user has put in its place."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "it is not our folder, closed to others", str(folder))


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
