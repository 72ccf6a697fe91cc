"""Owns the rows of outages of this very store, written once they are over. It never notices one.

Nothing can be stored while one lasts, so that its alert is born resolved: one per outage as one host saw it, however
many watchers of that host tell of it.
"""

from sqlalchemy import Connection, case, delete, literal, update

from celsched.domain.alert import Alert
from celsched.store.alerts import OPEN, RESOLVED
from celsched.store.dialect import dialect_of
from celsched.store.rows import audit_details
from celsched.store.tables_watch import alerts
from celsched.store.types import Instant


def record(tx: Connection, outage: Alert) -> bool:
    """Keep an outage that is over; return False where a row of this fingerprint tells of that time already.

    Such a row is from another watcher of the host, or from a first try whose answer was lost; it is made to last as
    long as this one did.
    """
    mine = _begin(tx, outage)
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
    tx.execute(
        delete(alerts).where(a.id == mine) if told else update(alerts).where(a.id == mine).values(state=RESOLVED)
    )
    return not told


def _begin(tx: Connection, outage: Alert) -> int | None:
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
        "seen_at": outage.resolved_at,
        "resolved_at": outage.resolved_at,
    }
    made = tx.execute(dialect.insert(alerts).values(row).on_conflict_do_nothing().returning(alerts.c.id)).first()
    return None if made is None else int(made.id)
