"""Measures one pass of the watcher on 10,000 schedules and 1,000,000 executions. It is a program, not a test.

PYTHONPATH=. python tests/benchmarks/watch_million.py [--rows N] [--only sqlite|postgresql] [--keep FOLDER] [--profile]
"""

import argparse
import cProfile
import logging
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import event, insert

from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import LabelRule, RuleBook
from celsched.monitor.check import CheckResult, Watcher
from celsched.store.store import Store, Tx
from celsched.store.tables import schedules, states, tasks
from celsched.store.tables_watch import instances
from tests.benchmarks.million import fill, instant, numbers_to, on_both, options_of, timed
from tests.support.clock import ManualClock

T = TypeVar("T")
SCHEDULES, TASKS, DAYS = 10_000, 200, 30
NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)
"""Five days before a clock change in Europe: the dearest week for `dst_ahead`."""
MINUTE = timedelta(minutes=1)

# x is the number of the row, r a number in [0, 10007), t the fire time in microseconds since 1970. The newest 100
# rows have not ended: 50 of them run, the others wait.
_EXECUTIONS = """
    INSERT INTO executions (state, cause, task_id, task, schedule_id, schedule, revision, fire_time, count, reason,
        attempt, due_at, dispatch_at, publish_after, publishes, celery_task_id, claim_token, worker, host, pid,
        heartbeat, error, task_path, params, queue_name, priority, max_retries, retry, retry_on_lost, on_store_outage,
        overlap, labels, created_at, queued_at, started_at, attempt_started_at, finished_at)
    SELECT state, 'schedule', 1 + s % {tasks}, 'task ' || s % {tasks}, 1 + s, 'زمان‌بندی ' || s, 1, {at}, 1,
        CASE WHEN state = 'skipped' THEN CASE WHEN r < 9950 THEN 'overlap' ELSE 'misfire_skip' END END,
        1, {at}, {at}, {at}, 1, 'celsched-abcdef-' || x || '.1.1', 'token-0123456789abcdef-' || x,
        'worker@host-' || x % 4, 'host', 4711, 0, CASE WHEN state = 'failed' THEN 'ValueError: خطا' END,
        'files.tasks.clean', '{{}}', 'maintenance', 5, 3, '{{}}', 0, 'continue', 'skip', '{{}}', {at}, {at},
        CASE WHEN state NOT IN ('skipped', 'queued') THEN {at} END,
        CASE WHEN state NOT IN ('skipped', 'queued') THEN {at} END,
        CASE WHEN state NOT IN ('queued', 'running') THEN {end} END
    FROM (SELECT x, r, s, t, CASE WHEN x > {rows} - 50 THEN 'running' WHEN x > {rows} - 100 THEN 'queued'
            WHEN r >= 9800 THEN 'skipped' WHEN r < 300 THEN 'failed' WHEN r < 320 THEN 'timed_out'
            WHEN r < 325 THEN 'lost' WHEN r < 335 THEN 'expired' ELSE 'succeeded' END AS state
          FROM (SELECT x, x * 7919 % 10007 AS r, x % {schedules} AS s, {first} + x * ({span} / {rows}) AS t
                FROM ({series}) AS numbers) AS made) AS stated
"""
_ATTEMPTS = """
    INSERT INTO attempts (execution_id, attempt, claim_token, state, worker, host, pid, started_at, finished_at,
        error_type)
    SELECT id, attempt, claim_token, state, worker, host, pid, started_at, finished_at,
           CASE WHEN state = 'failed' THEN CASE WHEN id % 50 = 0 THEN 'InvalidDefinition' ELSE 'ValueError' END END
    FROM executions WHERE started_at IS NOT NULL
"""


def measure(store: Store, given: argparse.Namespace) -> None:
    """Time passes of fresh and of warm watchers."""
    name = store.dialect.name
    filled(store, given.rows)
    logging.disable()
    clock = ManualClock(NOW)
    timed(f"{name}: the first pass ever", watcher_of(store, clock).run_once)
    clock.advance(timedelta(seconds=10))
    watcher = watcher_of(store, clock)
    if given.profile:
        _profiled(watcher.run_once)
    else:
        timed(f"{name}: a fresh watcher (watch --once)", watcher.run_once)
    for _ in range(2):
        clock.advance(timedelta(seconds=10))
        result = timed(f"{name}: warm", watcher.run_once)
    sys.stdout.write(f"    {len(result.firing)} alerts fire\n")
    clock.advance(timedelta(seconds=10))
    for seconds, statement in sorted(_statements_of(store, watcher.run_once), reverse=True)[:5]:
        sys.stdout.write(f"    {seconds:6.3f} s  {' '.join(statement.split())[:100]}\n")


def filled(store: Store, rows: int) -> None:
    """Make everything, where the store is empty."""
    fill(store, _define, _statements(store.dialect.name, rows))


def watcher_of(store: Store, clock: ManualClock) -> Watcher:
    """Return a fresh watcher with rules of labels and of its own."""
    labelled = LabelRule({"set": "3"}, {AlertKind.CONSECUTIVE_FAILURES: Tuning(parameters={"count": 5})})
    rules = RuleBook({AlertKind.LATE_START: Tuning(parameters={"threshold": 5 * MINUTE})}, (labelled,))
    return Watcher(store, clock, rules=rules, heartbeat=timedelta(seconds=10), settings={})


def _profiled(work: Callable[[], Any]) -> None:
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(35)


def _statements_of(store: Store, work: Callable[[], CheckResult]) -> Iterator[tuple[float, str]]:
    """Run the work, and yield each statement with the seconds that the database took before its first row."""
    found: list[tuple[float, str]] = []
    begun: list[float] = []
    event.listen(store.engine, "before_cursor_execute", lambda *call: begun.append(time.perf_counter()))
    event.listen(
        store.engine, "after_cursor_execute", lambda *call: found.append((time.perf_counter() - begun[-1], call[2]))
    )
    work()
    yield from found


def _define(tx: Tx) -> None:
    common = {"revision": 1, "defaults": {"retry_on_lost": 1}, "created_at": NOW - 60 * DAY, "updated_at": NOW}
    task = common | {"task_path": "files.tasks.clean", "default_params": {}, "checked": True}
    tx.execute(insert(tasks), [task | {"name": f"task {n}", "options": _options(n)} for n in range(TASKS)])
    tx.execute(insert(schedules), [common | _schedule(n) for n in range(SCHEDULES)])
    tx.execute(insert(states), [_state(n) for n in range(SCHEDULES)])
    for kind in ("daemon", "worker", "watcher"):
        row = {
            "id": kind,
            "kind": kind,
            "host": "host",
            "pid": 1,
            "name": kind,
            "version": "1",
            "queues": ["maintenance"],
        }
        tx.execute(insert(instances).values(row | {"capacity": 4, "busy": 1, "started_at": NOW, "beat_at": NOW}))


DAY = timedelta(days=1)


def _options(n: int) -> dict[str, Any]:
    return {"queue_name": "maintenance", "max_retries": 3, "labels": {"set": str(n % 10)}, "time_limit": "30m"}


def _schedule(n: int) -> dict[str, Any]:
    zone = ("Asia/Tehran", "Europe/Berlin", "UTC")[n % 3]
    rule = ("interval", f"{5 + n % 55}m") if n % 3 == 0 else ("cron", f"{n % 60} {n % 24 if n % 2 else '*'} * * *")
    own = {"alerts": {"no_recent_success": {"after": "26h"}}} if n % 20 == 0 else {}
    return {
        "name": f"زمان‌بندی {n}",
        "task_id": 1 + n % TASKS,
        "schedule_type": rule[0],
        "rule": rule[1],
        "params": {"ساعت": n},
        "options": {"timezone": zone, "overlap": "skip", **own},
    }


def _state(n: int) -> dict[str, Any]:
    succeeded = NOW - 3 * DAY if n % 100 == 0 else NOW - timedelta(seconds=n % 280)
    fails = n % 200 == 0
    return {
        "schedule_id": n + 1,
        "revision": 1,
        "base": NOW - 60 * DAY,
        "cursor": NOW - MINUTE,
        "next_fire_time": NOW + timedelta(minutes=1 + n % 600),
        "wake_at": NOW + timedelta(minutes=1 + n % 600),
        "runs": 100,
        "last_fire_time": NOW - MINUTE,
        "last_success_at": succeeded,
        "last_failure_at": NOW - MINUTE if fails else None,
        "success_streak": 0 if fails else 5,
        "failure_streak": 4 if fails else 0,
        "active_since": NOW - 60 * DAY,
        "recent": "s" * 16 + "ffff" if fails else "ssosssssfsssssssssss",
    }


def _statements(dialect: str, rows: int) -> list[str]:
    first = int((NOW - DAYS * DAY).timestamp()) * 1_000_000
    at, end = instant("t", dialect), instant("t + 30000000", dialect)
    series = numbers_to(rows, dialect)
    made = _EXECUTIONS.format(
        rows=rows,
        series=series,
        first=first,
        span=DAYS * 86_400_000_000,
        schedules=SCHEDULES,
        tasks=TASKS,
        at=at,
        end=end,
    )
    return [made, _ATTEMPTS]


if __name__ == "__main__":
    options = options_of(__doc__)
    options.add_argument("--profile", action="store_true", help="say where the time of a fresh watcher goes")
    sys.exit(on_both(options.parse_args(), "watch", measure))
