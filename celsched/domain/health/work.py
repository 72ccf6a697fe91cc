"""Judges what waits: for a start, in queues, for workers, to be sent; and what came twice. It reads no facts.

How executions run is judged in `running`, for how long their messages lie in a queue in `queued`, whole queues
in `backlog`.
"""

from collections.abc import Iterator, Mapping
from shlex import quote

from celsched.domain.execution import State
from celsched.domain.health import backlog, duration_drift, queued, running
from celsched.domain.health.finding import Evidence, Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.machine_facts import Seen
from celsched.domain.health.subjects import by_subject, evidence_of

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
            look.since(AlertKind.LATE_START, scope, late.due_at),
            late.schedule_id,
            late.queue,
            late.labels,
            evidence=evidence_of(look, late.schedule_id, late.oldest, late.fire_time, count=count),
        )


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
        look.since(AlertKind.OUTBOX_STUCK, "all", oldest.due_at),
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
        times, scope = "a message" if count == 1 else f"{count} messages", f"host:{host}"
        yield Finding(
            AlertKind.DUP_DELIVERY,
            scope,
            Severity.WARNING,
            host,
            f'the broker handed workers on "{host}" {times} a second time; nothing ran twice',
            look.since(AlertKind.DUP_DELIVERY, scope, newest),
            event_at=newest,
            evidence=Evidence(count=count, command="celsched instances"),
        )


JUDGES: Mapping[AlertKind, Judge] = {
    AlertKind.LATE_START: late_start,
    AlertKind.BACKLOG: backlog.backlog,
    AlertKind.NO_WORKER: no_worker,
    AlertKind.OUTBOX_STUCK: outbox_stuck,
    AlertKind.DUP_DELIVERY: dup_delivery,
    **queued.JUDGES,
    **running.JUDGES,
    **duration_drift.JUDGES,
}
