"""Judges a look: asks the judges of every slice and applies the rules to what they find. It never reads facts.

Each judge has a fence of its own: one that raises finds nothing, ends nothing, and holds up no other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from celsched.domain.health import machine, schedules, work
from celsched.domain.health.finding import Finding
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.subjects import schedule_of, task_of
from celsched.domain.health.troubles import is_information

_SLICES = (schedules.JUDGES, work.JUDGES, machine.JUDGES)
_OF_EVERY_SCHEDULE = frozenset({AlertKind.NO_WORKER})
"""Kinds that are over only where none of all schedules is in that trouble: who has not read them all cannot say so."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that is wrong now, of one fingerprint at most one; and the kinds of which nobody can say."""

    findings: list[Finding]
    failed: Mapping[AlertKind, Exception] = field(default_factory=dict)

    def judged(self, look: Look) -> set[str]:
        """Return the living alerts that this says something of: those of a kind that failed are as they were.

        So are those of a schedule that could not be read, and what it may be a reason of.
        """
        unsure = self.failed.keys() | (_OF_EVERY_SCHEDULE if look.unknown else frozenset())
        known = {key for key, alert in look.living.items() if alert.kind not in unsure}
        return {key for key in known if _schedule_of(key) not in look.unknown} if look.unknown else known

    def gaps(self) -> list[Gap]:
        """Return what failed, for people."""
        return [Gap(f"judge {kind}", error) for kind, error in self.failed.items()]


def examine(look: Look) -> Judgement:
    """Judge everything; what a judge found before it raised is dropped, for it may be half of the truth."""
    found: dict[str, Finding] = {}
    failed: dict[AlertKind, Exception] = dict(look.unread)
    for judges in _SLICES:
        for kind, judge in judges.items():
            if kind in failed:
                continue
            try:
                mine = {finding.fingerprint: finding for finding in _of(judge, look)}
            except Exception as error:  # of whatever kind: it is told, and the others go on
                failed[kind] = error
            else:
                found |= mine
    return Judgement(list(found.values()), failed)


def _schedule_of(fingerprint: str) -> int | None:
    """Return the schedule that an alert is about, or that the alert is about which it says that it flaps."""
    return schedule_of(":".join(fingerprint.split(":")[-2:]))


def _of(judge: Judge, look: Look) -> Iterator[Finding]:
    for finding in judge(look):
        ruled = _ruled(look, finding)
        if ruled is not None and finding.schedule_id not in look.unknown:
            yield ruled


def _ruled(look: Look, finding: Finding) -> Finding | None:
    """Return the finding as its rule wants it: dropped, held, of another severity; with its schedule's labels."""
    watched = None if finding.schedule_id is None else look.schedules.get(finding.schedule_id)
    rule = look.rule(finding.kind, finding.schedule_id, finding.labels, task_of(finding.scope))
    if not rule.enabled:
        return None
    own = finding.evidence
    return replace(
        finding,
        severity=finding.severity if is_information(finding) else rule.severity or finding.severity,
        hold=rule.hold,
        queue=finding.queue or (watched.queue if watched else None),
        labels=finding.labels or (watched.labels if watched else {}),
        evidence=own if own.runbook == rule.runbook else replace(own, runbook=rule.runbook),
    )
