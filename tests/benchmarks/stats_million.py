"""Measures `celsched stats` on a million executions, on SQLite and on PostgreSQL. It is a program, not a test.

PYTHONPATH=. python tests/benchmarks/stats_million.py [--rows N] [--only sqlite|postgresql] [--keep FOLDER]
"""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import insert

from celsched.domain.execution import Requester
from celsched.operations import stats
from celsched.operations.scope import Scope
from celsched.store.store import Store, Tx
from celsched.store.tables import schedules, states, tasks
from tests.benchmarks.million import fill, instant, numbers_to, on_both, options_of, timed

SCHEDULES, TASKS, DAYS = 200, 20, 30
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

# Pseudo-random numbers from the row's own number, the same on both databases: x is the number of the row, r a number
# in [0, 10007), d a duration and w a wait in microseconds, t the fire time in microseconds since 1970.
_NUMBERS = """
    SELECT x, x * 7919 % 10007 AS r, 20000 + (x * 104729 % 1000003) * (1 + x % 7) AS d,
           1000 + x * 15485863 % 300007 AS w, {first} + x * ({span} / {rows}) AS t
    FROM ({series}) AS numbers
"""
_COLUMNS = (
    "state, cause, task_id, task, schedule_id, schedule, revision, fire_time, count, reason, request_id, attempt,"
    " due_at, dispatch_at, publish_after, publishes, celery_task_id, claim_token, worker, host, pid, heartbeat,"
    " task_path, params, queue_name, priority, max_retries, retry, retry_on_lost, on_store_outage, overlap, labels,"
    " created_at, queued_at, started_at, attempt_started_at, finished_at, result"
)
_SKIPPED = "r >= 9800"
_EXECUTIONS = f"""
    INSERT INTO executions ({_COLUMNS})
    SELECT CASE WHEN {_SKIPPED} THEN 'skipped' WHEN r < 300 THEN 'failed' WHEN r < 320 THEN 'timed_out'
                WHEN r < 325 THEN 'lost' WHEN r < 340 THEN 'cancelled' ELSE 'succeeded' END,
        CASE WHEN x % 50 = 0 THEN 'manual' ELSE 'schedule' END, 1 + x % {SCHEDULES} % {TASKS},
        'task ' || x % {SCHEDULES} % {TASKS}, 1 + x % {SCHEDULES}, 'زمان‌بندی ' || x % {SCHEDULES}, 1, {{at_t}},
        CASE WHEN {_SKIPPED} THEN 1 + r % 3 ELSE 1 END, CASE WHEN {_SKIPPED} THEN 'overlap' END,
        CASE WHEN x % 50 = 0 THEN 'request-' || x END, CASE WHEN r < 900 THEN 2 ELSE 1 END,
        {{at_t}}, {{at_t}}, {{at_t}}, 1, 'celsched-abcdef-' || x || '.1.1', 'token-0123456789abcdef-' || x,
        'worker@host-' || x % 4, 'host', 4711, 0, 'files.tasks.cleanup_temp_files', {{params}}, 'maintenance',
        5, 3, {{retry}}, 0, 'continue', 'skip', {{labels}}, {{at_t}},
        CASE WHEN NOT ({_SKIPPED}) THEN {{at_w}} END, CASE WHEN NOT ({_SKIPPED}) THEN {{at_w}} END,
        CASE WHEN NOT ({_SKIPPED}) THEN {{at_w}} END, {{at_d}}, {{result}}
    FROM ({{numbers}}) AS made
"""
_JSON = {
    "params": '\'{"hours": 24, "folder": "/var/tmp/somewhere/deep/in/the/tree"}\'',
    "retry": '\'{"delay": 10, "factor": 2, "max_delay": 600, "jitter": true}\'',
    "labels": "'{}'",
    "result": '\'{"removed": 1234, "bytes": 567890}\'',
}
_ATTEMPTS = """
    INSERT INTO attempts (execution_id, attempt, claim_token, state, worker, host, pid, started_at, finished_at,
                          cpu_seconds, peak_memory_bytes)
    SELECT id, attempt, claim_token, state, worker, host, pid, started_at, finished_at, (id % 1000) / 500.0,
           30000000 + id % 1000 * 4096
    FROM executions WHERE started_at IS NOT NULL
"""


def measure(store: Store, given: argparse.Namespace) -> None:
    """Time every report, cold and warm."""
    name = store.dialect.name
    fill(store, _define, _statements(name, given.rows))
    scope = Scope(store, {}, Requester("bench", "host"), "Asia/Tehran")
    whole = stats.window(NOW - timedelta(days=DAYS + 1), NOW, scope.zone)
    week = stats.window(NOW - timedelta(days=7), NOW, scope.zone)
    for title, window in (("31 d", whole), ("31 d again", whole), ("7 d", week)):
        overview = timed(f"{name}: overview, {title}", partial(stats.overview, scope, window))
        found = timed(f"{name}: performance, {title}", partial(stats.performance, scope, window))
        sys.stdout.write(f"    {overview.outcomes.runs} runs of {len(found)} subjects\n")


def _define(tx: Tx) -> None:
    common = {"revision": 1, "options": {}, "defaults": {}, "created_at": NOW, "updated_at": NOW}
    tx.execute(
        insert(tasks),
        [
            common | {"name": f"task {n}", "task_path": "a.b", "default_params": {}, "checked": True}
            for n in range(TASKS)
        ],
    )
    tx.execute(
        insert(schedules),
        [
            common
            | {
                "name": f"زمان‌بندی {n}",
                "task_id": 1 + n % TASKS,
                "schedule_type": "interval",
                "rule": "1m",
                "params": {},
            }
            for n in range(SCHEDULES)
        ],
    )
    tx.execute(
        insert(states),
        [
            {
                "schedule_id": n + 1,
                "revision": 1,
                "base": NOW,
                "cursor": NOW,
                "next_fire_time": NOW + timedelta(minutes=n),
                "wake_at": NOW + timedelta(minutes=n),
                "runs": 0,
                "success_streak": 0,
                "failure_streak": 0,
            }
            for n in range(SCHEDULES)
        ],
    )


def _statements(dialect: str, rows: int) -> list[str]:
    first = int((NOW - timedelta(days=DAYS)).timestamp()) * 1_000_000
    series = numbers_to(rows, dialect)
    numbers = _NUMBERS.format(first=first, span=DAYS * 86_400_000_000, rows=rows, series=series)
    at = {"at_t": "t", "at_w": "t + w", "at_d": "t + w + d"}
    at = {key: instant(value, dialect) for key, value in at.items()}
    return [_EXECUTIONS.format(numbers=numbers, **at, **_JSON), _ATTEMPTS]


if __name__ == "__main__":
    sys.exit(on_both(options_of(__doc__).parse_args(), "million", measure))
