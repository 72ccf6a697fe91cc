"""Owns the two threads of the worker's main process: one guards bodies, the other talks to the store about them.

They are two so that a store that hangs never delays a time limit or a kill. Neither ends by an error.
"""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from celsched.clock import Clock
from celsched.errors import CelschedError, StoreUnreachable
from celsched.worker.guard import Guard
from celsched.worker.ledger import Ledger
from celsched.worker.reaper_link import ReaperLink

logger = logging.getLogger(__name__)

_LOOK, _TURN, _POLL, _REPORT, _AWAY = 0.1, 0.25, 1.0, 1.0, 1.0
_TOLD = 60.0
"""Seconds until the error of the same work is told again."""


@dataclass(slots=True)
class _Every:
    """A thing to do each `seconds`."""

    seconds: float
    do: Callable[[], None]
    due: float = 0.0
    told: float = -math.inf


@dataclass(frozen=True, slots=True)
class Turns:
    """What else is done in the ledger's thread: `alive` each second, store or not; `check` as often as a beat."""

    alive: Callable[[], None]
    check: Callable[[], None]


class Keeper:
    """Runs a guard and a ledger until stopped."""

    def __init__(
        self, guard: Guard, ledger: Ledger, reaper: ReaperLink, clock: Clock, heartbeat: float, turns: Turns
    ) -> None:
        self._guard, self._ledger, self._reaper, self._clock = guard, ledger, reaper, clock
        self._alive = _Every(_POLL, turns.alive)
        self._work = (
            _Every(0.0, ledger.settle),
            _Every(heartbeat, ledger.beat),
            _Every(_POLL, ledger.poll),
            _Every(0.0, ledger.ship),
            _Every(_REPORT, ledger.report),
            _Every(heartbeat, turns.check),
        )
        self._stop = threading.Event()
        self._away = False
        self._threads = [
            threading.Thread(target=self._watch, name="celsched-guard", daemon=True),
            threading.Thread(target=self._keep, name="celsched-ledger", daemon=True),
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def drain(self, seconds: float) -> float:
        """Give bodies at most this long to end by themselves; return until when. Safe in a signal handler."""
        at = self._clock.monotonic() + seconds
        at = at if self._guard.give_up_at is None else min(at, self._guard.give_up_at)
        self._guard.give_up_at = at
        return at

    def hurry(self) -> None:
        """Give bodies that must stop no grace any more; safe in a signal handler."""
        self._guard.hurried = True

    def close(self, patience: float) -> None:
        """After the last child is gone: record what is left, for `patience` seconds at most, and leave the store."""
        until = self._clock.monotonic() + patience
        self._guard.look()
        while not self._ledger.settled() and self._clock.monotonic() < until:
            self._clock.wait(threading.Event(), 0.05)
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:  # a worker that is stopped while it starts has not started them
                thread.join(5.0)
        self._safely("leaving", self._ledger.leave)
        self._reaper.close()

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._safely("looking after bodies", self._guard.look)
            self._safely("telling the reaper", lambda: self._reaper.tell(self._guard.children()))
            self._clock.wait(self._stop, _LOOK)

    def _keep(self) -> None:
        while not self._stop.is_set():
            now = self._clock.monotonic()
            reached = True
            for work in self._work:
                if reached and now >= work.due:
                    reached = self._work_on(work, now)
            if reached and self._away:
                # Only after a whole turn: what failed is still due in it, and some of the work needs no store.
                logger.info("the store answers again")
                self._away = False
            if now >= self._alive.due:
                self._alive.due = now + self._alive.seconds
                self._safely("telling the service manager", self._alive.do)
            self._clock.wait(self._stop, _TURN if reached else _AWAY)

    def _work_on(self, work: _Every, now: float) -> bool:
        """Do what is due; return whether the store may be asked for the rest of this turn, or is away.

        Any other error is this work's alone: a heartbeat must not stop because something else cannot be done.
        """
        try:
            work.do()
            work.due = now + work.seconds
        except CelschedError as error:
            if not self._away:
                logger.warning("%s; bodies go on, and their ends are recorded when it is back", error.message)
            self._away = True
            return False
        except Exception:
            if now >= work.told + _TOLD:
                work.told = now
                logger.exception("an error while keeping the store informed")
            work.due = now + max(work.seconds, _AWAY)
        return True

    def _safely(self, what: str, do: Callable[[], None]) -> None:
        """Do it inside a fence. A store that is away is no news here."""
        try:
            do()
        except StoreUnreachable as error:
            logger.debug("%s: %s", what, error.message)
        except Exception:
            logger.exception("an error while %s", what)
