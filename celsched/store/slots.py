"""Owns how many executions were due in each minute of a window, and how late those started. It judges no minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, func, select, type_coerce

from celsched.domain.busy import Minute
from celsched.domain.report import RAN
from celsched.store.slices import Slice, difference, length, narrow, position
from celsched.store.tables import executions

_MICROSECONDS = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def minutes(tx: Connection, wanted: Slice) -> Iterator[Minute]:
    """Yield every minute in which a run was due, in no order."""
    e = executions.c
    late = difference(tx, e.started_at, e.due_at)
    query = select(_minute(tx), func.count(), func.sum(late), func.max(late))
    query = narrow(query, wanted).where(e.state.in_(sorted(RAN)), e.started_at.is_not(None))
    for minute, count, total, most in tx.execute(query.group_by(position(1))):
        at = minute if isinstance(minute, datetime) else _EPOCH + timedelta(minutes=minute)
        yield Minute(at.astimezone(UTC), count, length(total), length(most))


def _minute(tx: Connection) -> Any:
    due = executions.c.due_at
    if tx.dialect.name == "sqlite":
        return type_coerce(due, BigInteger) // _MICROSECONDS
    return func.date_trunc("minute", due)
