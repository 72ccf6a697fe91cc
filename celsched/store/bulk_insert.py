"""Owns the INSERT of many rows at once, quick on both databases. It never knows what the rows are.

A PostgreSQL statement with a parameter for each value takes far longer to be read, and lists, one for each column, are
written by the driver's Python: one JSON document takes a third of that. With SQLite nothing is sent anywhere, and one
statement with many rows of values would take 25 times as long to be read as many with one row each.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Connection, Row, Table, Text, bindparam, cast, column, func, select

from celsched.store.dialect import POSTGRESQL, SQLITE, dialect_of

_MOST = 5000
"""Rows in one statement, so that none grows without end."""
_DOCUMENT = "document"


class BulkInsert:
    """Inserts rows of these columns; one that is there already is left as it is."""

    def __init__(self, table: Table, names: Sequence[str], returning: Sequence[Column[Any]] = ()) -> None:
        self._by_rows = SQLITE.insert(table).on_conflict_do_nothing()
        self._at_once = _from_document(table, names).on_conflict_do_nothing()
        self._returns = bool(returning)
        if returning:
            self._by_rows = self._by_rows.returning(*returning)
            self._at_once = self._at_once.returning(*returning)

    def insert(self, tx: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Row[Any]]:
        """Insert rows that have all the columns; return what is to be returned of those that were not there."""
        made: list[Row[Any]] = []
        for start in range(0, len(rows), _MOST):
            some = rows[start : start + _MOST]
            if dialect_of(tx).documents:
                found = tx.execute(self._at_once, {_DOCUMENT: _encoded(some)})
            else:
                found = tx.execute(self._by_rows, some)
            made += found if self._returns else ()
        return made


def _from_document(table: Table, names: Sequence[str]) -> Any:
    columns = (column(name, table.c[name].type) for name in names)
    document = cast(bindparam(_DOCUMENT, type_=Text()), JSON())
    given = func.json_to_recordset(document).table_valued(*columns, name="given").render_derived(with_types=True)
    return POSTGRESQL.insert(table).from_select(names, select(given))


def _encoded(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_instant)


def _instant(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"no JSON for {value!r:.60}")
    if value.tzinfo is None:
        raise ValueError(f"naive instant {value!r}: the store takes aware ones only")
    return value.isoformat()
