"""Owns the watch over bodies from the worker's main process: deaths, time limits, stops. It never talks to the store.

So nothing here waits for a database: a limit holds while the store is away.
"""

import logging
import os
import queue
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from celsched.domain.execution import State
from celsched.store.endings import Ending
from celsched.worker import processes
from celsched.worker.output_files import OutputFiles, files_of
from celsched.worker.slots import Occupant, Slots, SlotState

logger = logging.getLogger(__name__)

_FROZEN, _WAKING = 1.0, 1.0
"""Seconds between two looks that mean this process stood still (a suspended host), and then are left for a beat."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: from asking a body to stop to killing it; of the store's silence after which bodies may be killed."""

    grace: float
    silence: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim whose body is gone, with what is to be recorded (None: nothing, it is not ours any more)."""

    occupant: Occupant
    ending: Ending | None
    files: OutputFiles


@dataclass(frozen=True, slots=True)
class _Asked:
    """A wish to end a body."""

    ending: Ending | None
    force: bool


@dataclass(slots=True)
class _Stop:
    ending: Ending | None
    kill_at: float


class Guard:
    """Watches the slots of one worker. `look` is called a few times a second, always by the same thread."""

    def __init__(
        self, slots: Slots, folder: Path, worker_id: str, timing: Timing, monotonic: Callable[[], float]
    ) -> None:
        self._slots = slots
        self._folder = folder
        self._worker_id = worker_id
        self._timing = timing
        self._monotonic = monotonic
        self._main = os.getpid()
        self._asked: queue.SimpleQueue[tuple[str, _Asked]] = queue.SimpleQueue()
        self._stops: dict[str, _Stop] = {}
        self._soft: set[str] = set()
        self.verdicts: queue.SimpleQueue[Verdict] = queue.SimpleQueue()
        self.heard = monotonic()
        """When the store last answered a beat."""
        self.give_up_at: float | None = None
        """When bodies that still run are stopped, because the worker stops; None while it does not."""
        self._announced = False
        self._looked = self.heard
        self._excused: float | None = None
        self._awake_at = self.heard
        self.hurried = False
        """Whether stops have no grace any more."""

    def stop(self, token: str, ending: Ending | None, *, force: bool = False) -> None:
        """Ask for the end of a claim's body: SIGTERM, grace, SIGKILL, then `ending`. Any thread may call.

        With `force` it is killed at once, also where it was asked politely before.
        """
        self._asked.put((token, _Asked(ending, force)))

    def look(self) -> None:
        """Look once at every slot, and do what is due."""
        now = self._monotonic()
        self._announce(now)
        self._notice_waking(now)
        asked: dict[str, _Asked] = {}
        while not self._asked.empty():
            token, one = self._asked.get()
            asked[token] = one
        living: set[str] = set()
        for index in self._slots.busy():
            with self._slots.lock(index):
                seen = self._slots.read(index)
            if seen.state is SlotState.FREE:
                continue  # the body ended since the first look; that its child is gone too, as at a stop, is no loss
            living.add(seen.token)
            if seen.pid == self._main:
                continue  # a pool without processes: nothing there can be killed
            if not self._lives(seen.pid):
                self._bury(index, seen)
            elif seen.state is SlotState.TAKEN:
                self._press(seen, now, force=seen.token in asked and asked[seen.token].force)
            elif seen.state is SlotState.BODY:
                self._judge(index, seen, asked, now)
        self._soft &= living
        self._stops = {token: stop for token, stop in self._stops.items() if token in living}

    def _notice_waking(self, now: float) -> None:
        # Whoever stood still heard nothing, which says nothing about the store: a beat is due first, and its answer
        # tells whether another copy was started. Once for each silence, so that a starved process cannot put it off.
        if now - self._looked > _FROZEN and self._excused != self.heard:
            self._excused, self._awake_at = self.heard, now + _WAKING
        self._looked = now

    def _announce(self, now: float) -> None:
        # Here and not in the signal handler, which must not log.
        if self.give_up_at is not None and not self._announced:
            self._announced = True
            running, left = len(self._slots.busy()), max(0.0, self.give_up_at - now)
            say = logger.info if running else logger.debug
            say("this worker stops; executions that run: %d, with %.0f s to end", running, left)

    def children(self) -> set[int]:
        """Return the pool children that live."""
        found = {self._slots.read(index).pid for index in range(self._slots.count)} - {0, self._main}
        return {pid for pid in found if self._lives(pid)}

    def _lives(self, pid: int) -> bool:
        found = processes.look(pid)
        return found is not None and found.lives and found.ppid == self._main

    def _judge(self, index: int, seen: Occupant, asked: dict[str, _Asked], now: float) -> None:
        ran = now - seen.started
        if seen.token in asked:
            self._take(index, seen, asked[seen.token].ending, polite=not asked[seen.token].force)
        elif seen.hard and ran >= seen.hard:
            said = f"killed: the time limit of {seen.hard:g} s was reached"
            ending = Ending(State.TIMED_OUT, error_type="TimeLimitExceeded", error=said, reason="time_limit")
            self._take(index, seen, ending, polite=False)
        elif self.give_up_at is not None and now >= self.give_up_at:
            said = "stopped: its worker was shut down"
            self._take(index, seen, Ending(State.LOST, error=said, reason="worker_shutdown"), polite=not self.hurried)
        elif seen.kill_on_outage and now >= self._awake_at and self._silence(seen, now) >= self._timing.silence:
            silent = self._silence(seen, now)
            said = f"stopped: the store did not answer for {silent:.0f} s, so another copy might start"
            self._take(index, seen, Ending(State.LOST, error=said, reason="store_outage"), polite=True)
        elif seen.soft and ran >= seen.soft and seen.token not in self._soft:
            self._interrupt(index, seen)

    def _silence(self, seen: Occupant, now: float) -> float:
        # A claim is an answer too: after an outage it may come before the next beat does.
        return now - max(self.heard, seen.started)

    def _interrupt(self, index: int, seen: Occupant) -> None:
        with self._slots.lock(index):
            if _same(self._slots.read(index), seen):
                self._soft.add(seen.token)
                processes.send([seen.pid], signal.SIGUSR1)

    def _take(self, index: int, seen: Occupant, ending: Ending | None, *, polite: bool) -> None:
        """Take the claim from its child and begin to end the body; does nothing if the body ended meanwhile."""
        with self._slots.lock(index):
            if not _same(self._slots.read(index), seen):
                return
            self._slots.write(index, replace(seen, state=SlotState.TAKEN, marks=self._slots.read(index).marks))
            now = self._monotonic()
            self._stops[seen.token] = _Stop(ending, now + self._timing.grace if polite else now)
            if polite:
                processes.send([*processes.offspring(seen.pid, self._mark(seen)), seen.pid], signal.SIGTERM)
            else:
                self._kill(seen)

    def _press(self, seen: Occupant, now: float, *, force: bool) -> None:
        stop = self._stops.get(seen.token)
        if stop is None or now >= stop.kill_at or self.hurried or force:
            self._kill(seen)

    def _kill(self, seen: Occupant) -> None:
        # The child is stopped first and killed last: it starts nothing more, and inherits what its children leave.
        processes.send([seen.pid], signal.SIGSTOP)
        processes.kill_offspring(seen.pid, self._mark(seen))
        processes.send([seen.pid], signal.SIGKILL)

    def _bury(self, index: int, seen: Occupant) -> None:
        """The child is gone: end what it left, keep its output, free the slot, and hand the verdict on."""
        with self._slots.lock(index):
            found = self._slots.read(index)
            if found.token != seen.token:
                return
            processes.kill_offspring(seen.pid, self._mark(seen))
            stop = self._stops.pop(seen.token, None)
            if stop is None:
                said = f"its process {seen.pid} died while it ran (killed, crashed or left by os._exit)"
                stop = _Stop(Ending(State.LOST, error=said, reason="worker_died"), 0.0)
            aside = files_of(self._folder, index).set_aside(self._folder, seen.token)
            self._slots.write(index, Occupant())
        self.verdicts.put(Verdict(found, stop.ending, aside))

    def _mark(self, seen: Occupant) -> str:
        return f"{self._worker_id}/{seen.execution_id}.{seen.attempt}"


def _same(found: Occupant, seen: Occupant) -> bool:
    return found.state is SlotState.BODY and found.token == seen.token
