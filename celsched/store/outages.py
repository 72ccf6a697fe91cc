"""Owns the rows of outages of this very store, written once it answers again. It never notices one.

Nothing can be stored while one lasts. When the store answers its alert opens, so that what follows from it is muted,
and resolves a little later: one per outage as one host saw it, however many watchers of that host tell of it.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, delete, literal, update

from celsched.domain.alert import Alert
from celsched.store.alerts import OPEN, RESOLVED
from celsched.store.dialect import dialect_of
from celsched.store.rows import audit_details
from celsched.store.tables_watch import LIVING, alerts
from celsched.store.types import Instant


def record(tx: Connection, outage: Alert, now: datetime) -> bool:
    """Keep an outage: open since the store answers, at `now`, or over.

    Return False where a row of this fingerprint tells of that time already. Such a row is from another watcher of the
    host, or from a first try whose answer was lost; it is made to last as long as this one did.
    """
    return _open(tx, outage, now) if outage.open else _close(tx, outage, now)


def _open(tx: Connection, outage: Alert, now: datetime) -> bool:
    made = _begin(tx, outage, now)
    if made is None:  # it answered, and was away again before that was for good
        tx.execute(update(alerts).where(_lives(outage)).values(event_at=now, seen_at=now))
    return made is not None


def _close(tx: Connection, outage: Alert, now: datetime) -> bool:
    over = {"state": RESOLVED, "resolved_at": outage.resolved_at}
    if tx.execute(update(alerts).where(_lives(outage)).values(over).returning(alerts.c.id)).first() is not None:
        return True
    mine = _begin(tx, outage, now)
    if mine is None:
        return False
    a = alerts.c
    end = literal(outage.resolved_at, Instant())
    same = (
        a.fingerprint == outage.fingerprint,
        a.id != mine,
        a.pending_since <= outage.resolved_at,
        a.resolved_at >= outage.since,
    )
    longest = case((a.resolved_at < end, end), else_=a.resolved_at)
    told = tx.execute(update(alerts).where(*same).values(resolved_at=longest).returning(a.id)).first() is not None
    tx.execute(delete(alerts).where(a.id == mine) if told else update(alerts).where(a.id == mine).values(over))
    return not told


def _lives(outage: Alert) -> ColumnElement[bool]:
    return and_(LIVING, alerts.c.fingerprint == outage.fingerprint)


def _begin(tx: Connection, outage: Alert, now: datetime) -> int | None:
    """Insert the row as if it lived: of one fingerprint only one may, so that a second writer waits for the first."""
    dialect = dialect_of(tx)
    row = {
        "fingerprint": outage.fingerprint,
        "kind": outage.kind.value,
        "severity": outage.severity.value,
        "state": OPEN,
        "subject": outage.subject,
        "summary": outage.summary,
        "details": audit_details({"since": outage.since, **outage.evidence}),
        "labels": dict(outage.labels),
        "pending_since": outage.since,
        "opened_at": outage.opened_at,
        "event_at": now,
        "seen_at": now,
    }
    made = tx.execute(dialect.insert(alerts).values(row).on_conflict_do_nothing().returning(alerts.c.id)).first()
    return None if made is None else int(made.id)
