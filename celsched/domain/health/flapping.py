"""Judges alerts that come and go: by how often they opened, and by runs that often turn. It reads no facts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from celsched.domain.health.finding import Evidence, Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Look
from celsched.domain.health.machine_facts import Openings
from celsched.domain.health.subjects import about
from celsched.domain.health.watched import OVERLAPPED, RECENT, SUCCEEDED, Watched

_FOLLOW_RUNS = (
    AlertKind.FAILED,
    AlertKind.TIMEOUT,
    AlertKind.LOST_WORKER,
    AlertKind.EXPIRED_IN_QUEUE,
)
"""Kinds that one bad run opens and a good one closes. Failures in a row are damped by their number: runs that turn
often do not open them, and what opens once may not be hidden for the next ten runs."""


def flapping(look: Look) -> Iterator[Finding]:
    """Alerts that open again and again, by either measure; each is told once."""
    told = set()
    for finding in _by_openings(look):
        told.add(finding.scope)
        yield finding
    for watched in look.schedules.values():
        yield from (finding for finding in _by_runs(look, watched) if finding.scope not in told)


def _by_openings(look: Look) -> Iterator[Finding]:
    """Open until none of that fingerprint has opened for a while."""
    for one in look.machine.openings if look.machine else ():
        rule = look.rule(AlertKind.FLAPPING, one.schedule_id, one.labels)
        within = rule.length("within")
        lately = [at for at in one.at if look.now - at < within]
        living = look.alert(AlertKind.FLAPPING, one.fingerprint)
        if len(lately) > rule.number("opens") or (living is not None and lately):
            yield _opens_often(look, one, lately, within)


def _opens_often(look: Look, one: Openings, lately: list[datetime], within: timedelta) -> Finding:
    kind = one.fingerprint.partition(":")[0]
    summary = f'{kind} of "{one.subject}" opened {len(lately)} times within {span(within)}'
    return Finding(
        AlertKind.FLAPPING,
        one.fingerprint,
        _as_bad(look, one.fingerprint),
        one.subject,
        summary,
        look.since(AlertKind.FLAPPING, one.fingerprint, lately[0]),
        one.schedule_id,
        one.queue,
        one.labels,
        evidence=Evidence(count=len(lately), command="celsched alerts"),
    )


def _as_bad(look: Look, fingerprint: str) -> Severity:
    """Return how bad what flaps has been meanwhile: nothing else is told to who hears only of what is critical."""
    flaps, flapping = look.living.get(fingerprint), look.alert(AlertKind.FLAPPING, fingerprint)
    found = [Severity.WARNING, *(one.severity for one in (flaps, flapping) if one is not None)]
    return max(found, key=lambda severity: severity.rank)


def _by_runs(look: Look, watched: Watched) -> Iterator[Finding]:
    """Open while the last runs turn from good to bad and back often, until that is at most half as often."""
    turns = _turns(watched.recent)
    if not turns or len(watched.recent) < RECENT:
        return
    limit = watched.rules[AlertKind.FLAPPING].number("share") * RECENT
    for kind in _FOLLOW_RUNS:
        scope = f"{kind}:{watched.scope}"
        opens = turns >= limit and look.alert(kind, watched.scope) is not None
        if opens or (look.alert(AlertKind.FLAPPING, scope) is not None and turns > limit / 2):
            text = f'{kind} of "{watched.name}" comes and goes: its last {RECENT} runs turned {turns} times'
            since = look.since(AlertKind.FLAPPING, scope)
            found = about(AlertKind.FLAPPING, watched, text, since, count=turns)
            yield replace(found, scope=scope, severity=_as_bad(look, scope))


@lru_cache(maxsize=20_000)  # asked of every schedule at each look
def _turns(recent: str) -> int:
    """Return how often one run ended well and the next did not, or the other way round; skipped ones are no runs."""
    ends = [letter == SUCCEEDED for letter in recent if letter != OVERLAPPED]
    return sum(former != later for former, later in pairwise(ends))
