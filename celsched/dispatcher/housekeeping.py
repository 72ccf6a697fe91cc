"""Owns the daemon's slow chores: purge by `cleanup_days`, forgetting old instances. It never touches a living row."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from celsched.clock import Clock
from celsched.domain.compose import subject_of
from celsched.domain.definition import effective
from celsched.domain.options import Layer
from celsched.domain.plan import paused_range
from celsched.errors import StoreUnreachable
from celsched.store import definitions, due, instances, retention
from celsched.store.store import Store, Tx

log = logging.getLogger(__name__)
_ROUNDS = 20
"""Batches of alerts that a call removes at most, so that a huge backlog never holds up the scan for long."""
_LONGEST = 0.25
"""Seconds after which it begins no further batch of executions: fire times wait meanwhile, in the same thread."""
_SUMMED = 200
"""Resting schedules that a call looks at, for the same reason."""
_SLACK = timedelta(days=1)
"""By how much a resting schedule's ledger may reach back behind what is kept; else each call would write to all."""


class Housekeeping:
    """Runs now and then inside the daemon; `settings` is the layer below the definitions."""

    def __init__(self, store: Store, clock: Clock, settings: Layer, *, keep: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._keep = keep
        self._looked_at = 0
        self._last = retention.Purged(0, 0)
        self._gone = 0

    def run_once(self) -> int:
        """Purge what ended, and alerts that were resolved, longer ago than `keep`; return how many executions went.

        It stops in the midst where there is much, and `go_on` goes on.
        """
        before = self._clock.now() - self._keep
        self._sum_up_some(before)
        gone = self._purge(before)
        for _ in range(_ROUNDS):
            if self._store.write(lambda tx: retention.purge_alerts(tx, before)) < retention.BATCH:
                break
        self._store.write(lambda tx: instances.forget(tx, self._clock.now()))
        return gone

    def go_on(self) -> int:
        """Purge on, if the last call left something."""
        return self._purge(self._clock.now() - self._keep) if self._last.more else 0

    def _purge(self, before: datetime) -> int:
        begun, gone = self._clock.monotonic(), 0
        while True:
            batch = partial(retention.purge_batch, before=before, on_at=self._last.on_at)
            self._last = self._store.write(batch)
            gone += self._last.executions
            if not self._last.more or self._clock.monotonic() - begun >= _LONGEST:
                break
        self._gone += gone
        if self._gone and not self._last.more:
            said = "purged %d executions that ended before %s"
            log.info(said, self._gone, before.isoformat(), extra={"action": "purged"})
            self._gone = 0
        return gone

    def _sum_up_some(self, before: datetime) -> None:
        """Sum up the next resting schedules by id; after the last one it begins anew."""
        after = self._looked_at
        found = self._store.read(
            lambda tx: definitions.resting_since(tx, before - _SLACK, after_id=after, limit=_SUMMED)
        )
        for schedule_id in found:
            self._sum_up(schedule_id, before)
        self._looked_at = found[-1] if len(found) == _SUMMED else 0

    def _sum_up(self, schedule_id: int, before: datetime) -> None:
        """Record what a pause that goes on has passed over until `before`, so that the ledger has no hole there."""

        def work(tx: Tx) -> None:
            for schedule in definitions.lock_schedules(tx, [schedule_id]):
                state = schedule.state
                if state.cursor >= before or state.wake_at is not None:
                    return
                policies = effective(schedule.task.definition, schedule.definition, self._settings)
                subject = subject_of(schedule.definition, policies, state.base)
                skip = paused_range(subject, state.cursor, state.runs, before)
                if skip is not None:
                    due.skip_rows(tx, schedule, [skip], self._clock.now())
                definitions.save_state(tx, replace(state, cursor=before))

        try:
            self._store.write(work)
        except StoreUnreachable:
            raise
        except Exception as error:  # one that cannot be read or planned must not hold up the purge
            log.debug("the pause of schedule %d is not summed up: %s", schedule_id, error)
