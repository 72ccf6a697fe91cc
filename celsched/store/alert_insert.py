"""Owns how new alerts are written: many in one statement, none of a fingerprint that lives already. It never judges."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from celsched.store.bulk_insert import BulkInsert
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
_ALERTS = BulkInsert(alerts, _NAMES, returning=(alerts.c.fingerprint, alerts.c.id))


def insert_alerts(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Write those whose fingerprint does not live, and return their ids by fingerprint; of two writers one makes it."""
    return {row.fingerprint: row.id for row in _ALERTS.insert(tx, rows)}
