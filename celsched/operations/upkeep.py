"""Owns the purge that a person asks for. The daemon's own is in `dispatcher.housekeeping`."""

import threading
from datetime import timedelta
from functools import partial

from celsched.operations.scope import Scope
from celsched.store import audit, retention

_BREATH = 0.1
"""Seconds between two transactions where a writer has the whole file: others look up as often, and get their turn."""


def purgeable(scope: Scope, keep: timedelta) -> int:
    """Return how many executions ended longer ago than `keep`."""
    before = scope.now() - keep
    return scope.store.read(lambda tx: retention.countable(tx, before))


def purge(scope: Scope, keep: timedelta) -> int:
    """Remove executions that ended longer ago than `keep`, in small transactions; return how many."""
    before, gone, on_at = scope.now() - keep, 0, None
    batch = partial(retention.purge_batch, before=before)
    try:
        while True:
            purged = scope.store.write(partial(batch, on_at=on_at))
            gone, on_at = gone + purged.executions, purged.on_at
            if not purged.more:
                return gone
            if not scope.store.dialect.row_locks:
                scope.store.clock.wait(threading.Event(), _BREATH)
    finally:  # also where it is broken off: what went is gone
        event = audit.Event("purge", "store", "executions", {"before": before, "removed": gone})
        scope.store.write(lambda tx: audit.write(tx, scope.by, event, scope.now()))
