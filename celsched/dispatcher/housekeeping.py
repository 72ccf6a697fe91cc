"""Owns the daemon's slow chores: purge by `cleanup_days`, forgetting old instances. It never touches a living row."""

import logging
from datetime import timedelta

from celsched.clock import Clock
from celsched.store import instances, retention
from celsched.store.store import Store

log = logging.getLogger(__name__)
_ROUNDS = 20
"""Batches a call removes at most, so that a huge backlog never holds up the scan for long."""


class Housekeeping:
    """Runs now and then inside the daemon."""

    def __init__(self, store: Store, clock: Clock, *, keep: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep

    def run_once(self) -> int:
        """Purge what ended longer ago than `keep`; return how many executions went."""
        before = self._clock.now() - self._keep
        gone = 0
        for _ in range(_ROUNDS):
            purged = self._store.write(lambda tx: retention.purge_batch(tx, before))
            gone += purged.executions
            if purged.executions < retention.BATCH:
                break
        self._store.write(lambda tx: instances.forget(tx, self._clock.now()))
        if gone:
            log.info("purged %d executions that ended before %s", gone, before.isoformat(), extra={"action": "purged"})
        return gone
