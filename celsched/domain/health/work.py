"""Judges executions that wait or run: whether they start in time. It never reads facts and never notifies."""

from collections.abc import Iterator, Mapping

from celsched.domain.health.finding import Evidence, Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look


def late_start(look: Look) -> Iterator[Finding]:
    """Executions that have not started within the threshold; critical at three times that."""
    for late in look.work.late if look.work else ():
        limit = look.rule(AlertKind.LATE_START, late.schedule_id).length("threshold")
        waited = look.now - late.oldest_dispatch_at
        if waited <= limit:
            continue
        many = f" and {late.count - 1} more" if late.count > 1 else ""
        yield Finding(
            AlertKind.LATE_START,
            f"schedule:{late.schedule_id}" if late.schedule_id is not None else f"task:{late.task_id}",
            Severity.CRITICAL if waited > 3 * limit else Severity.WARNING,
            late.subject,
            f'execution {late.oldest_id} of "{late.subject}"{many} has not started for {span(waited)}',
            late.oldest_dispatch_at,
            late.schedule_id,
            evidence=Evidence(execution=late.oldest_id, count=late.count),
        )


JUDGES: Mapping[AlertKind, Judge] = {AlertKind.LATE_START: late_start}
