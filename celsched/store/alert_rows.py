"""Owns how a row of the alerts becomes a record: what of it must be sound, and what is believed where it is not.

It never decides about alerts. A row may come from a newer version, or from somebody's own hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select

from celsched.domain.health.finding import Evidence
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.store.readable import readable
from celsched.store.tables_watch import alerts


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert with its life so far. `pending_since`: when it was first seen."""

    id: int
    fingerprint: str
    kind: AlertKind
    severity: Severity
    state: str
    schedule_id: int | None
    queue: str | None
    labels: Mapping[str, str]
    subject: str
    summary: str
    details: Mapping[str, Any]
    pending_since: datetime
    opened_at: datetime | None
    seen_at: datetime
    event_at: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None
    muted_by: str | None
    silence_id: int | None

    @property
    def scope(self) -> str:
        """What of its kind it is about."""
        return self.fingerprint.partition(":")[2]

    @property
    def since(self) -> datetime:
        """From when on it is wrong."""
        return instant(self.details.get("since")) or self.pending_since

    @property
    def evidence(self) -> Evidence:
        """What a message tells besides the summary."""
        return Evidence(**_plain(self.details), **_instants(self.details))


COLUMNS = [alerts.c[field.name] for field in fields(StoredAlert)]
_MUST_BE: Mapping[str, type] = {"fingerprint": str, "subject": str, "summary": str, "labels": dict, "details": dict}
_INSTANTS = ("fire_time", "last_success_at")
_TYPES: Mapping[str, type] = {"execution": int, "count": int, "error": str, "command": str, "runbook": str}


def instant(text: object) -> datetime | None:
    """Return the aware instant that a text names, None of anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def sound_evidence(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evidence among an alert's details, instants as their text; what is not of its type is left out."""
    return _plain(details) | {name: details[name] for name in _instants(details)}


def _plain(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: details[name] for name, kind in _TYPES.items() if isinstance(details.get(name), kind)}


def _instants(details: Mapping[str, Any]) -> dict[str, Any]:
    read = {name: instant(details[name]) for name in _INSTANTS if name in details}
    return {name: value for name, value in read.items() if value is not None}


def sound(row: Mapping[str, Any] | RowMapping) -> dict[str, Any]:
    """Return the values of a row, kind and severity as such; raise ValueError of one that nobody could work with."""
    values = dict(zip(row.keys(), row.values(), strict=True))  # twice as quick as dict(row)
    values["kind"], values["severity"] = AlertKind(values["kind"]), Severity(values["severity"])
    for name, kind in _MUST_BE.items():
        if not isinstance(values[name], kind):
            raise ValueError(f"`{name}` is {values[name]!r:.60}")
    return values


def record(row: Mapping[str, Any] | RowMapping) -> StoredAlert:
    """Return the alert of a row of `COLUMNS`; raise ValueError of one that nobody could work with."""
    return StoredAlert(**sound(row))


def records(tx: Connection, query: Select[Any], gaps: list[Gap] | None = None) -> list[StoredAlert]:
    """Return the alerts of a query of `COLUMNS`; one that cannot be read is left out, and added to `gaps`."""
    return readable(tx, query, alerts.c.id, "alert", record, gaps)
