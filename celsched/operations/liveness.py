"""Owns the question whether anybody is there to carry out what was recorded. It only looks, and raises no alert."""

from datetime import timedelta

from celsched.operations.scope import Scope
from celsched.store import instances
from celsched.store.store import Tx

_BEATS = 3
"""So many heartbeats may be missed."""


def daemon_lives(scope: Scope, heartbeat: timedelta) -> bool:
    """Return whether a daemon has reported within three times `heartbeat`."""
    now = scope.now()
    return any(now - one.beat_at < _BEATS * heartbeat for one in scope.store.read(_daemons))


def _daemons(tx: Tx) -> list[instances.Instance]:
    return instances.running(tx, "daemon")
