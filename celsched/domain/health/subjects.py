"""Owns what findings about executions and schedules share: scope, words, evidence, going on. It judges nothing."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol, TypeVar

from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Look
from celsched.domain.health.watched import Living, Watched
from celsched.domain.health.words import command as about_schedule

NEXT_COMMANDS = {
    AlertKind.DST_AHEAD: "next",
    AlertKind.DURATION_DRIFT: "stats performance --schedule",
    AlertKind.FAILURE_RATE: "show schedule",
    AlertKind.BAD_DEFINITION: "show schedule",
    AlertKind.AUTO_PAUSED: "resume",
    AlertKind.PAUSED_TOO_LONG: "resume",
}
"""The command to type about a schedule, where it is not `why`."""


class Subject(Protocol):
    """Whose execution it is: a schedule, or a task where somebody asked for one."""

    @property
    def schedule_id(self) -> int | None:
        """The schedule, if any."""
        ...

    @property
    def task_id(self) -> int:
        """The task."""
        ...


S = TypeVar("S", bound=Subject)


def scope_of(one: Subject) -> str:
    """Return the scope of a finding about an execution."""
    return f"schedule:{one.schedule_id}" if one.schedule_id is not None else f"task:{one.task_id}"


def by_subject(items: Iterable[S]) -> dict[str, list[S]]:
    """Return the items by the scope of their findings."""
    found: dict[str, list[S]] = {}
    for item in items:
        found.setdefault(scope_of(item), []).append(item)
    return found


def evidence_of(
    look: Look,
    schedule_id: int | None,
    execution: int,
    fire_time: datetime | None,
    *,
    count: int = 1,
    command: str = "",
) -> Evidence:
    """Return what is known of an execution; `command` is by default to show it."""
    watched = None if schedule_id is None else look.schedules.get(schedule_id)
    return Evidence(
        execution=execution,
        fire_time=fire_time,
        last_success_at=watched.state.last_success_at if watched else None,
        command=command or f"celsched show execution {execution}",
        count=count,
    )


def about(
    kind: AlertKind,
    watched: Watched,
    summary: str,
    since: datetime,
    *,
    fire_time: datetime | None = None,
    count: int = 1,
) -> Finding:
    """Return a finding about a schedule, at its kind's severity, with what to type about it."""
    return Finding(
        kind,
        watched.scope,
        watched.rules[kind].kind.severity,
        watched.name,
        summary,
        since,
        watched.id,
        evidence=Evidence(
            fire_time=fire_time,
            last_success_at=watched.state.last_success_at,
            error=watched.state.error,
            command=about_schedule(NEXT_COMMANDS.get(kind, "why"), watched.name),
            count=count,
        ),
    )


def living_of(look: Look, kind: AlertKind) -> Iterator[Living]:
    """Yield the alerts of a kind that live."""
    return (alert for alert in look.living.values() if alert.kind is kind)


def same(alert: Living) -> Finding:
    """Return the finding of an alert that goes on as it is."""
    return Finding(
        alert.kind,
        alert.scope,
        alert.severity,
        alert.subject,
        alert.summary,
        alert.since or alert.pending_since,
        alert.schedule_id,
        event_at=alert.event_at,
        evidence=alert.evidence,
    )


def schedule_of(scope: str) -> int | None:
    """Return the schedule that a scope names, None where it names something else."""
    return _number("schedule", scope)


def task_of(scope: str) -> int | None:
    """Return the task that a scope names, None where it names something else."""
    return _number("task", scope)


def _number(wanted: str, scope: str) -> int | None:
    word, _, number = scope.partition(":")
    return int(number) if word == wanted and number.isdecimal() else None
