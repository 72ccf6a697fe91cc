"""Adds to findings about a schedule that fails what failed last: its execution, fire time and error. It judges nothing.

Where an execution is at hand already, or nothing failed, a finding stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from celsched.domain.execution import FAILURES
from celsched.domain.health.finding import Evidence, Finding
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Look
from celsched.domain.health.words import error_line

_OF_FAILURES = {
    AlertKind.CONSECUTIVE_FAILURES,
    AlertKind.FAILURE_RATE,
    AlertKind.NO_RECENT_SUCCESS,
    AlertKind.AUTO_PAUSED,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """The newest failed execution of a schedule."""

    execution: int
    fire_time: datetime | None
    ended_at: datetime
    error: str | None


def unexplained(look: Look, findings: Iterable[Finding]) -> set[int]:
    """Return the schedules whose last failure is to be read: of what is new, and failed before what the look saw."""
    seen = _seen(look)
    return {
        schedule_id
        for found, schedule_id in _failing(findings)
        if found.fingerprint not in look.living and schedule_id not in seen
    }


def explained(look: Look, findings: Iterable[Finding], read: Mapping[int, Failure]) -> list[Finding]:
    """Return the findings with what failed last, as the look saw it, else as `read`, else as the alert has it."""
    findings = list(findings)
    known = {**read, **_seen(look)}
    failing = {found.fingerprint: known.get(schedule_id) for found, schedule_id in _failing(findings)}
    return [
        _told(look, found, failing[found.fingerprint]) if found.fingerprint in failing else found for found in findings
    ]


def _failing(findings: Iterable[Finding]) -> Iterator[tuple[Finding, int]]:
    for found in findings:
        if found.kind in _OF_FAILURES and found.schedule_id is not None and found.evidence.execution is None:
            yield found, found.schedule_id


def _seen(look: Look) -> dict[int, Failure]:
    # The newest comes last.
    return {
        one.schedule_id: Failure(one.execution, one.fire_time, one.ended_at, one.error)
        for one in look.troubles
        if one.schedule_id is not None and one.state in FAILURES
    }


def _told(look: Look, found: Finding, failure: Failure | None) -> Finding:
    if failure is None:
        living = look.living.get(found.fingerprint)
        return found if living is None else _with(found, living.evidence)
    success = found.evidence.last_success_at
    if success is not None and failure.ended_at < success and found.kind is not AlertKind.FAILURE_RATE:
        return found
    return _with(found, Evidence(failure.execution, failure.fire_time, error=error_line(failure.error)))


def _with(found: Finding, failed: Evidence) -> Finding:
    own = found.evidence
    return replace(
        found,
        evidence=replace(
            own,
            execution=failed.execution,
            fire_time=own.fire_time or failed.fire_time,
            error=own.error or failed.error,
        ),
    )
