"""Owns the memory that the worker's main process and its pool children share: one slot per child, with its lock.

It never decides anything: the child says what it runs, the main process reads it and takes it over.
"""

import contextlib
import fcntl
import mmap
import struct
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from celsched.context import Progress
from celsched.worker.progress_cell import CELL_SIZE, read_progress, reset_progress, write_progress

MOST_SLOTS = 256
_SLOT_SIZE = 1024
_HEADER_SIZE = 2048
_FORMAT = struct.Struct("<BBxxIiIqddd32sqqqqq")
_PROGRESS_AT = _SLOT_SIZE - CELL_SIZE
_DRAINING_AT = 0
_COUNTS_AT = 1024
_COUNT = struct.Struct("<I")


class SlotState(IntEnum):
    """What the child of a slot is doing, and who may speak for its execution."""

    FREE = 0
    CLAIMING = 1
    """The child asks the store for the execution; the token may or may not hold it."""
    BODY = 2
    """User code runs; the main process may signal."""
    RECORDING = 3
    """The child records the end; nobody signals any more."""
    TAKEN = 4
    """The main process ends it: the child records nothing."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How far the captured output of an attempt has been stored: the next line's number, and offsets into the files."""

    next_seq: int = 0
    stored: int = 0
    """Characters stored so far."""
    dropped: int = 0
    """Lines dropped beyond the bound."""
    records: int = 0
    stdout: int = 0
    stderr: int = 0


NOTHING_IS_OURS = Marks(records=2**62, stdout=2**62, stderr=2**62)
"""The marks of an attempt whose files could not be emptied: beyond whatever another one left in them."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """What a slot holds. Times are monotonic seconds; a limit of 0 is none."""

    state: SlotState = SlotState.FREE
    execution_id: int = 0
    attempt: int = 0
    token: str = ""
    pid: int = 0
    started: float = 0.0
    soft: float = 0.0
    hard: float = 0.0
    kill_on_outage: bool = False
    marks: Marks = Marks()


class Slots:
    """Slots in an anonymous file mapped before the fork.

    A lock is a byte of that file (the kernel releases it when a process dies) and a lock among the threads of one
    process. A child calls `after_fork` first.
    """

    def __init__(self, count: int) -> None:
        self.count = min(max(1, count), MOST_SLOTS)
        self._file = tempfile.TemporaryFile(prefix="celsched-slots-")  # noqa: SIM115 # lives as long as the worker
        size = _HEADER_SIZE + self.count * _SLOT_SIZE
        self._file.truncate(size)
        self._memory = mmap.mmap(self._file.fileno(), size)
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the locks that other threads of the parent held at the moment of the fork."""
        self._threads = [threading.Lock() for _ in range(2 * self.count)]

    @contextlib.contextmanager
    def lock(self, index: int) -> Iterator[None]:
        """Hold the slot: nobody else changes its state, and no signal is sent."""
        with self._locked(index):
            yield

    @contextlib.contextmanager
    def output_lock(self, index: int) -> Iterator[None]:
        """Hold the slot's captured output: nobody else reads it, stores it or moves its marks."""
        with self._locked(self.count + index):
            yield

    @contextlib.contextmanager
    def _locked(self, byte: int) -> Iterator[None]:
        with self._threads[byte]:
            fcntl.lockf(self._file, fcntl.LOCK_EX, 1, byte)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, byte)

    def state(self, index: int) -> SlotState:
        """Return the state alone; good without the lock, as a first look."""
        return SlotState(self._memory[self._at(index)])

    def read(self, index: int) -> Occupant:
        """Return what the slot holds; the caller has a lock, or takes the risk of a mixture."""
        values = _FORMAT.unpack_from(self._memory, self._at(index))
        state, kill, attempt, pid, seq, execution_id, started, soft, hard, token, *counts = values
        token, marks = token.decode().strip("\0 "), Marks(seq, *counts)
        return Occupant(SlotState(state), execution_id, attempt, token, pid, started, soft, hard, bool(kill), marks)

    def write(self, index: int, occupant: Occupant) -> None:
        """Put an occupant into the slot; the caller has the lock."""
        marks = occupant.marks
        _FORMAT.pack_into(
            self._memory,
            self._at(index),
            occupant.state,
            occupant.kill_on_outage,
            occupant.attempt,
            occupant.pid,
            marks.next_seq,
            occupant.execution_id,
            occupant.started,
            occupant.soft,
            occupant.hard,
            occupant.token.encode().ljust(32),
            marks.stored,
            marks.dropped,
            marks.records,
            marks.stdout,
            marks.stderr,
        )

    def change(self, index: int, token: str, source: SlotState, target: SlotState) -> bool:
        """Move the slot on if it still holds this claim in state `source`; return whether it did. Takes the lock."""
        with self.lock(index):
            seen = self.read(index)
            if seen.token != token or seen.state is not source:
                return False
            self.write(index, replace(seen, state=target))
            return True

    def move_marks(self, index: int, token: str, marks: Marks) -> None:
        """Remember how far the output is stored, if the slot still holds this claim. The caller has the output lock."""
        with self.lock(index):
            seen = self.read(index)
            if seen.token == token:
                self.write(index, replace(seen, marks=marks))

    def busy(self) -> list[int]:
        """Return the indices of slots that are not free."""
        return [index for index in range(self.count) if self._memory[self._at(index)] != SlotState.FREE]

    def any_free(self) -> bool:
        """Return whether a pool process waits for work."""
        occupants = (self.read(index) for index in range(self.count) if self.state(index) is SlotState.FREE)
        return any(occupant.pid for occupant in occupants)

    @property
    def draining(self) -> bool:
        """Whether the worker stops: nothing new may be claimed."""
        return bool(self._memory[_DRAINING_AT])

    def start_draining(self) -> None:
        """Tell every child that nothing new may be claimed; safe in a signal handler."""
        self._memory[_DRAINING_AT] = 1

    def count_duplicate(self, index: int) -> None:
        """Count a message that came twice; only the process of this slot counts there, so no lock is needed."""
        place = _COUNTS_AT + index * _COUNT.size
        (count,) = _COUNT.unpack_from(self._memory, place)
        _COUNT.pack_into(self._memory, place, count + 1)

    def duplicates(self) -> int:
        """Return how many messages came twice since the worker's start."""
        return sum(_COUNT.unpack_from(self._memory, _COUNTS_AT + index * _COUNT.size)[0] for index in range(self.count))

    def report(self, index: int, progress: Progress) -> None:
        """Keep the newest progress of the slot's body; takes no lock, so it is cheap enough for a tight loop."""
        write_progress(self._memory, self._at(index) + _PROGRESS_AT, progress)

    def progress(self, index: int) -> tuple[int, Progress | None]:
        """Return how often progress was reported and the newest; None where there is none or it is being written."""
        return read_progress(self._memory, self._at(index) + _PROGRESS_AT)

    def forget_progress(self, index: int) -> None:
        """Begin a new body: no progress yet."""
        reset_progress(self._memory, self._at(index) + _PROGRESS_AT)

    def close(self) -> None:
        """Let go of the memory and the file."""
        self._memory.close()
        self._file.close()

    def _at(self, index: int) -> int:
        return _HEADER_SIZE + index * _SLOT_SIZE
