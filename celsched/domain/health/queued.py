"""Judges how long messages lie in their queues, by what their schedules usually wait. It reads no facts."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from celsched.domain.health.finding import Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.rules import Rule
from celsched.domain.health.running import percentile
from celsched.domain.health.subjects import by_subject, evidence_of
from celsched.domain.health.work_facts import Waiting

_USUAL_LONGEST = 0.95
_UNKNOWN = timedelta(minutes=5)
"""The limit where nothing is known of a schedule's waits."""


def needs_waits(look: Look, waiting: Iterable[Waiting]) -> list[int]:
    """Return the schedules whose last waits the judge will ask for, the longest waiting first.

    Those of which something has lain in a queue for longer than any limit made of their past could be short.
    """
    wanted: dict[int, timedelta] = {}
    for one in waiting:
        if one.schedule_id is None or one.sent_at is None:
            continue
        rule, waited = _rule(look, one), look.now - one.sent_at
        if rule.enabled and rule.parameters["after"] is None and waited > rule.length("at_least"):
            wanted[one.schedule_id] = max(waited, wanted.get(one.schedule_id, waited))
    return sorted(wanted, key=lambda key: (-wanted[key], key))


def queued_too_long(look: Look) -> Iterator[Finding]:
    """Executions whose message was sent, and that no worker has claimed since."""
    waiting = look.work.waiting if look.work else ()
    for scope, group in by_subject(one for one in waiting if one.sent_at is not None).items():
        first = min(group, key=lambda one: one.sent_at or look.now)
        waited = look.now - (first.sent_at or look.now)
        limit, usual = _limit(look, first)
        if waited <= limit:
            continue
        execution, count = first.first_sent or first.oldest, sum(one.count for one in group)
        many = f" and {count - 1} more" if count > 1 else ""
        yield Finding(
            AlertKind.QUEUED_TOO_LONG,
            scope,
            Severity.WARNING,
            first.subject,
            f'execution {execution} of "{first.subject}"{many} was sent to queue "{first.queue}" {span(waited)} ago '
            f"and no worker has taken it{usual}",
            look.since(AlertKind.QUEUED_TOO_LONG, scope, first.sent_at),
            first.schedule_id,
            first.queue,
            first.labels,
            evidence=evidence_of(look, first.schedule_id, execution, None, count=count),
        )


def _rule(look: Look, one: Waiting) -> Rule:
    return look.rule(AlertKind.QUEUED_TOO_LONG, one.schedule_id, one.labels, one.task_id)


def _limit(look: Look, first: Waiting) -> tuple[timedelta, str]:
    """Return after how long it is too long, and what makes it so where that is its past or its deadline."""
    rule = _rule(look, first)
    if rule.parameters["after"] is not None:
        return rule.length("after"), ""
    past = look.work.waits.get(first.schedule_id, ()) if look.work and first.schedule_id is not None else ()
    limit, words = _UNKNOWN, ""
    if len(past) >= rule.number("least_runs"):
        p95 = percentile(past, _USUAL_LONGEST)
        limit, words = max(rule.number("factor") * p95, rule.length("at_least")), f", usually within {span(p95)}"
    if first.start_deadline is not None and first.start_deadline < limit:
        return first.start_deadline, f", its start_deadline is {span(first.start_deadline)}"
    return limit, words


JUDGES: Mapping[AlertKind, Judge] = {AlertKind.QUEUED_TOO_LONG: queued_too_long}
