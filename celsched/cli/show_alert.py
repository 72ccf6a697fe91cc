"""Owns the fields of one alert and their order. It never looks anything up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from celsched.cli.table import Column, Kind
from celsched.domain.health.kinds import KINDS, Severity
from celsched.operations.alerts import Detail
from celsched.store.alerts import StoredAlert

_COLOURS = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def severity_style(value: object) -> str | None:
    """Return the style of a severity."""
    return _COLOURS.get(Severity(str(value)))


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


def alert_fields(found: Detail) -> list[tuple[Column, Any]]:
    """Return the fields of one alert: what is wrong, what is known, what was done, how it ends."""
    kind = KINDS[found.alert.kind]
    row = dict(alert_row(found.alert))
    row |= {
        "silenced_by": found.silence.author if found.silence else None,
        "silence_reason": found.silence.reason if found.silence else None,
        "silenced_until": found.silence.ends_at if found.silence else None,
        "opens_when": kind.about,
        "over_when": kind.over,
    }
    styles = {"severity": severity_style}
    return [(Column(key, kind=_kind(value), style=styles.get(key)), value) for key, value in row.items()]


def _kind(value: object) -> Kind:
    # When it began is compared with logs, and with what others say of that hour: "41 s ago" alone is no help there.
    return Kind.BOTH if isinstance(value, datetime) else Kind.TEXT
