"""Owns how new alerts are written: many in one statement, none of a fingerprint that lives already. It never judges."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from celsched.store.dialect import POSTGRESQL, SQLITE, dialect_of
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
            found = tx.execute(_FROM_ARRAYS, {name: [row[name] for row in some] for name in _NAMES})
        else:
            found = tx.execute(_ROW_BY_ROW, some)
        made.update((row.fingerprint, row.id) for row in found)
    return made


def _from_arrays() -> Any:
    """Return the INSERT that takes a list for each column: a parameter for each value takes far longer to be read."""
    columns = [alerts.c[name] for name in _NAMES]
    lists = (bindparam(one.name, type_=ARRAY(one.type)) for one in columns)
    rows = func.unnest(*lists).table_valued(*(column(one.name, one.type) for one in columns), name="found")
    made = POSTGRESQL.insert(alerts).from_select(_NAMES, select(rows.render_derived()))
    return made.on_conflict_do_nothing().returning(*_MADE)


_FROM_ARRAYS = _from_arrays()
_ROW_BY_ROW = SQLITE.insert(alerts).on_conflict_do_nothing().returning(*_MADE)
