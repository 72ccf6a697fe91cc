"""Owns how alerts stand in lists, for people and for programs. It never looks one up."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from celsched.cli.table import Column, Kind
from celsched.domain.health.kinds import Severity
from celsched.store.alerts import OPEN, StoredAlert

_COLOURS = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def severity_style(value: object) -> str | None:
    """Return the style of a severity."""
    return _COLOURS.get(Severity(str(value)))


EYES = (
    Column("id", kind=Kind.WORD),
    Column("severity", kind=Kind.WORD, style=severity_style),
    Column("what", "alert", least=30),
    Column("marks", least=10, rank=1),
    Column("since", kind=Kind.TIME, rank=2),
)
"""An alert in a list for a person: kind and summary are one sentence, which has the room that the terminal has."""


def eyes_row(alert: StoredAlert) -> dict[str, Any]:
    """Return the values of `EYES`."""
    return {**alert_row(alert), "what": f"{alert.kind}: {alert.summary}", "marks": _marks(alert)}


def _marks(alert: StoredAlert) -> str | None:
    """Return in few words what keeps messages about it from being sent."""
    marks = [
        alert.state if alert.state != OPEN else None,
        f"ack {alert.acknowledged_by}" if alert.acknowledged_by else None,
        f"silence {alert.silence_id}" if alert.silence_id is not None else None,
        f"muted by {alert.muted_by}" if alert.muted_by else None,
    ]
    return ", ".join(mark for mark in marks if mark) or None


def busy(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], idle: Container[str]) -> list[Column]:
    """Return the columns without those of `idle` in which there is nothing in any row."""
    return [one for one in columns if one.key not in idle or any(row[one.key] for row in rows)]


def alert_row(alert: StoredAlert) -> Mapping[str, Any]:
    """Return what lists and programs get of an alert."""
    evidence = alert.evidence
    return {
        "id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "subject": alert.subject,
        "summary": alert.summary,
        "since": alert.since,
        "opened_at": alert.opened_at,
        "seen_at": alert.seen_at,
        "resolved_at": alert.resolved_at,
        "resolved_by": alert.resolved_by,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": alert.acknowledged_by,
        "note": alert.note,
        "silence_id": alert.silence_id,
        "muted_by": alert.muted_by,
        "queue_name": alert.queue,
        "labels": dict(alert.labels),
        "execution_id": evidence.execution,
        "fire_time": evidence.fire_time,
        "last_success_at": evidence.last_success_at,
        "error": evidence.error,
        "count": evidence.count,
        "command": evidence.command,
        "runbook": evidence.runbook,
        "fingerprint": alert.fingerprint,
    }
