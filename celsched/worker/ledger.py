"""Owns what the worker's main process tells the store: heartbeats, output, progress, ends of dead bodies; and hears.

It never touches a process: what must be stopped it hands to the guard. A store that is away costs only delay.
"""

import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from celsched.context import Progress
from celsched.domain.execution import LogLine, State
from celsched.errors import CelschedError
from celsched.redact import Redactor
from celsched.store import claims, endings, instances, logs
from celsched.store.claims import Held
from celsched.store.endings import Ending
from celsched.store.instances import Instance
from celsched.store.store import Tx
from celsched.worker.desk_store import DeskStore
from celsched.worker.guard import Guard, Verdict
from celsched.worker.outcome import tell
from celsched.worker.output_files import files_of
from celsched.worker.shipping import Shipper
from celsched.worker.slots import Marks, Occupant, Slots, SlotState
from celsched.worker.text import clean

logger = logging.getLogger(__name__)

_RUNS = (SlotState.BODY, SlotState.TAKEN)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the ledger works with."""

    store: DeskStore
    slots: Slots
    folder: Path
    redactor: Redactor
    monotonic: Callable[[], float]


class Ledger:
    """The store's side of the watch; every method is called by one thread and may raise StoreUnreachable."""

    def __init__(self, desk: Desk, guard: Guard, instance: Instance) -> None:
        self._store, self._slots, self._folder = desk.store, desk.slots, desk.folder
        self._redactor, self._monotonic = desk.redactor, desk.monotonic
        self._guard = guard
        self._instance = instance
        self._shipper = Shipper(desk.redactor, lambda: desk.store.clock.now())
        self._pending: list[Verdict] = []
        self._shipped: dict[str, Marks] = {}
        self._progress: dict[str, int] = {}
        self._strays: set[str] = set()

    def register(self) -> None:
        """Record this worker as running."""
        self._store.write(lambda tx: instances.register(tx, self._instance), patience=0)

    def leave(self) -> None:
        """Record the clean stop."""
        now = self._store.clock.now()
        self._store.write(lambda tx: instances.leave(tx, self._instance.id, now), patience=3)

    def settled(self) -> bool:
        """Whether every dead body's end is recorded."""
        return not self._pending and self._guard.verdicts.empty()

    def beat(self) -> None:
        """T5: one heartbeat for everything; what the store no longer grants is stopped, what it wants stopped too."""
        asked = self._monotonic()
        # Taken before the beat: a claim made after it would be missing in its answer.
        running = {seen.token for seen in self._occupants() if seen.state is SlotState.BODY}
        now, busy, twice = self._store.clock.now(), len(self._slots.busy()), self._slots.duplicates()

        def work(tx: Tx) -> list[Held]:
            if not instances.beat(tx, self._instance.id, now, busy=busy, duplicates=twice):
                instances.register(tx, replace(self._instance, beat_at=now, busy=busy))
            return claims.beat(tx, self._instance.id)

        held = self._store.write(work, patience=0)
        self._guard.heard = asked
        self._heed(held)
        for token in running - {one.token for one in held}:
            # If it has just ended by itself, the guard will find that and do nothing.
            self._guard.stop(token, None)
        self._end_strays(held)
        self._store.refresh_clock()

    def poll(self) -> None:
        """Look for executions that somebody asked to cancel."""
        if self._slots.busy():
            self._heed(self._store.read(lambda tx: claims.stop_requests(tx, self._instance.id), patience=0))

    def ship(self) -> None:
        """Store the output that bodies made since the last time."""
        with contextlib.ExitStack() as held:
            batch: list[LogLine] = []
            moves: list[tuple[int, str, Marks]] = []
            for index in self._slots.busy():
                held.enter_context(self._slots.output_lock(index))
                seen = self._slots.read(index)
                if seen.state not in _RUNS:
                    continue
                lines, marks = self._shipper.collect(files_of(self._folder, index), seen)
                if marks != seen.marks:
                    batch.extend(lines)
                    moves.append((index, seen.token, marks))
            if batch:
                self._append(batch)
            for index, token, marks in moves:
                self._slots.move_marks(index, token, marks)
                self._shipped[token] = marks

    def _append(self, batch: list[LogLine]) -> None:
        try:
            self._store.write(lambda tx: logs.append(tx, batch), patience=0)
        except CelschedError:
            raise
        except Exception:  # lines that the database refuses are dropped: the task goes on
            logger.warning("%d captured lines could not be stored", len(batch), exc_info=True)

    def report(self) -> None:
        """Store the newest progress of each body."""
        found: list[tuple[int, str, Progress]] = []
        for index in self._slots.busy():
            seen = self._slots.read(index)
            version, progress = self._slots.progress(index)
            if seen.state in _RUNS and progress is not None and self._progress.get(seen.token) != version:
                found.append((seen.execution_id, seen.token, progress))
                self._progress[seen.token] = version
        if found:
            # By execution, the order in which everybody locks them.
            news = [(token, progress) for _, token, progress in sorted(found, key=lambda one: one[0])]
            self._store.write(lambda tx: report_progress(tx, news, self._redactor), patience=0)

    def settle(self) -> None:
        """Record the ends of bodies that died or were stopped, with the rest of their output."""
        while not self._guard.verdicts.empty():
            self._pending.append(self._guard.verdicts.get())
        while self._pending:
            self._record(self._pending[0])
            self._pending.pop(0)
        living = {seen.token for seen in self._occupants()}
        self._shipped = {token: marks for token, marks in self._shipped.items() if token in living}
        self._progress = {token: version for token, version in self._progress.items() if token in living}

    def _record(self, verdict: Verdict) -> None:
        seen, ending = verdict.occupant, verdict.ending
        if ending is None:
            logger.warning("execution %d.%d was stopped: it is not ours any more", seen.execution_id, seen.attempt)
        else:
            self._end(seen.token, seen, ending, self._rest_of(verdict))
        verdict.files.remove()

    def _rest_of(self, verdict: Verdict) -> list[LogLine]:
        """Return the output that is not stored yet: none where no body had begun, then the files are of the last one"""
        seen = verdict.occupant
        if not seen.execution_id:
            return []
        marks = self._shipped.get(seen.token, seen.marks)
        return self._shipper.collect(verdict.files, replace(seen, marks=marks), final=True)[0]

    def _end(self, token: str, known: Occupant | Held, ending: Ending, lines: Sequence[LogLine] = ()) -> None:
        """Record an end; what cannot be recorded is told and left to the next beats, and holds up nothing else."""
        now, chance = self._store.clock.now(), random.random()

        def finish(tx: Tx) -> endings.Ended | None:
            return endings.finish(tx, token, ending, now, chance=chance)

        def both(tx: Tx) -> endings.Ended | None:
            ended = finish(tx)
            if ended is not None:
                logs.append(tx, lines)
            return ended

        try:
            ended = self._written(both, finish)
        except CelschedError:
            raise
        except Exception:
            said = "the end of execution %d.%d could not be recorded"
            logger.error(said, known.execution_id, known.attempt, exc_info=token not in self._strays)
            return
        if ended is None and not known.execution_id:
            logger.debug("a process died before its claim was granted")
            return
        execution_id, attempt = (ended.execution_id, ended.attempt) if ended else (known.execution_id, known.attempt)
        tell(execution_id, attempt, ended, ending, None, now)

    def _written(
        self, both: Callable[[Tx], endings.Ended | None], finish: Callable[[Tx], endings.Ended | None]
    ) -> endings.Ended | None:
        try:
            return self._store.write(both, patience=0)
        except CelschedError:
            raise
        except Exception:  # lines that the database refuses must not cost the end of the execution
            logger.warning("the last captured lines of a dead body could not be stored", exc_info=True)
            return self._store.write(finish, patience=0)

    def _heed(self, held: list[Held]) -> None:
        for one in held:
            if one.cancel_requested:
                said = "stopped: it was asked to"
                ending = Ending(State.CANCELLED, error=said, retryable=False)
                self._guard.stop(one.token, ending, force=one.cancel_force)

    def _end_strays(self, held: list[Held]) -> None:
        """End claims that no slot knows: our beat would keep them running for ever.

        They come from a claim whose COMMIT reply was lost for good. Twice in a row, because a claim made during the
        beat reaches its slot a moment later.
        """
        known = {seen.token for seen in self._occupants()} | {one.occupant.token for one in self._pending}
        strays = {one.token: one for one in held if one.token not in known}
        for token in self._strays & strays.keys():
            ending = Ending(State.LOST, error="it was claimed, but no process runs it", reason="no_body")
            self._end(token, strays[token], ending)
        self._strays = set(strays)

    def _occupants(self) -> list[Occupant]:
        found: list[Occupant] = []
        for index in self._slots.busy():
            with self._slots.lock(index):
                found.append(self._slots.read(index))
        return found


def report_progress(tx: Tx, news: list[tuple[str, Progress]], redactor: Redactor) -> None:
    """Store progress by claim token, masked; a fenced claim changes nothing."""
    for token, progress in news:
        message = None if progress.message is None else redactor.text(clean(progress.message))
        claims.report_progress(tx, token, progress.done, progress.total, message)
