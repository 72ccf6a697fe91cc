"""Measures passes of the watcher after a restart that coalesced fire times of 10,000 schedules. It is a program.

Ten thousand information alerts open, stay and resolve. They open again only in a store that is filled anew.

PYTHONPATH=. python tests/benchmarks/watch_restart.py [--rows N] [--only sqlite|postgresql] [--keep FOLDER]
"""

import argparse
import logging
import sys
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, update

from celsched.monitor.check import CheckResult, Watcher
from celsched.store.store import Store
from celsched.store.tables import executions, states
from celsched.store.tables_watch import instances
from tests.benchmarks.million import on_both, options_of, timed
from tests.benchmarks.watch_million import MINUTE, NOW, SCHEDULES, TASKS, filled, watcher_of
from tests.support.clock import ManualClock

_LATER = timedelta(seconds=10)
_STAYS = 3


class Restart:
    """A store on which a daemon has just come back, with everything told of the time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._clock = ManualClock(NOW)
        self._name = store.dialect.name

    def watcher(self) -> Watcher:
        """Return a watcher that has seen nothing yet."""
        return watcher_of(self._store, self._clock)

    def coalesce(self) -> None:
        """Let a skipped row of each schedule stand for twelve fire times."""
        now = self._clock.now()
        rows = [_skipped(number, now) for number in range(SCHEDULES)]
        self._store.write(lambda tx: tx.execute(insert(executions), rows), patience=60)

    def succeed(self) -> None:
        """Let every schedule succeed."""
        values = {"last_success_at": self._clock.now(), "success_streak": 9, "failure_streak": 0, "recent": "s" * 20}
        self._store.write(lambda tx: tx.execute(update(states).values(values)))

    def look(self, watcher: Watcher, title: str) -> CheckResult:
        """Time a look ten seconds later, and say how many alerts fire after it."""
        self._clock.advance(_LATER)
        self._store.write(lambda tx: tx.execute(update(instances).values(beat_at=self._clock.now())))
        result = timed(f"{self._name}: {title}", watcher.run_once)
        sys.stdout.write(f"    {len(result.firing)} alerts fire\n")
        return result


def measure(store: Store, given: argparse.Namespace) -> None:
    """Time passes before, while ten thousand alerts open, stay and resolve, and of a fresh watcher in between."""
    filled(store, given.rows)
    logging.disable()
    restart = Restart(store)
    watcher = restart.watcher()
    restart.look(watcher, "the first pass")
    restart.coalesce()
    restart.look(watcher, "they open")
    for _ in range(_STAYS):
        restart.look(watcher, "they stay")
    restart.look(restart.watcher(), "they stay, a fresh watcher")
    restart.succeed()
    restart.look(watcher, "they resolve")


def _skipped(number: int, now: datetime) -> dict[str, Any]:
    task = number % TASKS
    return {
        "state": "skipped",
        "cause": "schedule",
        "task_id": 1 + task,
        "task": f"task {task}",
        "schedule_id": 1 + number,
        "schedule": f"زمان‌بندی {number}",
        "revision": 1,
        "fire_time": now - timedelta(hours=2, seconds=1),
        "until": now - MINUTE,
        "count": 12,
        "reason": "coalesced",
        "attempt": 1,
        "due_at": now,
        "dispatch_at": now,
        "publish_after": now,
        "publishes": 0,
        "created_at": now,
        "finished_at": now,
        "labels": {},
    }


if __name__ == "__main__":
    sys.exit(on_both(options_of(__doc__).parse_args(), "restart", measure))
