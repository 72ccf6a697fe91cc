"""Judges how long executions run, by their own history, and whether their workers still say so. It reads no facts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from celsched.domain.health.finding import Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.rules import Rule
from celsched.domain.health.subjects import by_subject, evidence_of, living_of, same, schedule_of
from celsched.domain.health.work_facts import USUAL, Run, Success

_USUAL_LONGEST, _USUAL_SHORTEST = 0.95, 0.05


def needs_history(look: Look, runs: Iterable[Run], fresh: Iterable[int]) -> set[int]:
    """Return the schedules whose last successes judges will ask for.

    Those that run for longer than any limit made of their history could be, those that have just succeeded, and those
    of which something was too short: their newest success says whether it still is.
    """
    wanted = {
        run.schedule_id for run in runs if run.schedule_id is not None and _asks_history(look, run, AlertKind.TOO_LONG)
    }
    wanted |= {one for one in fresh if one in look.schedules and _by_history(look.rule(AlertKind.TOO_SHORT, one))}
    living = (schedule_of(alert.scope) for alert in living_of(look, AlertKind.TOO_SHORT))
    return wanted | {one for one in living if one is not None and one in look.schedules}


def _asks_history(look: Look, run: Run, kind: AlertKind) -> bool:
    rule = look.rule(kind, run.schedule_id, run.labels, run.task_id)
    return _by_history(rule) and look.now - run.started_at > rule.length("extra")


def _by_history(rule: Rule) -> bool:
    return rule.enabled and rule.parameters["limit"] is None


def too_long(look: Look) -> Iterator[Finding]:
    """Attempts that run longer than their limit, else than they usually do; critical from the soft time limit on."""
    for scope, runs in by_subject(look.work.running if look.work else ()).items():
        over = [run for run in runs if _is_over(look, run)]
        if not over:
            continue
        worst = min(over, key=lambda run: run.started_at)
        took = look.now - worst.started_at
        at_soft = worst.soft_limit is not None and took >= worst.soft_limit
        usual = "" if (limit := _usual_limit(look, worst)) is None else f", usually at most {span(limit[1])}"
        more = f" ({len(over) - 1} more run too long)" if len(over) > 1 else ""
        yield Finding(
            AlertKind.TOO_LONG,
            scope,
            Severity.CRITICAL if at_soft else Severity.WARNING,
            worst.subject,
            f'execution {worst.execution} of "{worst.subject}" has been running for {span(took)}{usual}{more}',
            look.since(AlertKind.TOO_LONG, scope, worst.started_at),
            worst.schedule_id,
            labels=worst.labels,
            evidence=evidence_of(
                look,
                worst.schedule_id,
                worst.execution,
                worst.fire_time,
                count=len(over),
                command=f"celsched logs {worst.execution} --follow",
            ),
        )


def _is_over(look: Look, run: Run) -> bool:
    rule = look.rule(AlertKind.TOO_LONG, run.schedule_id, run.labels, run.task_id)
    limit: timedelta | None = rule.length("limit") or None
    if limit is None and (usual := _usual_limit(look, run)) is not None:
        limit = usual[0]
    took = look.now - run.started_at
    at_soft = run.soft_limit is not None and took >= run.soft_limit
    return at_soft or (limit is not None and took > limit)


def _usual_limit(look: Look, run: Run) -> tuple[timedelta, timedelta] | None:
    """Return the limit made of the schedule's history, and its p95; None where a limit is set or too few succeeded."""
    rule = look.rule(AlertKind.TOO_LONG, run.schedule_id, run.labels, run.task_id)
    past = look.work.history.get(run.schedule_id, ())[:USUAL] if look.work and run.schedule_id is not None else ()
    if rule.parameters["limit"] is not None or len(past) < rule.number("least_runs"):
        return None
    p95 = percentile([one.took for one in past], _USUAL_LONGEST)
    return max(rule.number("factor") * p95, p95 + rule.length("extra")), p95


def too_short(look: Look) -> Iterator[Finding]:
    """Schedules whose newest success took less than the limit, else than it usually does."""
    if look.work is None:
        return
    living = {schedule_of(alert.scope): alert for alert in living_of(look, AlertKind.TOO_SHORT)}
    for schedule_id in sorted({*look.work.fresh, *(one for one in living if one is not None)}):
        watched = look.schedules.get(schedule_id)
        past = look.work.history.get(schedule_id, ())
        newest = look.work.fresh.get(schedule_id) or (past[0] if past else None)
        alert = living.get(schedule_id)
        if watched is None or newest is None:
            continue
        if alert is not None and alert.evidence.execution == newest.execution:
            yield same(alert)
        elif (usual := _too_short_for(look.rule(AlertKind.TOO_SHORT, schedule_id), newest, past)) is not None:
            yield Finding(
                AlertKind.TOO_SHORT,
                f"schedule:{schedule_id}",
                Severity.WARNING,
                watched.name,
                f'execution {newest.execution} of "{watched.name}" succeeded after only {exact(newest.took)}, {usual}',
                look.since(AlertKind.TOO_SHORT, f"schedule:{schedule_id}", newest.ended_at),
                schedule_id,
                event_at=newest.ended_at,
                evidence=evidence_of(
                    look,
                    schedule_id,
                    newest.execution,
                    newest.fire_time,
                    command=f"celsched logs {newest.execution}",
                ),
            )


def _too_short_for(rule: Rule, newest: Success, past: Sequence[Success]) -> str | None:
    """Return what it should have taken, None where it took long enough or nothing is known."""
    limit = rule.length("limit")
    if limit:
        return f"less than its limit of {exact(limit)}" if newest.took < limit else None
    # Without itself: among few it would be its own measure.
    others = [one.took for one in past if one.execution != newest.execution][:USUAL]
    if len(others) < rule.number("least_runs"):
        return None
    usual = percentile(others, _USUAL_SHORTEST)
    return f"usually at least {exact(usual)}" if newest.took < usual / rule.number("factor") else None


def stuck_no_heartbeat(look: Look) -> Iterator[Finding]:
    """Executions that run, as far as the store knows, and whose worker has not reported them for some heartbeats."""
    for scope, runs in by_subject(look.work.running if look.work else ()).items():
        rule = look.rule(AlertKind.STUCK_NO_HEARTBEAT, runs[0].schedule_id, runs[0].labels, runs[0].task_id)
        silent = [run for run in runs if run.silent > rule.number("heartbeats") * look.heartbeat]
        if not silent:
            continue
        worst = max(silent, key=lambda run: run.silent)
        more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
        yield Finding(
            AlertKind.STUCK_NO_HEARTBEAT,
            scope,
            Severity.CRITICAL,
            worst.subject,
            f'execution {worst.execution} of "{worst.subject}"{more} runs, and worker {worst.worker} has been silent '
            f"for {span(worst.silent)}",
            look.since(AlertKind.STUCK_NO_HEARTBEAT, scope, look.now - worst.silent),
            worst.schedule_id,
            labels=worst.labels,
            evidence=evidence_of(look, worst.schedule_id, worst.execution, worst.fire_time, count=len(silent)),
        )


def percentile(lengths: Iterable[timedelta], share: float) -> timedelta:
    """Return the length below which this share of them (at least one) lies, between two of them where it falls so."""
    ordered = sorted(lengths)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def exact(length: timedelta) -> str:
    """Return a short length with what `span` rounds away."""
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 10 else span(length)


JUDGES: Mapping[AlertKind, Judge] = {
    AlertKind.TOO_LONG: too_long,
    AlertKind.TOO_SHORT: too_short,
    AlertKind.STUCK_NO_HEARTBEAT: stuck_no_heartbeat,
}
