"""Owns what heals the ledger: silent executions, passed start deadlines, missed releases. It never publishes."""

import logging
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import TypeVar

from celsched.clock import Clock
from celsched.dispatcher.silence import SilenceWatch
from celsched.domain.execution import State
from celsched.errors import CelschedError, StoreUnreachable
from celsched.settings.fault import Fault, no_fault
from celsched.store import recovery, transitions
from celsched.store.endings import Ended, Ending, finish
from celsched.store.recovery import Running
from celsched.store.store import Store, Tx

log = logging.getLogger(__name__)
_BATCH = 200
T = TypeVar("T")


class Recovery:
    """One pass after the other; every change is guarded, so several daemons may do the same.

    `prove` writes to the store or raises: a store that can only be read shows silence of workers that live. Where it
    takes some writes, those that were silent for half a lease are written as their own beats would.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        lease: timedelta,
        period: timedelta,
        prove: Callable[[], object],
        fault: Fault = no_fault,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._prove = prove
        self._fault = fault
        self._silence = SilenceWatch(lease, period)
        self._told: set[str] = set()

    def run_once(self) -> int:
        """Do one pass; return how many executions changed."""
        return self._end_silent() + self._expire() + self._release()

    def interrupt(self) -> None:
        """Count no silence since the last pass: the store could not be used, so nobody could beat."""
        self._silence.interrupt()

    def _end_silent(self) -> int:
        running = self._store.read(recovery.running)
        silent = self._silence.look(running, self._clock.monotonic())
        if running:
            try:
                self._prove()
                self._prove_beats(silent.half)
            except StoreUnreachable:
                self.interrupt()
                raise
        ended = 0
        for one in silent.whole:
            lose = partial(self._lose, one=one, chance=random.random())
            found = self._fenced(lose, f"execution {one.execution_id} cannot be ended")
            if found is not None:
                self._fault("lost.committed")
                ended += 1
                log.warning(
                    "execution %d of '%s': no heartbeat of worker %s for %.0f s: %s",
                    one.execution_id,
                    one.subject,
                    one.worker,
                    self._lease.total_seconds(),
                    found.state,
                    extra={"action": "lost", "execution": one.execution_id},
                )
        return ended

    def _prove_beats(self, silent: Sequence[Running]) -> None:
        for batch in (silent[start : start + _BATCH] for start in range(0, len(silent), _BATCH)):
            rewrite = partial(recovery.rewrite, silent=batch)
            self._fenced(rewrite, f"executions {batch[0].execution_id} to {batch[-1].execution_id} cannot be written")

    def _lose(self, tx: Tx, *, one: Running, chance: float) -> Ended | None:
        ending = Ending(
            State.LOST,
            error_type="WorkerLost",
            error="it was started, and its end was not recorded within the lease",
            reason="no_heartbeat",
        )
        ended = finish(tx, one.token, ending, self._clock.now(), chance=chance, heartbeat=one.heartbeat)
        if ended is not None:
            self._fault("lost.written")
        return ended

    def _expire(self) -> int:
        now = self._clock.now()
        expired = 0
        for execution_id, schedule_id in self._store.read(lambda tx: transitions.expire(tx, now, _BATCH)):
            expire = partial(self._expire_one, execution_id=execution_id, schedule_id=schedule_id)
            if self._fenced(expire, f"execution {execution_id} cannot be expired"):
                expired += 1
                log.warning(
                    "execution %d expired: not started before its start deadline",
                    execution_id,
                    extra={"action": "expired", "execution": execution_id},
                )
        return expired

    def _release(self) -> int:
        released = 0
        for schedule_id in self._store.read(recovery.forgotten_waits):
            repair = partial(self._repair, schedule_id=schedule_id)
            released += self._fenced(repair, f"what waits in schedule {schedule_id} cannot be released") or 0
        return released

    def _fenced(self, work: Callable[[Tx], T], failure: str) -> T | None:
        """Write; what cannot be done for one row is told once and stops nothing for the others."""
        try:
            return self._store.write(work)
        except CelschedError:
            raise
        except Exception as error:
            if failure not in self._told:
                self._told.add(failure)
                log.error("%s: %s: %s", failure, type(error).__name__, error, extra={"action": "broken"})
            return None

    def _expire_one(self, tx: Tx, *, execution_id: int, schedule_id: int | None) -> bool:
        return transitions.expire_one(tx, execution_id, schedule_id, self._clock.now())

    def _repair(self, tx: Tx, *, schedule_id: int) -> int:
        return recovery.repair_waits(tx, schedule_id, self._clock.now())
