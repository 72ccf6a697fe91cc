"""Owns what a watcher remembers of how deep queues were, a sample a minute. It never judges.

The samples are in its memory only: a watcher that has just started knows nothing of before, so for two minutes it
neither says that a queue grows nor that its backlog is over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celsched.domain.health.work_facts import Sample, Waiting

_EVERY = 60.0
_LATE = 180.0
"""Seconds between two samples, and after how many the former say nothing of now any more."""
_KEPT = 3


@dataclass(slots=True)
class QueueSamples:
    """The last samples of each queue in which something waits; for one watcher only."""

    _samples: dict[str, list[Sample]] = field(default_factory=dict)
    _taken_at: float | None = None

    def take(self, waiting: Iterable[Waiting], now: datetime, monotonic: float) -> Mapping[str, Sequence[Sample]]:
        """Return the samples, with a new one where the last is a minute old; a look may be taken again."""
        since = None if self._taken_at is None else monotonic - self._taken_at
        if since is not None and since < _EVERY:
            return self._samples
        before = {} if since is None or since > _LATE else self._samples
        found: dict[str, tuple[int, timedelta]] = {}
        for one in waiting:
            depth, age = found.get(one.queue, (0, timedelta(0)))
            found[one.queue] = depth + one.count, max(age, now - one.due_at)
        self._samples = {queue: [*before.get(queue, ()), Sample(*values)][-_KEPT:] for queue, values in found.items()}
        self._taken_at = monotonic
        return self._samples
