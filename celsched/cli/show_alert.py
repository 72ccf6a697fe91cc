"""Owns the fields of one alert and their order. It never looks anything up."""

from datetime import datetime
from typing import Any

from celsched.cli.alert_list import alert_row, severity_style
from celsched.cli.alert_messages import message_row
from celsched.cli.table import Column, Kind
from celsched.domain.health.kinds import KINDS
from celsched.operations.alerts import Detail

_TITLES = {"seen_at": "last seen", "command": "next command", "count": "how many"}
_APART = {"messages", "more_messages"}
"""Fields that a person reads as a list below the others."""
_FIRST = ("id", "kind", "severity", "state", "subject", "summary", "command", "runbook")


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
        "messages": [message_row(one) for one in found.told.messages],
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


def _kind(value: object) -> Kind:
    # When it began is compared with logs, and with what others say of that hour: "41 s ago" alone is no help there.
    return Kind.BOTH if isinstance(value, datetime) else Kind.TEXT
