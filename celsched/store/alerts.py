"""Owns alerts: states that open and resolve, at most one living one per fingerprint. It never decides which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from celsched.domain.health import AlertKind, Finding, Severity
from celsched.store.dialect import POSTGRESQL, SQLITE
from celsched.store.rows import audit_details
from celsched.store.tables_watch import alerts


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert with its life so far."""

    id: int
    fingerprint: str
    kind: AlertKind
    severity: Severity
    state: str
    subject: str
    summary: str
    details: Any
    opened_at: datetime | None
    seen_at: datetime
    resolved_at: datetime | None


def _record(row: Any) -> StoredAlert:
    values = {name: row[name] for name in StoredAlert.__slots__}
    return StoredAlert(**values | {"kind": AlertKind(values["kind"]), "severity": Severity(values["severity"])})


def living(tx: Connection) -> list[StoredAlert]:
    """Return every alert that is not resolved."""
    query = select(alerts).where(alerts.c.state != "resolved").order_by(alerts.c.id)
    return [_record(row) for row in tx.execute(query).mappings()]


@dataclass(frozen=True, slots=True)
class Flips:
    """What a look changed."""

    opened: Sequence[StoredAlert]
    resolved: Sequence[StoredAlert]


def settle(tx: Connection, findings: Iterable[Finding], now: datetime) -> Flips:
    """Open what is wrong, renew what still is, resolve what is over; of several watchers one does each."""
    known = {alert.fingerprint: alert for alert in living(tx)}
    wrong = {finding.fingerprint: finding for finding in findings}
    opened = [key for key in wrong if key not in known and _open(tx, wrong[key], now)]
    for key in wrong.keys() & known.keys():
        _renew(tx, known[key].id, wrong[key], now)
    resolved = [known[key] for key in known.keys() - wrong.keys() if _resolve(tx, known[key].id, now)]
    after = {alert.fingerprint: alert for alert in living(tx)}
    return Flips([after[key] for key in opened if key in after], sorted(resolved, key=lambda alert: alert.id))


def _open(tx: Connection, finding: Finding, now: datetime) -> bool:
    dialect = SQLITE if tx.dialect.name == "sqlite" else POSTGRESQL
    made = tx.execute(
        dialect.insert(alerts)
        .values(
            fingerprint=finding.fingerprint,
            kind=finding.kind,
            severity=finding.severity,
            state="open",
            schedule_id=finding.schedule_id,
            subject=finding.subject,
            summary=finding.summary,
            details=audit_details(finding.details),
            pending_since=finding.since,
            opened_at=now,
            seen_at=now,
        )
        .on_conflict_do_nothing()
        .returning(alerts.c.id)
    )
    return made.scalar_one_or_none() is not None


def _renew(tx: Connection, alert_id: int, finding: Finding, now: datetime) -> None:
    tx.execute(
        update(alerts)
        .where(alerts.c.id == alert_id, alerts.c.state != "resolved")
        .values(
            severity=finding.severity,
            summary=finding.summary,
            details=audit_details(finding.details),
            seen_at=now,
        )
    )


def _resolve(tx: Connection, alert_id: int, now: datetime) -> bool:
    done = tx.execute(
        update(alerts)
        .where(alerts.c.id == alert_id, alerts.c.state != "resolved")
        .values(state="resolved", resolved_at=now)
    )
    return bool(done.rowcount == 1)
