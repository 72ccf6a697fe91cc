"""Owns the record of an alert as messages see it: what is wrong, since when, and what marks it. It never judges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celsched.domain.health.kinds import AlertKind, Severity


@dataclass(frozen=True, slots=True)
class Alert:
    """One life of an alert. `open` False with `resolved_at` None is pending, with an instant there it is resolved.

    `since`: from when on it is wrong; `opened_at`: when a watcher opened it. `evidence` is that of its finding as the
    store keeps it: instants as RFC 3339. `paused`: its schedule is; `flaps`: it opens and resolves too often to be told
    each time.
    """

    id: int
    fingerprint: str
    kind: AlertKind
    severity: Severity
    open: bool
    subject: str
    summary: str
    since: datetime
    opened_at: datetime | None = None
    resolved_at: datetime | None = None
    schedule_id: int | None = None
    queue: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    acknowledged: bool = False
    paused: bool = False
    flaps: bool = False

    @property
    def over(self) -> bool:
        """Whether it is resolved."""
        return self.resolved_at is not None
