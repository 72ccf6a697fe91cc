"""Owns watched schedules, troubles and looks for tests of judges. It never reads a store."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from celsched.domain.execution import State
from celsched.domain.health.finding import Finding
from celsched.domain.health.judge import examine
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Look
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import Living, RuleBook, Trouble, Watched
from celsched.domain.state import ScheduleState

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NAME = "گزارش شبانه"
BOOK = RuleBook({AlertKind.LATE_START: Tuning(parameters={"threshold": 5 * MINUTE}), AlertKind.FAILED: Tuning(True)})


def make_watched(**values: Any) -> Watched:
    """Return an hourly schedule that succeeded half an hour ago; what is named differs, also of its state.

    `tunings` is the layer of its own.
    """
    tunings, schedule_id = values.pop("tunings", {}), values.pop("id", 1)
    names = set(ScheduleState.__slots__)
    state = ScheduleState(
        schedule_id=schedule_id,
        revision=1,
        base=NOW - 30 * DAY,
        cursor=NOW - 30 * MINUTE,
        next_fire_time=NOW + 30 * MINUTE,
        wake_at=NOW + 30 * MINUTE,
        runs=500,
        last_fire_time=NOW - 30 * MINUTE,
        last_success_at=NOW - 29 * MINUTE,
        success_streak=5,
        active_since=NOW - 30 * DAY,
    )
    made = Watched(
        id=schedule_id,
        name=NAME,
        task_id=7,
        task="task",
        queue="صف",
        labels={"set": "مالی"},
        enabled=True,
        schedule_type="cron",
        rule="30 * * * *",
        timezone="UTC",
        end_at=None,
        max_runs=None,
        created_at=NOW - 30 * DAY,
        updated_at=NOW - 30 * DAY,
        state=replace(state, **{name: value for name, value in values.items() if name in names}),
        recent="sssss",
        rules=BOOK.rules({"set": "مالی"}, [tunings]),
    )
    return replace(made, **{name: value for name, value in values.items() if name not in names})


def make_trouble(state: State = State.FAILED, **values: Any) -> Trouble:
    """Return a trouble of the schedule 1, five minutes old."""
    made = Trouble(
        execution=42,
        schedule_id=1,
        task_id=7,
        task="task",
        state=state,
        reason=None,
        fire_time=NOW - 10 * MINUTE,
        ended_at=NOW - 5 * MINUTE,
        count=1,
        error="Traceback\nValueError: خطا",
        error_type="ValueError",
        worker="w1",
    )
    return replace(made, **values)


def make_look(*watched: Watched, living: Iterable[Finding] = (), **values: Any) -> Look:
    """Return a look at these schedules; `living` are findings that opened before."""
    alive = {
        one.fingerprint: Living(
            one.kind,
            one.scope,
            one.severity,
            True,
            NOW,
            one.event_at,
            one.subject,
            one.summary,
            one.since,
            one.evidence,
            one.schedule_id,
        )
        for one in living
    }
    schedules = {one.id: one for one in watched}
    made = Look(now=NOW, heartbeat=timedelta(seconds=10), schedules=schedules, living=alive, rules=BOOK)
    return replace(made, **values)


def found(kind: AlertKind, *watched: Watched, **values: Any) -> Finding | None:
    """Return the finding of a kind in a look, None where there is none; there must not be two."""
    findings = [finding for finding in examine(make_look(*watched, **values)).findings if finding.kind is kind]
    assert len(findings) <= 1, findings
    return findings[0] if findings else None
