"""Owns looks for tests of judges: a watched schedule, the alerts that a look left, and what is found next.

It never reads a store.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from celsched.domain.health.finding import Finding
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Look
from celsched.domain.health.rules import Layer, Tuning, rule_of
from celsched.domain.health.watched import Living, RuleBook, Watched
from celsched.domain.state import ScheduleState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEARTBEAT = timedelta(seconds=10)
NAME = "گزارش شبانه"
Judge = Callable[[Look], Iterator[Finding]]


def tuned(kind: AlertKind, **parameters: Any) -> dict[AlertKind, Tuning]:
    """Return a layer that sets these parameters of one kind."""
    return {kind: Tuning(parameters=parameters)}


def watched(number: int = 1, *, queue: str = "default", own: Layer | None = None, **values: Any) -> Watched:
    """Return an active schedule; keys of its state go there, the rest are its fields; `own`: its alert rules."""
    of_state = {key: values.pop(key) for key in list(values) if key in ScheduleState.__slots__}
    due = {"next_fire_time": NOW, "wake_at": NOW, **of_state}
    fields: dict[str, Any] = {
        "id": number,
        "name": NAME,
        "task_id": 10,
        "task": "task",
        "labels": {},
        "enabled": True,
        "schedule_type": "cron",
        "rule": "0 * * * *",
        "timezone": "UTC",
        "end_at": None,
        "max_runs": None,
        "created_at": NOW - timedelta(days=30),
        "updated_at": NOW - timedelta(days=30),
        "recent": "",
        "rules": {kind: rule_of(kind, [own or {}]) for kind in AlertKind},
        "state": ScheduleState(schedule_id=number, revision=1, base=NOW, cursor=NOW, **due),
        **values,
    }
    return Watched(queue=queue, **fields)


def look(*, now: datetime = NOW, schedules: Iterable[Watched] = (), general: Layer | None = None, **facts: Any) -> Look:
    """Return a look with these facts; `general`: the alert rules of the settings."""
    by_id = {one.id: one for one in schedules}
    return Look(now=now, heartbeat=HEARTBEAT, schedules=by_id, rules=RuleBook(general or {}), **facts)


def left(*findings: Finding, opened: bool = True) -> Mapping[str, Living]:
    """Return the alerts that these findings left: open, or still pending."""
    return {
        one.fingerprint: Living(
            one.kind,
            one.scope,
            one.severity,
            opened,
            NOW - timedelta(minutes=1),
            one.event_at,
            one.subject,
            one.summary,
            one.since,
            one.evidence,
            one.schedule_id,
        )
        for one in findings
    }


def only(judge: Judge, seen: Look) -> Finding:
    """Return the one thing that this judge finds."""
    (found,) = judge(seen)
    return found


def nothing(judge: Judge, seen: Look) -> bool:
    """Whether this judge finds nothing."""
    return not list(judge(seen))
