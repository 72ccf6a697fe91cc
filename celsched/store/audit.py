"""Owns the insert-only record of who changed what. It never updates or deletes an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from celsched.domain.execution import Requester
from celsched.store.rows import audit_details
from celsched.store.tables_watch import audit

DAEMON = "celsched"
"""The user name under which a daemon's own decisions are audited."""
EDIT = "edit"
"""The action of a change of a definition that was made by hand, and not by applying a manifest."""
CONFIRM = "confirm"
"""The action of a manifest that says of a definition what somebody had made of it by hand."""
WRITES = ("create", "update", "adopt", "delete", CONFIRM, EDIT)
"""What is done to definitions. After anything but an edit one is as its manifest says, or as nobody's does."""


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


def done(tx: Connection, by: Requester, event: Event, at: datetime) -> Mapping[str, Any] | None:
    """Return the details of this deed of this person at exactly this instant; None where it was not done.

    A command that took its instant before its transaction, and is run again because the reply to a COMMIT was lost,
    learns from it that it has done its work. The details of `event` are not compared.
    """
    which = (audit.c.at == at, audit.c.user == by.user, audit.c.host == by.host, audit.c.action == event.action,
             audit.c.kind == event.kind, audit.c.subject == event.subject)  # fmt: skip
    found = tx.execute(select(audit.c.details).where(*which).limit(1)).first()
    return None if found is None else dict(found.details)
