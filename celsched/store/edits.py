"""Owns what is read of definitions that people changed by hand beside their manifest. It never judges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, case, func, select

from celsched.domain.hand_edits import Differences, with_edit
from celsched.domain.health.watched import Edited
from celsched.store.audit import EDIT, WRITES
from celsched.store.batches import batches
from celsched.store.tables import schedules, tasks
from celsched.store.tables_watch import audit

_LATE = 1000
"""So many events are looked for again: a transaction may commit after one that began later."""
_TABLES: Mapping[str, Table] = {"task": tasks, "schedule": schedules}
_FIELDS = case((audit.c.action == EDIT, audit.c.details)).label("fields")
_EVENTS = (
    select(audit.c.id, audit.c.at, audit.c.user, audit.c.action, audit.c.kind, audit.c.subject, _FIELDS)
    .where(audit.c.kind.in_(_TABLES), audit.c.action.in_(WRITES))
    .order_by(audit.c.id)
)
_EDITED = select(audit.c.subject).where(audit.c.kind.in_(_TABLES), audit.c.action == EDIT)
"""Everything that was ever edited: without an index for it the audit is read, so once is enough."""


@dataclass(frozen=True, slots=True)
class _Edits:
    """Edits of one definition since its manifest was last applied; `by` and `at` are of the first."""

    differences: Differences
    by: str
    at: datetime


def edited_by_hand(tx: Connection, kind: str, names: Iterable[str]) -> set[str]:
    """Return those of `names` that people made other than a manifest last said."""
    edits: dict[tuple[str, str], _Edits] = {}
    for part in batches(set(names).intersection(tx.scalars(_EDITED.where(audit.c.kind == kind)))):
        for event in tx.execute(_EVENTS.where(audit.c.kind == kind, audit.c.subject.in_(part))):
            _take(edits, event)
    return {name for _, name in edits}


class EditReader:
    """Follows the audit: each look reads only what has been added to it."""

    def __init__(self) -> None:
        self._last = 0
        self._lately: frozenset[int] = frozenset()
        self._edits: dict[tuple[str, str], _Edits] = {}

    def look(self, tx: Connection) -> list[Edited]:
        """Return every live definition of a set that differs from what its manifest last said."""
        newest = max(self._last, tx.scalar(select(func.max(audit.c.id))) or 0)
        events = self._new(tx)
        edits = dict(self._edits)
        for event in events:
            _take(edits, event)
        lately = self._lately | {event.id for event in events}
        self._last, self._lately = newest, frozenset(one for one in lately if one > newest - _LATE)
        self._edits = edits
        return [one for kind in _TABLES for one in self._living(tx, kind)]

    def _new(self, tx: Connection) -> Sequence[Any]:
        query = _EVENTS.where(audit.c.id > self._last - _LATE)
        if not self._last:  # of years, perhaps: most definitions were never edited
            query = query.where(audit.c.subject.in_(_EDITED))
        return [event for event in tx.execute(query) if event.id not in self._lately]

    def _living(self, tx: Connection, kind: str) -> list[Edited]:
        table, found = _TABLES[kind], list[Edited]()
        for part in batches(name for one, name in self._edits if one == kind):
            query = select(table.c.id, table.c.name, table.c.owner).where(
                table.c.name.in_(part), table.c.deleted_at.is_(None), table.c.owner.is_not(None)
            )
            for row in tx.execute(query.order_by(table.c.id)):
                edits = self._edits[kind, row.name]
                found.append(Edited(kind, row.id, row.name, row.owner, tuple(edits.differences), edits.by, edits.at))
        return found


def _take(edits: dict[tuple[str, str], _Edits], event: Any) -> None:
    key = (event.kind, event.subject)
    before = edits.pop(key, None)
    if event.action == EDIT:
        left = with_edit(before.differences if before else {}, event.fields)
        if left:
            edits[key] = _Edits(left, before.by if before else event.user, before.at if before else event.at)
