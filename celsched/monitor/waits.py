"""Owns what a watcher remembers of how long schedules' messages usually wait. It never judges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celsched.store import watch_work
from celsched.store.store import Tx

_KEPT = timedelta(minutes=10)
"""How long waits are remembered before they are read anew."""
_AT_ONCE = 200
"""Of so many schedules at most they are read in one look: when all of ten thousand wait, the others have their turn."""


@dataclass(slots=True)
class WaitMemory:
    """The waits of schedules of which something waits; for one watcher only."""

    _waits: dict[int, tuple[datetime, Sequence[timedelta]]] = field(default_factory=dict)

    def of(self, tx: Tx, wanted: Sequence[int], now: datetime) -> Mapping[int, Sequence[timedelta]]:
        """Return the waits of these schedules, the most urgent first; of those never read yet nothing."""
        kept = {key: self._waits[key] for key in wanted if key in self._waits}
        new = [key for key in wanted if key not in kept]
        old = [key for key in wanted if key in kept and abs(now - kept[key][0]) >= _KEPT]
        asked = [*new, *old][:_AT_ONCE]
        read = watch_work.waits(tx, asked) if asked else {}
        self._waits = kept | {key: (now, read.get(key, ())) for key in asked}
        return {key: waits for key, (_, waits) in self._waits.items()}
