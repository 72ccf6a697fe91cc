"""Owns how new alerts are written: many in one statement, none of a fingerprint that lives already. It never judges."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from celsched.store.dialect import SQLITE, dialect_of
from celsched.store.lists import insert_from_lists
from celsched.store.tables_watch import alerts

_NAMES = (
    "fingerprint",
    "kind",
    "severity",
    "state",
    "schedule_id",
    "subject",
    "summary",
    "details",
    "queue",
    "labels",
    "event_at",
    "pending_since",
    "opened_at",
    "seen_at",
)
_MOST = 5000
"""Alerts in one statement, so that none grows without end."""
_MADE = (alerts.c.fingerprint, alerts.c.id)


def insert_alerts(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Write those whose fingerprint does not live, and return their ids by fingerprint; of two writers one makes it."""
    made: dict[str, int] = {}
    for start in range(0, len(rows), _MOST):
        some = rows[start : start + _MOST]
        if dialect_of(tx).arrays:
            found = tx.execute(_FROM_LISTS, {name: [row[name] for row in some] for name in _NAMES})
        else:
            found = tx.execute(_ROW_BY_ROW, some)
        made.update((row.fingerprint, row.id) for row in found)
    return made


_FROM_LISTS = insert_from_lists(alerts, _NAMES).returning(*_MADE)
_ROW_BY_ROW = SQLITE.insert(alerts).on_conflict_do_nothing().returning(*_MADE)
