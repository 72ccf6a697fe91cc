"""Owns the record of something that is wrong. It never decides that it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from celsched.domain.health.kinds import AlertKind, Severity


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a message tells besides the summary; what is not known is None."""

    execution: int | None = None
    fire_time: datetime | None = None
    last_success_at: datetime | None = None
    error: str | None = None
    """The last line of the error, already masked."""
    command: str | None = None
    """What to type next, such as `celsched why nightly`."""
    count: int = 1
    runbook: str | None = None
    """The address of what to do, as somebody gave it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong now.

    `scope` with the kind is its identity: `schedule:ID`, `task:ID`, `queue:NAME`, `host:NAME`, `channel:NAME`, `all`;
    never an execution or an instant. `since`: from when on it is wrong. `event_at`: of an event kind, when the newest
    such event happened; one that a person resolved comes back only with a newer event.
    """

    kind: AlertKind
    scope: str
    severity: Severity
    subject: str
    summary: str
    since: datetime
    schedule_id: int | None = None
    queue: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    event_at: datetime | None = None
    hold: timedelta = timedelta(0)
    evidence: Evidence = Evidence()

    @property
    def fingerprint(self) -> str:
        """The key under which at most one alert lives."""
        return f"{self.kind}:{self.scope}"


def span(length: timedelta) -> str:
    """Return a length of time for people, in its largest fitting unit."""
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"
