"""Owns the reading of a finished run: what the bodies wrote, what the store says, what the logs hold.

It judges nothing but the logs: a traceback, a lock that reached a user, a flood of lines.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from celsched.domain.execution import TERMINAL
from celsched.store.store import Store
from celsched.store.tables import attempts, executions
from tests.faults.history import Event, Row, Try

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BAD = re.compile(
    r"Traceback \(most recent call last\)|database is locked|deadlock detected|raised unexpected|Unrecoverable error"
    r"|an error while|NoneType"
)
_MOST_LINES = 1500
"""Lines per minute of one process: a line for each execution and skip is a few hundred."""


def micros(at: datetime) -> int:
    """Return an instant in whole microseconds."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _maybe(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def events_in(folder: Path) -> tuple[list[Event], list[tuple[str, str]]]:
    """Return what the bodies wrote, and what could not be read of it."""
    found: list[Event] = []
    findings: list[tuple[str, str]] = []
    for file in sorted(folder.iterdir()):
        for line in file.read_text(errors="replace").splitlines(keepends=True):
            try:
                values = json.loads(line)
            except ValueError:
                if line.startswith('{"mark": "alive"') and not line.endswith("\n"):
                    continue  # a kill may cut a write off where a page of the file ends; the next mark would be later
                findings.append(("record", f"{file.name} holds half a line: {line[:80]!r}"))
                continue
            values.pop("monotonic", None)
            found.append(Event(**values))
    return found, findings


def rows_in(store: Store) -> tuple[list[Row], list[Try]]:
    """Return the executions and attempts that the store knows."""
    table = executions.c
    names = ("id", "schedule", "state", "reason", "fire_time", "until", "count", "attempt", "publishes", "created_at",
             "finished_at")  # fmt: skip
    rows = store.read(lambda tx: tx.execute(select(*(table[name] for name in names))).all(), patience=30)
    tried = store.read(
        lambda tx: tx.execute(
            select(
                attempts.c.execution_id,
                attempts.c.attempt,
                attempts.c.state,
                attempts.c.pid,
                attempts.c.worker,
                attempts.c.started_at,
                attempts.c.finished_at,
            )
        ).all(),
        patience=30,
    )
    return (
        [
            Row(
                row.id,
                row.schedule,
                row.state,
                row.reason,
                micros(row.fire_time),
                _maybe(row.until),
                row[6],  # `count` is a method of tuples
                row.attempt,
                row.publishes,
                micros(row.created_at),
                _maybe(row.finished_at),
            )
            for row in rows
        ],
        [
            Try(
                one.execution_id,
                one.attempt,
                one.state,
                one.pid,
                main_of(one.worker),
                micros(one.started_at),
                _maybe(one.finished_at),
            )
            for one in tried
        ],
    )


def main_of(worker: str) -> int:
    """Return the pid in a worker's id (`HOST-PID-BOOT-RANDOM`, and a host's name may hold dashes)."""
    return int(worker.rsplit("-", 3)[1])


def unfinished_in(store: Store) -> int:
    """Return how many executions have not ended."""
    table = executions.c
    query = select(func.count()).where(table.state.not_in(tuple(TERMINAL)))
    return store.read(lambda tx: int(tx.execute(query).scalar_one()), patience=30)


def findings_in(logs: Sequence[Path], minutes: float) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the logs."""
    for log in logs:
        lines = log.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if _BAD.search(line):
                yield "log", f"{log.name}:{number + 1}: {' | '.join(lines[max(0, number - 1) : number + 2])[:300]}"
        if len(lines) > _MOST_LINES * max(minutes, 1):
            yield "log flood", f"{log.name} has {len(lines)} lines after {minutes:.1f} minutes"
