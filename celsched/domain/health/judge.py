"""Judges facts: which alerts they call for, and which open ones are over. It never reads facts and never notifies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celsched.domain.health.kinds import AlertKind, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong now. `scope` with the kind identifies it: a schedule or task, never an execution."""

    kind: AlertKind
    scope: str
    severity: Severity
    subject: str
    summary: str
    since: datetime
    schedule_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """The key under which at most one alert lives."""
        return f"{self.kind}:{self.scope}"


@dataclass(frozen=True, slots=True)
class LateStart:
    """Executions of one subject that should have started: how many, and the one that waits longest."""

    subject: str
    schedule_id: int | None
    task_id: int
    count: int
    oldest_id: int
    oldest_dispatch_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What a look at the store found."""

    active_schedules: int
    daemon_beat_at: datetime | None
    daemon_stopped_at: datetime | None
    late: Sequence[LateStart]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How much silence or lateness is accepted."""

    heartbeat: timedelta
    late_start: timedelta

    @property
    def silence(self) -> timedelta:
        """After how long without a beat an instance counts as gone."""
        return 3 * self.heartbeat


def examine(facts: Facts, limits: Thresholds, now: datetime) -> list[Finding]:
    """Return everything that is wrong now."""
    findings = [*_daemon(facts, limits, now)]
    for late in facts.late:
        waited = now - late.oldest_dispatch_at
        if waited <= limits.late_start:
            continue
        severity = Severity.CRITICAL if waited > 3 * limits.late_start else Severity.WARNING
        scope = f"schedule:{late.schedule_id}" if late.schedule_id is not None else f"task:{late.task_id}"
        many = f" and {late.count - 1} more" if late.count > 1 else ""
        summary = f"execution {late.oldest_id} of {late.subject!r}{many} has not started for {_minutes(waited)}"
        findings.append(
            Finding(
                AlertKind.LATE_START,
                scope,
                severity,
                late.subject,
                summary,
                late.oldest_dispatch_at,
                late.schedule_id,
                {"execution": late.oldest_id, "count": late.count},
            )
        )
    return findings


def _daemon(facts: Facts, limits: Thresholds, now: datetime) -> Iterable[Finding]:
    heard = facts.daemon_beat_at
    if not facts.active_schedules or (heard is not None and now - heard <= limits.silence):
        return
    if heard is not None:
        summary = f"no daemon is running: the last one was heard of {_minutes(now - heard)} ago"
    elif facts.daemon_stopped_at is not None:
        summary = f"no daemon is running: the last one was stopped {_minutes(now - facts.daemon_stopped_at)} ago"
    else:
        summary = "no daemon has ever run on this store"
    since = heard or facts.daemon_stopped_at or now
    plural = "" if facts.active_schedules == 1 else "s"
    summary += f"; {facts.active_schedules} active schedule{plural} wait for one (`celsched run`)"
    yield Finding(AlertKind.DAEMON_DOWN, "all", Severity.CRITICAL, "daemon", summary, since)


def _minutes(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
