"""Judges what waits: for a start, in queues, for workers, to be sent; and what came twice. It reads no facts.

How executions run is judged in `running`, for how long their messages lie in a queue in `queued`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from shlex import quote

from celsched.domain.execution import State
from celsched.domain.health import queued, running
from celsched.domain.health.finding import Evidence, Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.machine_facts import Seen
from celsched.domain.health.subjects import by_subject, evidence_of
from celsched.domain.health.work_facts import Waiting

_PATIENCE = 3
"""Heartbeats after which a silent worker consumes nothing."""


def late_start(look: Look) -> Iterator[Finding]:
    """First attempts that have not started within the threshold; critical at three times that."""
    waiting = look.work.waiting if look.work else ()
    for scope, group in by_subject(one for one in waiting if not one.retries).items():
        late = min(group, key=lambda one: (one.due_at, one.oldest))
        limit = look.rule(AlertKind.LATE_START, late.schedule_id, late.labels, late.task_id).length("threshold")
        waited = look.now - late.due_at
        if waited <= limit:
            continue
        count = sum(one.count for one in group)
        many = f" and {count - 1} more" if count > 1 else ""
        yield Finding(
            AlertKind.LATE_START,
            scope,
            Severity.CRITICAL if waited > 3 * limit else Severity.WARNING,
            late.subject,
            f'execution {late.oldest} of "{late.subject}"{many} has not started for {span(waited)}',
            late.due_at,
            late.schedule_id,
            late.queue,
            late.labels,
            evidence=evidence_of(look, late.schedule_id, late.oldest, late.fire_time, count=count),
        )


@dataclass(slots=True)
class _Line:
    """A queue: how many wait in it, and the one that waits longest."""

    depth: int
    oldest: Waiting


def backlog(look: Look) -> Iterator[Finding]:
    """Queues in which too many wait, or one for too long; open until both are below half of that."""
    lines: dict[str, _Line] = {}
    for one in look.work.waiting if look.work else ():
        line = lines.setdefault(one.queue, _Line(0, one))
        line.depth += one.count
        line.oldest = min(line.oldest, one, key=lambda each: (each.due_at, each.oldest))
    for queue, line in sorted(lines.items()):
        labels = {"queue": queue}
        rule, age = look.rule(AlertKind.BACKLOG, None, labels), look.now - line.oldest.due_at
        living = look.alert(AlertKind.BACKLOG, f"queue:{queue}")
        share = 0.5 if living is not None and living.open else 1.0
        if line.depth <= share * rule.number("depth") and age <= share * rule.length("age"):
            continue
        period = _shortest_period(look, queue)
        beyond = period is not None and age > period
        than = f", longer than the {span(period)} between its fire times" if period is not None and beyond else ""
        yield Finding(
            AlertKind.BACKLOG,
            f"queue:{queue}",
            Severity.CRITICAL if beyond else Severity.WARNING,
            queue,
            f'{line.depth} executions wait in queue "{queue}", the oldest for {span(age)}{than}',
            line.oldest.due_at,
            queue=queue,
            labels=labels,
            evidence=Evidence(execution=line.oldest.oldest, count=line.depth, command="celsched doctor"),
        )


def _shortest_period(look: Look, queue: str) -> timedelta | None:
    """Return the shortest time between the last and the next fire time of an active schedule of this queue."""
    states = (one.state for one in look.schedules.values() if one.queue == queue and one.active)
    gaps = (
        state.next_fire_time - state.last_fire_time
        for state in states
        if state.next_fire_time is not None and state.last_fire_time is not None
    )
    return min((gap for gap in gaps if gap > timedelta(0)), default=None)


def no_worker(look: Look) -> Iterator[Finding]:
    """Queues of active schedules that no living worker consumes."""
    if look.work is None:
        return
    served = {queue for one in look.work.workers if one.lives(_PATIENCE * look.heartbeat) for queue in one.queues}
    if look.work.one_queue in served:
        return
    waiting: dict[str, int] = {}
    for one in look.schedules.values():
        told = one.rules[AlertKind.NO_WORKER].enabled
        if told and one.active and one.state.wake_at is not None and one.queue not in served:
            waiting[one.queue] = waiting.get(one.queue, 0) + 1
    for queue, count in sorted(waiting.items()):
        living = look.alert(AlertKind.NO_WORKER, f"queue:{queue}")
        many = "1 active schedule uses" if count == 1 else f"{count} active schedules use"
        yield Finding(
            AlertKind.NO_WORKER,
            f"queue:{queue}",
            Severity.CRITICAL,
            queue,
            f'no worker consumes queue "{queue}", which {many}',
            (living.since if living else None) or look.now,
            queue=queue,
            labels={"queue": queue},
            evidence=Evidence(
                count=count,
                command="celsched run" if look.work.one_queue else f"celsched worker --queues {quote(queue)}",
            ),
        )


def outbox_stuck(look: Look) -> Iterator[Finding]:
    """Executions that are due and that no daemon has sent, or could send, for some time."""
    unsent = [one for one in (look.work.waiting if look.work else ()) if one.state is not State.QUEUED]
    oldest = min(unsent, key=lambda one: (one.due_at, one.oldest), default=None)
    if oldest is None or look.now - oldest.due_at <= look.rule(AlertKind.OUTBOX_STUCK).length("after"):
        return
    count = sum(one.count for one in unsent)
    many = f" and {count - 1} more" if count > 1 else ""
    yield Finding(
        AlertKind.OUTBOX_STUCK,
        "all",
        Severity.CRITICAL,
        "outbox",
        f'execution {oldest.oldest} of "{oldest.subject}"{many} has been due for {span(look.now - oldest.due_at)} '
        "and was not sent to its queue",
        oldest.due_at,
        evidence=Evidence(oldest.oldest, oldest.fire_time, command="celsched doctor", count=count),
    )


def dup_delivery(look: Look) -> Iterator[Finding]:
    """Machines whose workers were lately handed what another process had claimed."""
    hosts: dict[str, list[Seen]] = {}
    for one in look.work.workers if look.work else ():
        if one.duplicate_at is not None:
            hosts.setdefault(one.host, []).append(one)
    quiet = look.rule(AlertKind.DUP_DELIVERY).length("quiet")
    for host, workers in sorted(hosts.items()):
        newest = max(one.duplicate_at for one in workers if one.duplicate_at is not None)
        if look.now - newest >= quiet:
            continue
        count = sum(one.duplicates for one in workers)
        times = "a message" if count == 1 else f"{count} messages"
        yield Finding(
            AlertKind.DUP_DELIVERY,
            f"host:{host}",
            Severity.WARNING,
            host,
            f'the broker handed workers on "{host}" {times} a second time; nothing ran twice',
            newest,
            event_at=newest,
            evidence=Evidence(count=count, command="celsched instances"),
        )


JUDGES: Mapping[AlertKind, Judge] = {
    AlertKind.LATE_START: late_start,
    AlertKind.BACKLOG: backlog,
    AlertKind.NO_WORKER: no_worker,
    AlertKind.OUTBOX_STUCK: outbox_stuck,
    AlertKind.DUP_DELIVERY: dup_delivery,
    **queued.JUDGES,
    **running.JUDGES,
}
