"""Judges what went wrong with executions: one event that stays until a success. It never reads facts.

What a person started by hand of a task without a schedule is that person's to see, but for a function that is missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from celsched.domain.execution import FAILURES, Reason, State
from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import KINDS, AlertKind, Severity
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.subjects import about, living_of, same, schedule_of, task_of
from celsched.domain.health.watched import Living, Trouble, Watched
from celsched.domain.health.words import command, error_line, moment

_MISSED = {Reason.TOO_LATE, Reason.MISFIRE_SKIP, Reason.CATCH_UP_CAP}


def _judge(kind: AlertKind, say: Callable[[Watched, Trouble], str]) -> Judge:
    """Return the judge of one kind of trouble: open from its newest case on until the schedule's next success."""

    def judge(look: Look) -> Iterator[Finding]:
        newest = _newest(look, lambda trouble: is_case(kind, trouble.state, trouble.reason))
        yield from _open(look, kind, newest, say)
        yield from _lasting(look, kind, newest)

    return judge


def _newest(look: Look, wanted: Callable[[Trouble], bool]) -> dict[int, Trouble]:
    """Return the newest such trouble of each schedule."""
    return {
        one.schedule_id: one
        for one in look.troubles
        if one.schedule_id is not None and one.schedule_id in look.schedules and wanted(one)
    }


def _open(
    look: Look, kind: AlertKind, newest: Mapping[int, Trouble], say: Callable[[Watched, Trouble], str]
) -> Iterator[Finding]:
    """Yield what went wrong and has not been followed by a success."""
    for schedule_id, trouble in newest.items():
        watched = look.schedules[schedule_id]
        if not _better_since(watched, trouble.ended_at):
            since = look.since(kind, watched.scope, _began(watched, trouble))
            yield _finding(kind, watched.scope, watched, trouble, say(watched, trouble), since)


def _lasting(look: Look, kind: AlertKind, judged: Iterable[int]) -> Iterator[Finding]:
    """Yield the alerts that go on without a newer case; `judged`: the schedules about which all is said."""
    known = set(judged)
    for alert in living_of(look, kind):
        schedule_id = schedule_of(alert.scope) or 0
        if schedule_id not in known and _goes_on(look, alert, schedule_id):
            yield same(alert)


def missed(look: Look) -> Iterator[Finding]:
    """Fire times that nothing ran for; those for which a later one stands are information only.

    That never lowers an alert about a real one, nor goes beside it: one that is over resolves first, and the
    information, if there is any, is told by the next look.
    """
    kind = AlertKind.MISSED
    skipped = _newest(look, lambda trouble: trouble.reason in _MISSED)
    yield from _open(look, kind, skipped, _missed)
    real = {number for number, one in skipped.items() if not _better_since(look.schedules[number], one.ended_at)}
    real |= {schedule_of(alert.scope) or 0 for alert in living_of(look, kind) if alert.severity is not Severity.INFO}
    coalesced = _newest(look, lambda trouble: trouble.reason == Reason.COALESCED and trouble.schedule_id not in real)
    yield from _open(look, kind, coalesced, _stood_in)
    yield from _lasting(look, kind, {*skipped, *coalesced})


def is_information(finding: Finding) -> bool:
    """Return whether it is told for information only, whatever severity its rule gives to its kind."""
    return finding.kind is AlertKind.MISSED and finding.severity is Severity.INFO


def _began(watched: Watched, trouble: Trouble) -> datetime:
    """Return when it began: with the first of those seen together, unless a success lies between."""
    first = trouble.first_at
    return trouble.ended_at if first is None or _better_since(watched, first) else first


def _better_since(watched: Watched, instant: datetime) -> bool:
    success = watched.state.last_success_at
    return success is not None and success >= instant


def _goes_on(look: Look, alert: Living, schedule_id: int) -> bool:
    watched = look.schedules.get(schedule_id)
    return watched is not None and not _better_since(watched, alert.event_at or alert.pending_since)


def _finding(
    kind: AlertKind, scope: str, watched: Watched | None, trouble: Trouble, summary: str, since: datetime
) -> Finding:
    skipped = trouble.state is State.SKIPPED
    evidence = Evidence(
        execution=trouble.execution,
        fire_time=trouble.fire_time,
        last_success_at=watched.state.last_success_at if watched else None,
        error=error_line(trouble.error),
        command=command("why", watched.name) if skipped and watched else f"celsched logs {trouble.execution}",
        count=trouble.count,
    )
    stood_in = kind is AlertKind.MISSED and trouble.reason == Reason.COALESCED
    return Finding(
        kind,
        scope,
        Severity.INFO if stood_in else KINDS[kind].severity,
        watched.name if watched else trouble.task,
        summary,
        since,
        trouble.schedule_id,
        event_at=trouble.ended_at,
        evidence=evidence,
    )


def _missed(watched: Watched, trouble: Trouble) -> str:
    when = f" {moment(trouble.fire_time, watched.timezone)}" if trouble.fire_time else ""
    missed = "was missed" if trouble.count == 1 else f"and {trouble.count - 1} more were missed"
    return f'the fire time{when} of "{watched.name}" {missed}: skipped as {trouble.reason}'


def _stood_in(watched: Watched, trouble: Trouble) -> str:
    when = f" {moment(trouble.fire_time, watched.timezone)}" if trouble.fire_time else ""
    one = trouble.count == 1
    coalesced = "was coalesced" if one else f"and {trouble.count - 1} more were coalesced"
    return f'the fire time{when} of "{watched.name}" {coalesced}: a later one stands for {"it" if one else "them"}'


def _ended(words: str) -> Callable[[Watched, Trouble], str]:
    def say(watched: Watched, trouble: Trouble) -> str:
        error = error_line(trouble.error)
        return f'execution {trouble.execution} of "{watched.name}" {words}' + (f": {error}" if error else "")

    return say


def _lost(watched: Watched, trouble: Trouble) -> str:
    worker = f" {trouble.worker}" if trouble.worker else ""
    return f'execution {trouble.execution} of "{watched.name}" was lost with its worker{worker}'


def _expired(watched: Watched, trouble: Trouble) -> str:
    return f'execution {trouble.execution} of "{watched.name}" was not started before its start_deadline'


def unknown_task(look: Look) -> Iterator[Finding]:
    """A worker could not find or import the function of a task; whoever asked for it."""
    newest = {trouble.task_id: trouble for trouble in look.troubles if trouble.unknown_task}
    for task_id, trouble in newest.items():
        success = look.task_successes.get(task_id)
        if task_id in look.task_successes and (success is None or success < trouble.ended_at):
            watched = look.schedules.get(trouble.schedule_id or 0)
            summary = f'no worker can run the task "{trouble.task}": {error_line(trouble.error)}'
            kind, scope = AlertKind.UNKNOWN_TASK, f"task:{task_id}"
            since = look.since(kind, scope, trouble.ended_at)
            yield replace(_finding(kind, scope, watched, trouble, summary, since), subject=trouble.task)
    for alert in living_of(look, AlertKind.UNKNOWN_TASK):
        task_id = task_of(alert.scope) or 0
        success = look.task_successes.get(task_id)
        since = alert.event_at or alert.pending_since
        if task_id not in newest and task_id in look.task_successes and (success is None or success < since):
            yield same(alert)


def consecutive_failures(look: Look) -> Iterator[Finding]:
    """So many final failures in a row; over after so many successes in a row."""
    kind = AlertKind.CONSECUTIVE_FAILURES
    for watched in look.schedules.values():
        streak = watched.state.failure_streak
        alert = look.alert(kind, watched.scope)
        if not streak and alert is None:
            continue
        rule = watched.rules[kind]
        if streak >= rule.number("count"):
            failed_at = watched.state.last_failure_at or look.now
            text = f'"{watched.name}" failed {streak} times in a row'
            found = about(kind, watched, text, look.since(kind, watched.scope, failed_at), count=streak)
            yield replace(found, event_at=failed_at)
        elif alert is not None and watched.state.success_streak < rule.number("recovery"):
            yield same(alert)


_STATES: Mapping[AlertKind, frozenset[State]] = {
    AlertKind.FAILED: frozenset({State.FAILED}),
    AlertKind.TIMEOUT: frozenset({State.TIMED_OUT}),
    AlertKind.LOST_WORKER: frozenset({State.LOST}),
    AlertKind.EXPIRED_IN_QUEUE: frozenset({State.EXPIRED}),
    AlertKind.CONSECUTIVE_FAILURES: FAILURES,
}


def is_case(kind: AlertKind, state: State, reason: str | None) -> bool:
    """Return whether an execution that ended so is a case of this kind."""
    if kind is AlertKind.MISSED:
        return reason in _MISSED or reason == Reason.COALESCED
    return state in _STATES.get(kind, ())


JUDGES: Mapping[AlertKind, Judge] = {
    AlertKind.MISSED: missed,
    AlertKind.FAILED: _judge(AlertKind.FAILED, _ended("failed")),
    AlertKind.CONSECUTIVE_FAILURES: consecutive_failures,
    AlertKind.TIMEOUT: _judge(AlertKind.TIMEOUT, _ended("timed out")),
    AlertKind.LOST_WORKER: _judge(AlertKind.LOST_WORKER, _lost),
    AlertKind.EXPIRED_IN_QUEUE: _judge(AlertKind.EXPIRED_IN_QUEUE, _expired),
    AlertKind.UNKNOWN_TASK: unknown_task,
}
