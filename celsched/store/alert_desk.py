"""Owns what people read of alerts and do to them: lists, acknowledging, resolving. It never judges, and opens none."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from celsched.domain.execution import Execution
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.troubles import is_case
from celsched.store.alert_rows import COLUMNS, StoredAlert, records
from celsched.store.alerts import OPEN, PENDING, RESOLVED
from celsched.store.tables_watch import alerts

log = logging.getLogger(__name__)
_LATELY = 500
"""How many of a schedule's newest alerts are searched for one fire time."""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What a list is narrowed to. `severity` is the mildest; `subject` is exact; `since`: alive at or after it."""

    states: Collection[str] = (OPEN, PENDING)
    kinds: Collection[AlertKind] = ()
    severity: Severity = Severity.INFO
    subject: str | None = None
    since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return them as SQL."""
        a = alerts.c
        found: list[ColumnElement[bool]] = []
        if self.severity is not Severity.INFO:
            found.append(a.severity.in_([one.value for one in Severity if one.rank >= self.severity.rank]))
        if self.states:
            found.append(a.state.in_(list(self.states)))
        if self.kinds:
            found.append(a.kind.in_([kind.value for kind in self.kinds]))
        if self.subject is not None:
            found.append(a.subject == self.subject)
        if self.since is not None:
            found.append(or_(a.resolved_at.is_(None), a.resolved_at >= self.since))
        return found


def listing(tx: Connection, wanted: AlertFilter, limit: int) -> list[StoredAlert]:
    """Return alerts, newest first."""
    return records(tx, select(*COLUMNS).where(*wanted.conditions()).order_by(alerts.c.id.desc()).limit(limit))


@dataclass(frozen=True, slots=True)
class Tally:
    """How many alerts of a kind there are, in each state, and since when the oldest open one is."""

    kind: AlertKind
    severity: Severity
    open: int
    acknowledged: int
    quiet: int
    pending: int
    resolved: int
    oldest: datetime | None


def tallies(tx: Connection, wanted: AlertFilter) -> list[Tally]:
    """Return the counts by kind and severity, the worst first. An open one may be acknowledged and quiet as well."""
    a = alerts.c
    is_open = a.state == OPEN
    counted = (
        is_open,
        and_(is_open, a.acknowledged_at.is_not(None)),
        and_(is_open, or_(a.silence_id.is_not(None), a.muted_by.is_not(None))),
        a.state == PENDING,
        a.state == RESOLVED,
    )
    counts: list[Any] = [func.count().filter(condition) for condition in counted]
    query = select(a.kind, a.severity, *counts, func.min(a.opened_at).filter(is_open))
    rows = tx.execute(query.where(*wanted.conditions()).group_by(a.kind, a.severity)).all()
    known = ({kind.value for kind in AlertKind}, {severity.value for severity in Severity})
    good = [row for row in rows if row[0] in known[0] and row[1] in known[1]]
    if len(good) < len(rows):
        log.warning("alerts of another version are not counted; `celsched alerts` names them")
    found = [Tally(AlertKind(r[0]), Severity(r[1]), r[2], r[3], r[4], r[5], r[6], r[7]) for r in good]
    return sorted(found, key=lambda one: (-one.severity.rank, -one.open, one.kind))


def find(tx: Connection, ids: Sequence[int]) -> dict[int, StoredAlert]:
    """Return those of these ids that there are."""
    return {one.id: one for one in records(tx, select(*COLUMNS).where(alerts.c.id.in_(list(ids))))}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What is known of an alert beyond this version. `resolved_at`: only whether that is the instant asked about."""

    id: int
    kind: str
    subject: str
    state: str
    resolved_by: str | None
    resolved_at: datetime | None


def unreadable(tx: Connection, ids: Sequence[int], now: datetime) -> dict[int, Unreadable]:
    """Return those of these ids that there are, but `find` has not; `now` is when the caller resolves them."""
    lost = set(ids) - find(tx, ids).keys()
    a = alerts.c
    query = select(a.id, a.kind, a.subject, a.state, a.resolved_by, (a.resolved_at == now).label("now"))
    rows = tx.execute(query.where(a.id.in_(lost))) if lost else ()
    return {row.id: _unreadable(row, now) for row in rows}


def _unreadable(row: Any, now: datetime) -> Unreadable:
    return Unreadable(row.id, row.kind, row.subject, row.state, row.resolved_by, now if row.now else None)


def there_is(tx: Connection, alert_id: int) -> bool:
    """Return whether there is a row of this id, whatever is in it."""
    return tx.scalar(select(alerts.c.id).where(alerts.c.id == alert_id)) is not None


def about_fire_time(
    tx: Connection, schedule_id: int, fire_time: datetime | None, row: Execution | None
) -> list[StoredAlert]:
    """Return the alerts of a schedule that this fire time raised or kept open, oldest first.

    Their evidence names it, or its row is a case of their kind from the time between their first and newest one: what
    an alert of an event is about is not stored one by one.
    """
    query = select(*COLUMNS).where(alerts.c.schedule_id == schedule_id, alerts.c.state != PENDING)
    newest = records(tx, query.order_by(alerts.c.id.desc()).limit(_LATELY))
    found = [
        one
        for one in newest
        if (fire_time is not None and one.evidence.fire_time == fire_time)
        or (row is not None and (one.evidence.execution == row.id or _covers(one, row)))
    ]
    return found[::-1]


def _covers(alert: StoredAlert, row: Execution) -> bool:
    ended, newest = row.finished_at, alert.event_at
    if ended is None or newest is None or not is_case(alert.kind, row.state, row.reason):
        return False
    return alert.since <= ended <= newest


def acknowledge(tx: Connection, alert_id: int, user: str, note: str | None, now: datetime) -> bool:
    """Say that somebody looks at it: it is not repeated. Return False where it is not open, or was acknowledged."""
    a = alerts.c
    values: dict[str, Any] = {"acknowledged_by": user, "acknowledged_at": now}
    values |= {"note": note} if note is not None else {}
    where = (a.id == alert_id, a.state == OPEN, a.acknowledged_at.is_(None))
    return bool(tx.execute(update(alerts).where(*where).values(values)).rowcount == 1)


def annotate(tx: Connection, alert_id: int, note: str) -> bool:
    """Write another note on an open alert; return False where it is not open (any more)."""
    where = (alerts.c.id == alert_id, alerts.c.state == OPEN)
    return bool(tx.execute(update(alerts).where(*where).values(note=note)).rowcount == 1)


def resolve(tx: Connection, alert_id: int, user: str, note: str, now: datetime) -> bool:
    """Resolve an open alert by hand; return False where it is not open (any more)."""
    values = {"state": RESOLVED, "resolved_at": now, "resolved_by": user, "note": note}
    where = (alerts.c.id == alert_id, alerts.c.state == OPEN)
    return bool(tx.execute(update(alerts).where(*where).values(values)).rowcount == 1)
