"""Judges whether executions take longer than they used to, by their own history. It reads no facts."""

from collections.abc import Collection, Iterator, Mapping

from celsched.domain.health.finding import Finding
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.running import exact, percentile
from celsched.domain.health.subjects import about, living_of, same, schedule_of
from celsched.domain.health.work_facts import USUAL

NEWEST = 10
"""So many of the newest successes are compared with those before them, which are at most `USUAL`."""


def needs_history(look: Look, fresh: Collection[int]) -> set[int]:
    """Return the schedules whose last successes will be asked for: those that have just succeeded."""
    return {one for one in fresh if one in look.schedules and look.rule(AlertKind.DURATION_DRIFT, one).enabled}


def duration_drift(look: Look) -> Iterator[Finding]:
    """The newest successes take far longer than those before them; over when they do so a little longer at most."""
    if look.work is None:
        return
    kind, judged = AlertKind.DURATION_DRIFT, set()
    for schedule_id, past in look.work.history.items():
        watched, newest, before = look.schedules.get(schedule_id), past[:NEWEST], past[NEWEST : NEWEST + USUAL]
        if watched is None or len(newest) < NEWEST or len(before) < watched.rules[kind].number("least_runs"):
            continue
        judged.add(schedule_id)
        rule, living = watched.rules[kind], look.alert(kind, watched.scope) is not None
        takes, took = (percentile([one.took for one in part], 0.5) for part in (newest, before))
        if takes > rule.number("back" if living else "factor") * took and takes - took >= rule.length("extra"):
            text = f'"{watched.name}" takes longer than it did: the median of its last {NEWEST} successes is '
            text += f"{exact(takes)}, that of the {len(before)} before them {exact(took)}"
            yield about(kind, watched, text, look.since(kind, watched.scope, newest[-1].ended_at), count=NEWEST)
    for alert in living_of(look, kind):
        schedule_id = schedule_of(alert.scope) or 0
        if schedule_id not in judged and schedule_id in look.schedules:
            yield same(alert)


JUDGES: Mapping[AlertKind, Judge] = {AlertKind.DURATION_DRIFT: duration_drift}
