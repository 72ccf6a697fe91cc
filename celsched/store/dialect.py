"""Owns what differs between the two databases, in one record. It never runs a statement."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Table, Text
from sqlalchemy.dialects import postgresql, sqlite


@dataclass(frozen=True, slots=True)
class Dialect:
    """Facts of a database that queries depend on."""

    name: str
    row_locks: bool
    """Whether SELECT .. FOR UPDATE [SKIP LOCKED] exists; without it one writer at a time holds the whole file."""
    notifies: bool
    """Whether NOTIFY exists; without it a change shows in PRAGMA data_version."""
    documents: bool
    """Whether rows can come as one document, and ids as one list, to share a round trip; a file needs none."""
    begin_write: str
    """What opens a writing transaction."""
    limits: str | None
    """A statement that sets the limits of the transaction it is the first statement of."""
    by_index: str | None
    """A statement after which the transaction goes by indexes only; where it is missing the planner does anyway."""

    def insert(self, table: Table) -> Any:
        """Return the dialect's INSERT, which has `on_conflict_do_nothing` and `on_conflict_do_update`."""
        made: Insert = postgresql.insert(table) if self.name == "postgresql" else sqlite.insert(table)
        return made


def _limits(statement: str, lock: str, idle: str) -> str:
    # As part of the transaction, not of the session, so that a pooler in transaction mode works.
    return (
        f"SELECT set_config('statement_timeout', '{statement}', true), set_config('lock_timeout', '{lock}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{idle}', true)"
    )


def _off(*settings: str) -> str:
    return "SELECT " + ", ".join(f"set_config('{setting}', 'off', true)" for setting in settings)


POSTGRESQL = Dialect(
    "postgresql",
    row_locks=True,
    notifies=True,
    documents=True,
    begin_write="BEGIN",
    limits=_limits("5s", "3s", "10s"),
    by_index=_off("enable_seqscan", "enable_bitmapscan", "enable_sort"),
)
# Deferred BEGIN ends in "database is locked" at once, whatever the busy timeout (measured, reliability.md section 2).
SQLITE = Dialect(
    "sqlite",
    row_locks=False,
    notifies=False,
    documents=False,
    begin_write="BEGIN IMMEDIATE",
    limits=None,
    by_index=None,
)


def dialect_of(tx: Connection) -> Dialect:
    """Return the dialect of the database that a transaction is open on."""
    return SQLITE if tx.dialect.name == SQLITE.name else POSTGRESQL


def unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the value of a column as no index holds it.

    SQLite keeps no statistics: it takes an index of a key before one of a time, however many rows share the key; for
    a window over a key it reads the whole table in the order of its index, for an order by id in that of the ids.
    """
    return column + ("" if isinstance(column.type, Text) else 0)
