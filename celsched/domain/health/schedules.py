"""Judges schedules by their state and their last outcomes. It never reads facts and never notifies.

Their fire times are judged in `coming`, what went wrong with executions in `troubles`; `JUDGES` holds all three.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from celsched.domain.health import coming, config_drift, troubles
from celsched.domain.health.finding import Finding, span
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.subjects import about
from celsched.domain.health.watched import FAILED, LOST, OVERLAPPED, RECENT, TIMED_OUT, Watched
from celsched.domain.health.words import moment

_FAILURES = (FAILED, TIMED_OUT, LOST)


def _rests_for_good(watched: Watched) -> bool:
    """Whether nothing more is to run: somebody switched it off, or it has ended. No better run would ever come."""
    state = watched.state
    return not watched.enabled or (state.next_fire_time is None and not state.paused and state.error is None)


def failure_rate(look: Look) -> Iterator[Finding]:
    """So many of the last outcomes are failures; over below half of that."""
    kind = AlertKind.FAILURE_RATE
    for watched in look.schedules.values():
        failed = sum(map(watched.recent.count, _FAILURES))
        if not failed or _rests_for_good(watched):
            continue
        ended, rule = len(watched.recent) - watched.recent.count(OVERLAPPED), watched.rules[kind]
        share, alert = failed / ended, look.alert(kind, watched.scope)
        limit = rule.number("share") if alert is None else rule.number("share") / 2
        if ended < rule.number("least") or share < limit:
            continue
        since = look.since(kind, watched.scope, watched.state.last_failure_at)
        text = f'{failed} of the last {ended} executions of "{watched.name}" failed'
        found = about(kind, watched, text, since, count=failed)
        yield replace(found, severity=Severity.CRITICAL) if share >= rule.number("critical_share") else found


def overlap_skips(look: Look) -> Iterator[Finding]:
    """Fire times are skipped again and again because the one before still runs."""
    kind = AlertKind.OVERLAP_SKIPS
    for watched in look.schedules.values():
        skipped = watched.recent.count(OVERLAPPED)
        if not skipped or _rests_for_good(watched):
            continue
        row = len(watched.recent) - len(watched.recent.rstrip(OVERLAPPED))
        rule, alert = watched.rules[kind], look.alert(kind, watched.scope)
        limit = rule.number("share") * RECENT
        # The count of an alert that opened by its share is kept above the limit, which tells it from one by its row.
        was_many = alert is not None and alert.evidence.count > limit
        opens = row >= rule.number("in_a_row") or skipped > limit
        stays = alert is not None and (row > 0 or (was_many and skipped > limit / 2))
        if opens or stays:
            count = max(skipped, alert.evidence.count) if alert and was_many else skipped if skipped > limit else row
            fired = len(watched.recent)
            text = f'{skipped} of the last {fired} fire times of "{watched.name}" were skipped as overlap'
            text += ": the execution before was not over"
            yield about(kind, watched, text, look.since(kind, watched.scope), count=count)


def auto_paused(look: Look) -> Iterator[Finding]:
    """The failure rule paused the schedule."""
    for watched in look.schedules.values():
        state = watched.state
        if state.paused_at is not None and watched.enabled and state.paused_by_rule:
            text = f'"{watched.name}" was paused after {state.pause_reason}'
            yield about(AlertKind.AUTO_PAUSED, watched, text, state.paused_at)


def paused_too_long(look: Look) -> Iterator[Finding]:
    """Paused without an end, and forgotten; or its end is past, and no daemon has resumed it."""
    for watched in look.schedules.values():
        if watched.state.paused_at is None or not watched.enabled:
            continue
        found = _forgotten(watched, look.now) if watched.state.paused_until is None else _not_ended(watched, look.now)
        if found is not None:
            yield found


def _forgotten(watched: Watched, now: datetime) -> Finding | None:
    state, kind = watched.state, AlertKind.PAUSED_TOO_LONG
    assert state.paused_at is not None
    length = now - state.paused_at
    if length <= watched.rules[kind].length("after"):
        return None
    reason = f" ({state.pause_reason})" if state.pause_reason else ""
    text = f'"{watched.name}" has been paused since {moment(state.paused_at, watched.timezone)}{reason}'
    return about(kind, watched, f"{text}, for {span(length)}, without an end", state.paused_at)


def _not_ended(watched: Watched, now: datetime) -> Finding | None:
    state, kind = watched.state, AlertKind.PAUSED_TOO_LONG
    assert state.paused_until is not None
    length = now - state.paused_until
    # One that cannot be planned cannot be resumed either: bad_definition tells that.
    if length <= watched.rules[kind].length("tolerance") or state.error is not None:
        return None
    text = f'the pause of "{watched.name}" ended at {moment(state.paused_until, watched.timezone)}'
    found = about(kind, watched, f"{text}, {span(length)} ago, and no daemon has resumed it", state.paused_until)
    # `resume` would give up the fire times since then, which a daemon still dispatches.
    return replace(found, evidence=replace(found.evidence, command="celsched doctor"))


def bad_definition(look: Look) -> Iterator[Finding]:
    """The schedule cannot be computed: a zone that vanished, a rule that an older version took."""
    kind = AlertKind.BAD_DEFINITION
    for watched in look.schedules.values():
        if watched.state.error is not None and watched.enabled:
            text = f'"{watched.name}" cannot be planned: {watched.state.error}'
            yield about(kind, watched, text, look.since(kind, watched.scope))


JUDGES: Mapping[AlertKind, Judge] = {
    **coming.JUDGES,
    **troubles.JUDGES,
    **config_drift.JUDGES,
    AlertKind.FAILURE_RATE: failure_rate,
    AlertKind.OVERLAP_SKIPS: overlap_skips,
    AlertKind.AUTO_PAUSED: auto_paused,
    AlertKind.PAUSED_TOO_LONG: paused_too_long,
    AlertKind.BAD_DEFINITION: bad_definition,
}
