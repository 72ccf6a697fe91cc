"""Owns reading the living alerts again: only what has changed since they were read is parsed anew.

Ten thousand alerts are read in well under a second, but three times a look that adds up, and inside a transaction that
writes nobody else may write on SQLite meanwhile. It never decides about alerts.
"""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, select

from celsched.store.alert_rows import COLUMNS, StoredAlert, records
from celsched.store.batches import batches
from celsched.store.dialect import unindexed
from celsched.store.readable import attempt
from celsched.store.tables_watch import LIVING, alerts

_OTHERS = ("acknowledged_at", "acknowledged_by", "note", "muted_by", "silence_id")
_others = attrgetter(*_OTHERS)
_MARKS = [alerts.c[name] for name in ("id", "state", "seen_at", *_OTHERS)]
"""What tells that an alert has changed: a look that writes what is wrong also writes `seen_at`."""


def living_again(
    tx: Connection, before: Iterable[StoredAlert], *, seen_at: datetime | None = None, only: str | None = None
) -> list[StoredAlert]:
    """Return every alert that is not resolved, as it is now; `before` are some as they were read or written before.

    `seen_at`: when those of `before` must be seen last to be as they were, where it is not what they say themselves;
    `only`: the state that is wanted. Those that cannot be read are left out.
    """
    wanted = (LIVING,) if only is None else (LIVING, alerts.c.state == only)
    known = {(one.id, one.state, seen_at or one.seen_at, *_others(one)): one for one in before}
    query = select(*_MARKS).where(*wanted)
    marks = attempt(lambda: [tuple(row) for row in tx.execute(query)], (), {}) if known else None
    if marks is None:  # nothing is known, or one that cannot be read hides the others
        return records(tx, select(*COLUMNS).where(*wanted).order_by(unindexed(alerts.c.id)))
    found = [known[mark] for mark in marks if mark in known]
    for part in batches(mark[0] for mark in marks if mark not in known):
        found += records(tx, select(*COLUMNS).where(*wanted, alerts.c.id.in_(part)))
    return sorted(found, key=lambda one: one.id)
