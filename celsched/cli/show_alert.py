"""Owns the fields of one alert and their order, and how the messages about it read. It never looks anything up."""

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from celsched.cli.table import Column, Kind, Table
from celsched.domain.health.kinds import KINDS, AlertKind, Severity
from celsched.operations.alerts import Detail
from celsched.store.alerts import OPEN, StoredAlert
from celsched.store.notices import FAILED, PENDING, SENT, STALE
from celsched.store.told import LOOKED_AT, Telling

_WAITS, _REFUSED, _GIVEN_UP = "waits", "refused", "given up"
_BECAME = {SENT: "sent", FAILED: _GIVEN_UP, STALE: "replaced"}
_TITLES = {"seen_at": "last seen", "command": "next command", "count": "how many"}
_APART = {"messages", "more_messages"}
"""Fields that a person reads as a list below the others."""
_FIRST = ("id", "kind", "severity", "state", "subject", "summary", "command", "runbook")
_MESSAGE = (
    Column("channel", kind=Kind.WORD),
    Column("reason", kind=Kind.WORD),
    Column("became", "message", kind=Kind.WORD, style=lambda word: "red" if word in {_REFUSED, _GIVEN_UP} else None),
    Column("created_at", "made", Kind.WALL, rank=2),
    Column("sent_at", "sent", Kind.TIME),
    Column("next_try_at", "next try", Kind.DUE),
    Column("error", least=20, most_lines=3),
)
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
        "messages": [_message(one) for one in found.told.messages],
        "more_messages": found.told.more,
    }
    styles = {"severity": severity_style}
    return [
        (Column(key, _TITLES.get(key), kind=_kind(value), style=styles.get(key)), value) for key, value in row.items()
    ]


def known_fields(found: Detail) -> list[tuple[Column, Any]]:
    """Return the fields in which there is something, with what to type at once: half of an alert may be blank."""
    fields = [
        (column, value)
        for column, value in alert_fields(found)
        if value is not None and value not in ("", {}) and column.key not in _APART
    ]
    return sorted(fields, key=lambda field: _FIRST.index(field[0].key) if field[0].key in _FIRST else len(_FIRST))


def messages_table(found: Detail) -> Table:
    """Return for eyes the messages that told of it, newest first."""
    rows = [{**_message(one), "became": _became(one)} for one in found.told.messages]
    return Table(busy(_MESSAGE, rows, {"sent_at", "next_try_at", "error"}), rows, "channel")


def message_remarks(found: Detail, channels: Mapping[str, bool]) -> Iterator[str]:
    """Yield what else is to be known of its messages; `channels`: which are set, and whether each is pushed to."""
    alert, told = found.alert, found.told
    heard = {one.channel for one in told.messages}
    if alert.kind is AlertKind.STORE_DOWN:
        yield "messages: `celsched watch` sends those about the store itself, and keeps none"
    elif not told.messages:
        yield "messages: none is known that told of it"
    if not channels:
        yield "no channel is set"
    for name in (name for name, pushes in channels.items() if pushes and name not in heard):
        yield f"channel '{name}': only its newest push is kept, and that does not tell of it"
    if told.more:
        yield f"only the newest {LOOKED_AT} messages were looked at; older ones may have told of it too"


def _message(one: Telling) -> dict[str, Any]:
    return {
        "channel": one.channel,
        "reason": one.reason,
        "state": one.state,
        "created_at": one.created_at,
        "sent_at": one.sent_at,
        "next_try_at": one.next_try_at,
        "error": one.error,
    }


def _became(one: Telling) -> str:
    if one.state == PENDING:
        return _REFUSED if one.failures else _WAITS
    return _BECAME.get(one.state, one.state)


def _kind(value: object) -> Kind:
    # When it began is compared with logs, and with what others say of that hour: "41 s ago" alone is no help there.
    return Kind.BOTH if isinstance(value, datetime) else Kind.TEXT
