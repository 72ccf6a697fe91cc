"""Owns reading the living alerts again: only what has changed since they were read is parsed anew.

Ten thousand alerts are read in well under a second, but three times a look that adds up, and inside a transaction that
writes nobody else may write on SQLite meanwhile. It never decides about alerts.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, select

from celsched.domain.health.gap import Gap
from celsched.store.alert_rows import COLUMNS, StoredAlert, records
from celsched.store.batches import batches
from celsched.store.dialect import unindexed
from celsched.store.readable import attempt
from celsched.store.tables_watch import LIVING, alerts

_OTHERS = ("acknowledged_at", "acknowledged_by", "note", "muted_by", "silence_id")
_others = attrgetter(*_OTHERS)
_MARKS = [alerts.c[name] for name in ("id", "state", "seen_at", *_OTHERS)]

Mark = tuple[object, ...]
"""What tells that an alert has changed: a look that writes what is wrong also writes `seen_at`."""
Known = Mapping[Mark, StoredAlert]
"""Alerts as they were read or written before. Their own `seen_at` may be older than that of their mark."""


def marked(found: Iterable[StoredAlert], seen_at: datetime | None = None) -> dict[Mark, StoredAlert]:
    """Return alerts by their marks; `seen_at`: when they were seen last, where it is not what they say themselves."""
    return {(one.id, one.state, seen_at or one.seen_at, *_others(one)): one for one in found}


def living_again(
    tx: Connection, known: Known, *, only: str | None = None, gaps: list[Gap] | None = None
) -> dict[Mark, StoredAlert]:
    """Return every alert that is not resolved, as it is now, by its mark and in the order of their ids.

    `only`: the state that is wanted. Those that cannot be read are left out, and added to `gaps`.
    """
    wanted = (LIVING,) if only is None else (LIVING, alerts.c.state == only)
    query = select(*_MARKS).where(*wanted)
    marks = attempt(lambda: [tuple(row) for row in tx.execute(query)], (), {}) if known else None
    if marks is None:  # nothing is known, or one that cannot be read hides the others
        return marked(records(tx, select(*COLUMNS).where(*wanted).order_by(unindexed(alerts.c.id)), gaps))
    found = {mark: known[mark] for mark in marks if mark in known}
    for part in batches(mark[0] for mark in marks if mark not in known):
        found |= marked(records(tx, select(*COLUMNS).where(*wanted, alerts.c.id.in_(part)), gaps))
    return dict(sorted(found.items(), key=lambda item: item[1].id))
