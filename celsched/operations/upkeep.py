"""Owns the purge that a person asks for. The daemon's own is in `dispatcher.housekeeping`."""

from datetime import timedelta

from celsched.operations.scope import Scope
from celsched.store import audit, retention


def purgeable(scope: Scope, keep: timedelta) -> int:
    """Return how many executions ended longer ago than `keep`."""
    before = scope.now() - keep
    return scope.store.read(lambda tx: retention.countable(tx, before))


def purge(scope: Scope, keep: timedelta) -> int:
    """Remove executions that ended longer ago than `keep`, in small transactions; return how many."""
    before, gone = scope.now() - keep, 0
    while True:
        removed = scope.store.write(lambda tx: retention.purge_batch(tx, before)).executions
        gone += removed
        if removed < retention.BATCH:
            break
    event = audit.Event("purge", "store", "executions", {"before": before, "removed": gone})
    scope.store.write(lambda tx: audit.write(tx, scope.by, event, scope.now()))
    return gone
