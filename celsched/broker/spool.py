"""Owns the files of the embedded broker: one folder per queue, one file per message.

It never knows what a message means, and nothing found in the folders ends it: what cannot be read is set aside.
"""

import contextlib
import hashlib
import itertools
import logging
import os
import stat
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote
from uuid import uuid4

from celsched.broker.folders import make_private
from celsched.clock import Clock

T = TypeVar("T")

logger = logging.getLogger(__name__)

_SUFFIX = ".msg"
_QUARANTINE_LIMIT = 100
_LARGEST_MESSAGE = 16 * 2**20
_LONGEST_READABLE_NAME = 200  # of the 255 bytes that file systems allow


class Spool:
    """Queues of messages in `folder`, which several processes may use at once; one object serves one thread.

    A message becomes visible whole (written aside, then renamed) and is taken by whoever removes its file: the
    operating system lets exactly one succeed. Files are named by wall clock, so they sort by age after a reboot too.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._numbers = itertools.count()
        self._listed: dict[str, deque[str]] = {}
        self._ignored: set[str] = set()

    def put(self, queue: str, payload: bytes) -> None:
        """Add a message at the end of `queue`; folders that are missing are made.

        Raises:
            OSError: the file system refuses.
        """
        folder = self._folder_of(queue)
        name = f"{self._stamp()}-{next(self._numbers):06d}-{uuid4().hex}"
        try:
            _write(folder, name, payload)
        except FileNotFoundError:
            self.declare(queue)
            _write(folder, name, payload)

    def take(self, queue: str, parse: Callable[[bytes], T]) -> T | None:
        """Take the oldest message of `queue` that `parse` accepts, or None; the others are set aside.

        `parse` raises ValueError for what is no message. Messages that another process takes first are passed over.

        Raises:
            OSError: the folder cannot be listed.
        """
        names = self._listed.setdefault(queue, deque())
        if not names:
            names.extend(self._names(queue))
        while names:
            path = self._folder_of(queue) / names.popleft()
            try:
                message = parse(_read(path))
                path.unlink()
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                self._set_aside(path, error)
            else:
                return message
        return None

    def declare(self, queue: str) -> None:
        """Make the folder of `queue`, closed to other users, if it is not there."""
        make_private(self._folder_of(queue))

    def exists(self, queue: str) -> bool:
        """Whether `queue` has a folder."""
        return self._folder_of(queue).is_dir()

    def size(self, queue: str) -> int:
        """Return the number of messages waiting in `queue`."""
        return len(self._names(queue))

    def purge(self, queue: str) -> int:
        """Remove all messages of `queue` and return how many this call removed."""
        removed = 0
        for name in self._names(queue):
            with contextlib.suppress(OSError):
                (self._folder_of(queue) / name).unlink()
                removed += 1
        return removed

    def _names(self, queue: str) -> list[str]:
        try:
            with os.scandir(self._folder_of(queue)) as entries:
                found = [entry for entry in entries if entry.name.endswith(_SUFFIX)]
        except FileNotFoundError:
            self.declare(queue)  # removed while we run: made again, so that a person sees where messages go
            return []
        strange = {entry.path for entry in found if not entry.is_file(follow_symlinks=False)}
        for path in strange:
            self._ignore(path, "not a plain file")
        return sorted(entry.name for entry in found if entry.path not in self._ignored)

    def _folder_of(self, queue: str) -> Path:
        return self._folder / "queues" / _safe_name(queue)

    def _stamp(self) -> str:
        return f"{int(self._clock.now().timestamp() * 1_000_000):020d}"

    def _set_aside(self, path: Path, reason: Exception) -> None:
        quarantine = self._folder / "quarantine"
        target = quarantine / f"{self._stamp()}-{path.name[-200:]}"
        try:
            make_private(quarantine)
            path.rename(target)
            logger.warning("%s is no message of ours (%s); moved to %s", path, reason, target)
            self._trim(quarantine)
        except FileNotFoundError:
            return  # another process was faster
        except OSError as error:
            self._ignore(str(path), error)

    def _trim(self, quarantine: Path) -> None:
        kept = sorted(quarantine.iterdir())
        for path in kept[:-_QUARANTINE_LIMIT]:
            path.unlink(missing_ok=True)

    def _ignore(self, path: str, reason: object) -> None:
        if path not in self._ignored:
            self._ignored.add(path)
            logger.warning("%s is left alone: %s", path, reason)


def _safe_name(queue: str) -> str:
    """Return a folder name for any queue name: readable where it fits, else a digest; the prefixes keep both apart."""
    readable = quote(queue, safe="")
    if len(readable) <= _LONGEST_READABLE_NAME:
        return f"q-{readable}"  # the prefix also disarms the names "", "." and ".."
    return f"h-{hashlib.sha256(queue.encode()).hexdigest()}"


def _write(folder: Path, name: str, payload: bytes) -> None:
    # Not flushed to the disk on purpose: a message lost in a power cut is sent again from the store.
    aside = folder / f".{name}.tmp"
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(payload)
        aside.replace(folder / f"{name}{_SUFFIX}")
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


def _read(path: Path) -> bytes:
    # Without O_NONBLOCK a pipe planted under a message's name would block the worker for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("not a plain file")
        if found.st_size > _LARGEST_MESSAGE:
            raise ValueError(f"larger than {_LARGEST_MESSAGE} bytes")
        return file.read()
