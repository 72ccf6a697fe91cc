"""Owns captured lines: appended in batches while an attempt runs, read from an offset by who follows. Never redacts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from celsched.domain.execution import LogLine
from celsched.store.bulk_insert import BulkInsert
from celsched.store.rows import log_record
from celsched.store.tables import logs

_LINES = BulkInsert(logs, LogLine.__slots__)


def append(tx: Connection, lines: Sequence[LogLine]) -> None:
    """Store lines; one stored before (a repeated transaction) is left as it is."""
    _LINES.insert(tx, [{name: getattr(line, name) for name in LogLine.__slots__} for line in lines])


def next_seq(tx: Connection, execution_id: int, attempt: int) -> int:
    """Return the number of the attempt's next line, counted from 0."""
    last = tx.scalar(select(func.max(logs.c.seq)).where(logs.c.execution_id == execution_id, logs.c.attempt == attempt))
    return 0 if last is None else last + 1


def read(
    tx: Connection, execution_id: int, *, after: tuple[int, int] | None = None, level: int = 0, limit: int = 1000
) -> list[LogLine]:
    """Return lines of an execution in order, those after (attempt, seq) only, at least `level`."""
    query = select(logs).where(logs.c.execution_id == execution_id, logs.c.level >= level)
    if after is not None:
        attempt, seq = after
        query = query.where(or_(logs.c.attempt > attempt, and_(logs.c.attempt == attempt, logs.c.seq > seq)))
    rows = tx.execute(query.order_by(logs.c.attempt, logs.c.seq).limit(limit)).mappings()
    return [log_record(row) for row in rows]


def tail(tx: Connection, execution_id: int, count: int, *, level: int = 0) -> list[LogLine]:
    """Return the last `count` lines of an execution, in order."""
    query = select(logs).where(logs.c.execution_id == execution_id, logs.c.level >= level)
    rows = tx.execute(query.order_by(logs.c.attempt.desc(), logs.c.seq.desc()).limit(count)).mappings()
    return [log_record(row) for row in rows][::-1]


def last_at(tx: Connection, execution_id: int) -> datetime | None:
    """Return when the execution's newest line was captured."""
    found: datetime | None = tx.scalar(select(func.max(logs.c.at)).where(logs.c.execution_id == execution_id))
    return found
