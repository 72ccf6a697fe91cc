"""Judges queues by how many wait in them, for how long, and whether they become more. It reads no facts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from celsched.domain.health.finding import Evidence, Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Look
from celsched.domain.health.rules import Rule
from celsched.domain.health.work_facts import Sample, Waiting

_GROWS, _FALLS = 3, 2
"""Over so many samples a queue must grow to open an alert, and be low to close it."""


@dataclass(slots=True)
class _Line:
    """A queue: how many wait in it, and the one that waits longest."""

    depth: int
    oldest: Waiting


def backlog(look: Look) -> Iterator[Finding]:
    """Queues in which too many wait, or one for too long, or more and more; open until two samples are low."""
    lines: dict[str, _Line] = {}
    for one in look.work.waiting if look.work else ():
        line = lines.setdefault(one.queue, _Line(0, one))
        line.depth += one.count
        line.oldest = min(line.oldest, one, key=lambda each: (each.due_at, each.oldest))
    for queue, line in sorted(lines.items()):
        labels = {"queue": queue}
        rule, age = look.rule(AlertKind.BACKLOG, None, labels), look.now - line.oldest.due_at
        living = look.alert(AlertKind.BACKLOG, f"queue:{queue}")
        samples = look.work.samples.get(queue, ()) if look.work else ()
        grows = _grows(samples, rule)
        beyond_limits = line.depth > rule.number("depth") or age > rule.length("age")
        if not (beyond_limits or grows or (living is not None and living.open and not _is_low(samples, rule))):
            continue
        period = _shortest_period(look, queue)
        beyond = period is not None and age > period
        than = f", longer than the {span(period)} between its fire times" if period is not None and beyond else ""
        more = "; they become more and more" if grows else ""
        yield Finding(
            AlertKind.BACKLOG,
            f"queue:{queue}",
            Severity.CRITICAL if beyond else Severity.WARNING,
            queue,
            f'{line.depth} executions wait in queue "{queue}", the oldest for {span(age)}{than}{more}',
            look.since(AlertKind.BACKLOG, f"queue:{queue}", line.oldest.due_at),
            queue=queue,
            labels=labels,
            evidence=Evidence(execution=line.oldest.oldest, count=line.depth, command="celsched doctor"),
        )


def _grows(samples: Sequence[Sample], rule: Rule) -> bool:
    """Whether more wait at each of the last samples than at the one before: more falls due than is done."""
    depths = [one.depth for one in samples[-_GROWS:]]
    return (
        len(depths) == _GROWS
        and depths[-1] >= rule.number("growing")
        and all(later > former for former, later in pairwise(depths))
    )


def _is_low(samples: Sequence[Sample], rule: Rule) -> bool:
    """Whether the last samples were all below half of both limits, and none deeper than the one before."""
    last = samples[-_FALLS:]
    below = all(one.depth <= rule.number("depth") / 2 and one.age <= rule.length("age") / 2 for one in last)
    shrinks = all(later.depth <= former.depth for former, later in pairwise(last))
    return len(last) == _FALLS and below and shrinks


def _shortest_period(look: Look, queue: str) -> timedelta | None:
    """Return the shortest time between the last and the next fire time of an active schedule of this queue."""
    states = (one.state for one in look.schedules.values() if one.queue == queue and one.active)
    gaps = (
        state.next_fire_time - state.last_fire_time
        for state in states
        if state.next_fire_time is not None and state.last_fire_time is not None
    )
    return min((gap for gap in gaps if gap > timedelta(0)), default=None)
