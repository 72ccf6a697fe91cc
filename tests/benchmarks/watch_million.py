"""Measures one pass of the watcher on 10,000 schedules and 1,000,000 executions. It is a program, not a test.

PYTHONPATH=. python tests/benchmarks/watch_million.py [--rows N] [--only sqlite|postgresql] [--keep FOLDER] [--profile]
"""

import argparse
import cProfile
import logging
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import event, insert, text

from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import LabelRule, RuleBook
from celsched.monitor.check import CheckResult, Watcher
from celsched.store.store import Store, Tx, open_store
from celsched.store.tables import schedules, states, tasks
from celsched.store.tables_watch import instances
from tests.support.clock import ManualClock
from tests.support.services import PostgresServer

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


def main() -> int:
    """Fill the databases and print the times."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--only", choices=["sqlite", "postgresql"])
    options.add_argument("--keep", type=Path, help="a folder for the databases; a filled one is used again")
    options.add_argument("--profile", action="store_true", help="say where the time of a fresh watcher goes")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if given.only != "postgresql":
            measure(open_store(f"sqlite:///{folder / 'watch.db'}"), given.rows, profile=given.profile)
        if given.only != "sqlite":
            server = PostgresServer(folder)
            server.start()
            try:
                if "watch" not in databases(server):
                    server.create_database("watch")
                store = open_store(server.database_url("watch"), upgrade=True)
                measure(store, given.rows, profile=given.profile)
            finally:
                server.stop()
    return 0


def measure(store: Store, rows: int, *, profile: bool) -> None:
    """Fill the store where it is empty, and time passes of fresh and of warm watchers."""
    name = store.dialect.name
    if not store.read(lambda tx: tx.scalar(text("SELECT count(*) FROM task_definitions"))):
        timed(f"{name}: fill", lambda: fill(store, rows))
    logging.disable()
    clock = ManualClock(NOW)
    timed(f"{name}: the first pass ever", _watcher(store, clock).run_once)
    clock.advance(timedelta(seconds=10))
    watcher = _watcher(store, clock)
    if profile:
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
    store.close()


def _watcher(store: Store, clock: ManualClock) -> Watcher:
    labelled = LabelRule({"set": "3"}, {AlertKind.CONSECUTIVE_FAILURES: Tuning(parameters={"count": 5})})
    rules = RuleBook({AlertKind.LATE_START: Tuning(parameters={"threshold": 5 * MINUTE})}, (labelled,))
    return Watcher(store, clock, rules=rules, heartbeat=timedelta(seconds=10), settings={})


def timed(title: str, work: Callable[[], T]) -> T:
    """Print how long the work took, and return what it made."""
    begin, used = time.perf_counter(), time.process_time()
    made = work()
    seconds, ours = time.perf_counter() - begin, time.process_time() - used
    sys.stdout.write(f"{title:<44} {seconds:7.2f} s, {ours:5.2f} s of it in this process\n")
    sys.stdout.flush()
    return made


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


def fill(store: Store, rows: int) -> None:
    """Make the definitions, the executions and their attempts."""
    store.engine = store.engine.execution_options(celsched_unlimited=True)
    store.write(_define)
    store.write(lambda tx: [tx.execute(text(statement)) for statement in _statements(store.dialect.name, rows)])
    if store.dialect.name == "postgresql":  # what autovacuum does in a real store, minutes after
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


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
    sqlite = dialect == "sqlite"
    series = (
        f"WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < {rows}) SELECT x FROM n"
        if sqlite
        else f"SELECT x FROM generate_series(1::bigint, {rows}) AS x"
    )
    first = int((NOW - DAYS * DAY).timestamp()) * 1_000_000
    at, end = "t", "t + 30000000"
    if not sqlite:
        at, end = (f"(timestamptz 'epoch' + ({value}) * interval '1 microsecond')" for value in (at, end))
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


def databases(server: PostgresServer) -> set[str]:
    """Return the names of the server's databases."""
    with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


if __name__ == "__main__":
    sys.exit(main())
