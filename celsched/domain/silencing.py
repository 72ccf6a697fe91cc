"""Decides what no message is sent about: what a person silenced, and what another alert or a pause speaks for.

It never sends, and never hides an alert from who asks for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import KINDS, AlertKind

LONGEST = timedelta(days=30)
"""How long a silence may last at most: one that nobody ends must not hide something for ever."""
PAUSED = "paused"
"""What mutes the alerts of a paused schedule, where an alert's kind mutes the others."""
_NOT_BY_A_PAUSE = {
    AlertKind.AUTO_PAUSED,
    AlertKind.PAUSED_TOO_LONG,
    AlertKind.TOO_LONG,  # a pause stops fire times; what runs goes on
    AlertKind.STUCK_NO_HEARTBEAT,
}
_MATCHERS = {"kinds", "subject", "queue", "labels"}
_MUTERS = frozenset(kind for row in KINDS.values() for kind in row.muted_by)


@dataclass(frozen=True, slots=True)
class Matchers:
    """What a silence is about: each one that says something must fit. `subject` is a glob; letter case counts.

    `strange`: kinds of another version, which no alert here has: one that names only these must not fit everything.
    """

    kinds: frozenset[AlertKind] = frozenset()
    subject: str | None = None
    queue: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    strange: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether they say nothing, and so fit everything."""
        return not (self.kinds or self.strange or self.subject or self.queue or self.labels)

    def fit(self, alert: Alert) -> bool:
        """Return whether the alert is meant."""
        return (
            (not (self.kinds or self.strange) or alert.kind in self.kinds)
            and (self.subject is None or _like(alert.subject, self.subject))
            and (self.queue is None or alert.queue == self.queue)
            and all(alert.labels.get(name) == value for name, value in self.labels.items())
        )


def _like(subject: str, pattern: str) -> bool:
    """Whether a pattern fits in which only * and ? mean something: names may well hold brackets."""
    return fnmatchcase(subject, pattern.replace("[", "[[]"))


def encode_matchers(matchers: Matchers) -> dict[str, Any]:
    """Return matchers as the store keeps them; `decode_matchers` gives back equal ones."""
    found: dict[str, Any] = {
        "kinds": sorted([*matchers.kinds, *matchers.strange]),
        "subject": matchers.subject,
        "queue": matchers.queue,
        "labels": dict(matchers.labels),
    }
    return {name: value for name, value in found.items() if value}


def decode_matchers(raw: Mapping[str, Any]) -> Matchers:
    """Return matchers from the store; a kind that this version does not know matches nothing more.

    Raises:
        ValueError: they are not what `encode_matchers` makes, and may not be taken for fewer.
    """
    kinds, words, labels = raw.get("kinds", ()), [raw.get("subject"), raw.get("queue")], raw.get("labels", {})
    if not isinstance(kinds, list | tuple) or not isinstance(labels, Mapping) or raw.keys() - _MATCHERS:
        raise ValueError(f"no matchers of a silence: {dict(raw)!r:.80}")
    if not all(isinstance(word, str | None) for word in words) or not all(isinstance(word, str) for word in kinds):
        raise ValueError(f"no matchers of a silence: {dict(raw)!r:.80}")
    known = {kind.value for kind in AlertKind}
    return Matchers(
        kinds=frozenset(AlertKind(word) for word in kinds if word in known),
        subject=words[0],
        queue=words[1],
        labels=labels,
        strange=frozenset(word for word in kinds if word not in known),
    )


@dataclass(frozen=True, slots=True)
class Silence:
    """No messages about what matches, from `starts_at` up to `ends_at`."""

    id: int
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    author: str
    host: str
    reason: str
    created_at: datetime

    def active(self, now: datetime) -> bool:
        """Return whether it is in force."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Hush:
    """Why no message is sent about an alert: the silence, and what mutes it; None for neither."""

    silence: int | None = None
    muted_by: str | None = None

    def __bool__(self) -> bool:
        return self.silence is not None or self.muted_by is not None


class Hushing:
    """What is silenced and muted at one moment; asked about each alert.

    An open alert with a queue mutes only alerts of that queue, one without mutes all of the kinds that it speaks for.
    """

    def __init__(self, silences: Iterable[Silence], alerts: Iterable[Alert], now: datetime) -> None:
        active = (one for one in silences if one.active(now))
        self._silences = sorted(active, key=lambda one: one.ends_at, reverse=True)
        found: dict[AlertKind, set[str | None]] = {}
        for alert in alerts:
            if alert.open and alert.kind in _MUTERS:
                found.setdefault(alert.kind, set()).add(alert.queue)
        self._muters = {kind: found[kind] for kind in KINDS if kind in found}

    def of(self, alert: Alert) -> Hush:
        """Return what silences it (of several silences the one that ends last) and what mutes it."""
        silence = next((one.id for one in self._silences if one.matchers.fit(alert)), None)
        return Hush(silence, self._muter(alert))

    def _muter(self, alert: Alert) -> str | None:
        # An end is told all the same: a pause may last for weeks, and who deletes the schedule never ends it.
        if alert.paused and not alert.over and alert.kind not in _NOT_BY_A_PAUSE:
            return PAUSED
        for kind, queues in self._muters.items():
            if kind in KINDS[alert.kind].muted_by and (None in queues or alert.queue in queues):
                return kind.value
        return None
