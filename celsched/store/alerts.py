"""Owns alerts: states that open and resolve, at most one living one per fingerprint. It never decides which."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import KINDS
from celsched.domain.health.watched import Living
from celsched.store.alert_insert import insert_alerts
from celsched.store.alert_refresh import Known, living_again, marked
from celsched.store.alert_rows import COLUMNS, record, records
from celsched.store.alert_rows import StoredAlert as StoredAlert
from celsched.store.batches import batches
from celsched.store.dialect import dialect_of, unindexed
from celsched.store.tables_watch import LIVING, alerts
from celsched.store.types import Instant

PENDING, OPEN, RESOLVED = "pending", "open", "resolved"
_AHEAD = timedelta(minutes=1)
"""What was written further in the future than this was written before the clock was set back, by no later look."""


def living(tx: Connection, gaps: list[Gap] | None = None) -> list[StoredAlert]:
    """Return every alert that is not resolved; those that cannot be read are left out, and added to `gaps`."""
    return records(tx, select(*COLUMNS).where(LIVING).order_by(unindexed(alerts.c.id)), gaps)


def firing(tx: Connection) -> list[StoredAlert]:
    """Return every open alert."""
    return records(tx, select(*COLUMNS).where(LIVING, alerts.c.state == OPEN).order_by(unindexed(alerts.c.id)))


def fires(tx: Connection, fingerprint: str) -> bool:
    """Return whether the alert of this fingerprint is open."""
    query = select(alerts.c.id).where(LIVING, alerts.c.fingerprint == fingerprint, alerts.c.state == OPEN).limit(1)
    return tx.scalar(query) is not None


def known(tx: Connection, gaps: list[Gap] | None = None) -> dict[str, Living]:
    """Return every alert that is not resolved as judges see it, by fingerprint; see `living`."""
    return {alert.fingerprint: as_judged(alert) for alert in living(tx, gaps)}


def as_judged(alert: StoredAlert) -> Living:
    """Return an alert as judges see it."""
    return Living(
        alert.kind,
        alert.scope,
        alert.severity,
        alert.state == OPEN,
        alert.pending_since,
        alert.event_at,
        alert.subject,
        alert.summary,
        alert.since,
        alert.evidence,
        alert.schedule_id,
    )


@dataclass(frozen=True, slots=True)
class Flips:
    """What a look changed. What went while it was pending is not told: nobody ever heard of it.

    `known`: every open alert after that, whoever opened it.
    """

    opened: Sequence[StoredAlert]
    resolved: Sequence[StoredAlert]
    known: Known = field(default_factory=dict)

    @property
    def firing(self) -> list[StoredAlert]:
        """Every open alert; when it was seen before, where only that has changed."""
        return list(self.known.values())


@dataclass(frozen=True, slots=True)
class _Time:
    """When a look was taken, and when it is settled: only the second tells what is ahead of the clock."""

    look: datetime
    written: datetime

    @property
    def ahead(self) -> datetime:
        return self.written + _AHEAD

    def mine(self) -> ColumnElement[bool]:
        """The living alerts that no later look has renewed."""
        seen = or_(alerts.c.seen_at <= self.look, alerts.c.seen_at > self.ahead)
        return and_(alerts.c.state != RESOLVED, seen)


def settle(
    tx: Connection,
    findings: Iterable[Finding],
    seen: Collection[str],
    now: datetime,
    written: datetime | None = None,
    before: Known | None = None,
) -> Flips:
    """Open what is wrong for as long as its hold, renew what still is, resolve what is over.

    `seen` are the fingerprints that lived when the look was taken, at `now`: what another watcher opened since is not
    resolved, what a later look renewed or resolved is left as it is. Of several watchers one opens and one resolves.
    An event that a person resolved comes back only when another happened since. `written` is the present, where it is
    not `now`: what lies ahead of it was stored before the clock was set back, and does not wait for that time to come.
    `before` are alerts as the look read them: those that have not changed since are not parsed again.
    """
    time = _Time(now, written or now)
    wrong = {finding.fingerprint: finding for finding in findings}
    there = {alert.fingerprint: alert for alert in living_again(tx, before or {}).values()}
    new = _allowed(tx, [finding for key, finding in wrong.items() if key not in there], time)
    opened = _insert(tx, new, now)
    lasting = sorted(((there[key], wrong[key]) for key in wrong.keys() & there.keys()), key=lambda pair: pair[0].id)
    same = _renew(tx, lasting, time)
    opened += _open(tx, [alert.id for alert, found in lasting if _held(alert, found, now)], now)
    over = sorted((there[key] for key in there.keys() - wrong.keys() if key in seen), key=lambda alert: alert.id)
    _forget(tx, [alert.id for alert in over if alert.state == PENDING])
    resolved = _resolve(tx, [alert for alert in over if alert.state == OPEN], time)
    return Flips(opened, resolved, living_again(tx, marked(opened + same, now), only=OPEN))


def _held(alert: StoredAlert, found: Finding, now: datetime) -> bool:
    return alert.state == PENDING and now - alert.pending_since >= found.hold


def _allowed(tx: Connection, findings: list[Finding], time: _Time) -> list[Finding]:
    """Return the findings that may open: not those that a later look, or a person, has resolved."""
    last: dict[str, Any] = {}
    for part in batches([finding.fingerprint for finding in findings]):
        newest = select(func.max(alerts.c.id)).where(alerts.c.fingerprint.in_(part)).group_by(alerts.c.fingerprint)
        query = select(alerts.c.fingerprint, alerts.c.resolved_at, alerts.c.resolved_by).where(alerts.c.id.in_(newest))
        last |= {row.fingerprint: row for row in tx.execute(query) if row.resolved_at is not None}
    allowed = []
    for finding in findings:
        row = last.get(finding.fingerprint)
        if row is None or not _settled(finding, row.resolved_at, row.resolved_by, time):
            allowed.append(finding if row is None else _anew(finding, row.resolved_at, row.resolved_by))
    return allowed


def _anew(finding: Finding, resolved_at: datetime, resolved_by: str | None) -> Finding:
    """Return the finding without what a person has resolved: it begins with what happened after that."""
    if resolved_by is None or finding.event_at is None or finding.since > resolved_at:
        return finding
    return replace(finding, since=finding.event_at)


def _settled(finding: Finding, resolved_at: datetime, resolved_by: str | None, time: _Time) -> bool:
    by_a_person, happened = resolved_by is not None and KINDS[finding.kind].event, finding.event_at or finding.since
    if resolved_at > time.ahead:
        # Of an event before the clock was set back only one that is ahead too is surely the one that was resolved.
        return by_a_person and time.ahead < happened <= resolved_at
    return resolved_at > time.look or (by_a_person and happened <= resolved_at)


def _values(finding: Finding) -> dict[str, Any]:
    evidence = ((name, getattr(finding.evidence, name)) for name in Evidence.__slots__)
    known = {name: _plain(value) for name, value in evidence if value is not None}
    return {
        "severity": finding.severity.value,
        "subject": finding.subject,
        "summary": finding.summary,
        "details": {"since": _plain(finding.since)} | known,
        "queue": finding.queue,
        "labels": dict(finding.labels),
        "event_at": finding.event_at,
    }


def _plain(value: object) -> object:
    """Return what JSON holds as it is: ten thousand findings are compared with what is stored."""
    return value.isoformat() if isinstance(value, datetime) else value


_EMPTY: dict[str, Any] = {column.name: None for column in COLUMNS}


def _insert(tx: Connection, findings: list[Finding], now: datetime) -> list[StoredAlert]:
    rows = [
        _values(finding)
        | {
            "fingerprint": finding.fingerprint,
            "kind": finding.kind.value,
            "schedule_id": finding.schedule_id,
            "state": PENDING if finding.hold else OPEN,
            "pending_since": now,
            "opened_at": None if finding.hold else now,
            "seen_at": now,
        }
        for finding in findings
    ]
    made = insert_alerts(tx, rows)
    written = ({**_EMPTY, **row, "id": made[row["fingerprint"]]} for row in rows if row["fingerprint"] in made)
    return [record(row) for row in written if row["state"] == OPEN]


def _renew(tx: Connection, lasting: list[tuple[StoredAlert, Finding]], time: _Time) -> list[StoredAlert]:
    """Write what is wrong still; return those of which nothing has changed but `seen_at`, as they were read."""
    same: list[StoredAlert] = []
    changed: list[dict[str, Any]] = []
    for alert, finding in lasting:
        values = _values(finding)
        if all(getattr(alert, name) == value for name, value in values.items()):
            same.append(alert)
        else:
            changed.append({f"b_{name}": value for name, value in values.items()} | {"b_id": alert.id})
    # A hold that began ahead of the clock begins anew, or it would never be over.
    began = case((alerts.c.pending_since > time.ahead, literal(time.look, Instant())), else_=alerts.c.pending_since)
    seen = {"seen_at": time.look, "pending_since": began}
    for among in _among(tx, [alert.id for alert in same]):
        tx.execute(update(alerts).where(among, time.mine()).values(**seen))
    if changed:
        columns = {name: bindparam(f"b_{name}", type_=alerts.c[name].type) for name in _values(lasting[0][1])}
        tx.execute(
            update(alerts).where(alerts.c.id == bindparam("b_id"), time.mine()).values(**seen, **columns), changed
        )
    return [alert for alert in same if alert.pending_since <= time.ahead]


def _among(tx: Connection, ids: list[int]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that together are met by these alerts; one list is read far quicker than many parameters."""
    if ids and dialect_of(tx).documents:
        yield alerts.c.id == any_(literal(ids, ARRAY(alerts.c.id.type)))
        return
    for part in batches(ids):
        yield alerts.c.id.in_(part)


def _open(tx: Connection, ids: list[int], now: datetime) -> list[StoredAlert]:
    found: list[StoredAlert] = []
    for part in batches(ids):
        statement = update(alerts).where(alerts.c.id.in_(part), alerts.c.state == PENDING)
        made = tx.execute(statement.values(state=OPEN, opened_at=now).returning(*COLUMNS))
        found += map(record, made.mappings())
    return found


def _forget(tx: Connection, ids: list[int]) -> None:
    for part in batches(ids):
        tx.execute(delete(alerts).where(alerts.c.id.in_(part), alerts.c.state == PENDING))


def _resolve(tx: Connection, over: list[StoredAlert], time: _Time) -> list[StoredAlert]:
    made: set[int] = set()
    for among in _among(tx, [alert.id for alert in over]):
        statement = update(alerts).where(among, time.mine())
        made.update(tx.scalars(statement.values(state=RESOLVED, resolved_at=time.look).returning(alerts.c.id)))
    return [replace(alert, state=RESOLVED, resolved_at=time.look) for alert in over if alert.id in made]
