"""Owns the insert-only record of who changed what. It never updates or deletes an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from celsched.domain.execution import Requester
from celsched.store.rows import audit_details
from celsched.store.tables import audit

DAEMON = "celsched"
"""The user name under which a daemon's own decisions are audited."""


@dataclass(frozen=True, slots=True)
class Event:
    """What was done to which object; `kind` is task, schedule, execution, store."""

    action: str
    kind: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)


def write(tx: Connection, by: Requester, event: Event, now: datetime) -> None:
    """Record a change in the transaction that makes it."""
    tx.execute(
        insert(audit).values(
            at=now,
            user=by.user,
            host=by.host,
            token=by.token,
            action=event.action,
            kind=event.kind,
            subject=event.subject,
            details=audit_details(event.details),
        )
    )
