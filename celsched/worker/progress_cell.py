"""Owns how progress lies in shared memory: written without a lock by one process, read whole by another.

It never blocks the writer; a reader that meets a write in progress gets nothing and looks again later.
"""

import math
import mmap
import struct

from celsched.context import Progress

CELL_SIZE = 768
_HEAD = struct.Struct("<IIdd")
_ROOM = CELL_SIZE - _HEAD.size
_VERSION = struct.Struct("<I")


def reset_progress(memory: mmap.mmap, at: int) -> None:
    """Empty the cell."""
    _HEAD.pack_into(memory, at, 0, 0, math.nan, math.nan)


def write_progress(memory: mmap.mmap, at: int, progress: Progress) -> None:
    """Put the newest progress in; the version is odd meanwhile."""
    message = (progress.message or "").encode("utf-8", "replace")[:_ROOM]
    length = len(message) + 1 if progress.message is not None else 0
    (version,) = _VERSION.unpack_from(memory, at)
    version = version + 1 if version < 2**32 - 4 else 2
    _VERSION.pack_into(memory, at, version | 1)
    total = math.nan if progress.total is None else float(progress.total)
    start = at + _HEAD.size
    memory[start : start + len(message)] = message
    _HEAD.pack_into(memory, at, version | 1, length, float(progress.done), total)
    _VERSION.pack_into(memory, at, (version | 1) + 1)


def read_progress(memory: mmap.mmap, at: int) -> tuple[int, Progress | None]:
    """Return the version and the newest progress; None where nothing was reported, or it is just being written."""
    version, length, done, total = _HEAD.unpack_from(memory, at)
    start = at + _HEAD.size
    raw = memory[start : start + max(0, length - 1)]
    (again,) = _VERSION.unpack_from(memory, at)
    if version == 0 or version & 1 or again != version:
        return version, None
    message = raw.decode("utf-8", "ignore") if length else None
    return version, Progress(_finite(done) or 0.0, _finite(total), message)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
