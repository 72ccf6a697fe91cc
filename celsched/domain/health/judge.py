"""Judges a look: asks the judges of every slice and applies the rules to what they find. It never reads facts."""

from collections.abc import Iterator
from dataclasses import replace

from celsched.domain.health import machine, schedules, work
from celsched.domain.health.finding import Finding
from celsched.domain.health.look import Look
from celsched.domain.health.subjects import task_of
from celsched.domain.health.troubles import is_information

_SLICES = (schedules.JUDGES, work.JUDGES, machine.JUDGES)


def examine(look: Look) -> list[Finding]:
    """Return everything that is wrong now; of one fingerprint at most one."""
    found = {finding.fingerprint: finding for finding in _all(look)}
    return list(found.values())


def _all(look: Look) -> Iterator[Finding]:
    for judges in _SLICES:
        for judge in judges.values():
            for finding in judge(look):
                ruled = _ruled(look, finding)
                if ruled is not None:
                    yield ruled


def _ruled(look: Look, finding: Finding) -> Finding | None:
    """Return the finding as its rule wants it: dropped, held, of another severity; with its schedule's labels."""
    watched = None if finding.schedule_id is None else look.schedules.get(finding.schedule_id)
    rule = look.rule(finding.kind, finding.schedule_id, finding.labels, task_of(finding.scope))
    if not rule.enabled:
        return None
    return replace(
        finding,
        severity=finding.severity if is_information(finding) else rule.severity or finding.severity,
        hold=rule.hold,
        queue=finding.queue or (watched.queue if watched else None),
        labels=finding.labels or (watched.labels if watched else {}),
        evidence=replace(finding.evidence, runbook=rule.runbook),
    )
