"""Judges the fire times of schedules: overdue ones, missing ones, what lies ahead. It never reads facts."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from celsched.domain.health.finding import Finding, span
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.look import Judge, Look
from celsched.domain.health.subjects import about
from celsched.domain.health.watched import OVERLAPPED, Watched
from celsched.domain.health.words import moment
from celsched.errors import InvalidRule
from celsched.timing.cron import cron
from celsched.timing.duration import parse_period
from celsched.timing.interval import Interval
from celsched.timing.once import Once
from celsched.timing.rule import Rule

_GRACE = timedelta(hours=1)
"""How long the last of the silent fire times is given to succeed, at most."""
_YOUNG = timedelta(minutes=1)
"""How long a fire time may be under way before it counts as passed."""


def rule_of(watched: Watched) -> Rule | None:
    """Return the rule of a schedule, None where it cannot be built any more."""
    try:
        match watched.schedule_type:
            case "cron":
                return cron(watched.rule, watched.timezone)
            case "interval":
                return Interval(_period(watched.rule), watched.state.base)
            case _:
                return Once(datetime.fromisoformat(watched.rule))
    except (InvalidRule, ValueError):
        return None


@lru_cache(maxsize=4096)
def _period(text: str) -> timedelta:
    return parse_period(text)


def overdue(look: Look) -> Iterator[Finding]:
    """A fire time passed and no daemon decided it: the scheduler itself does not do its work."""
    for watched in look.schedules.values():
        at = watched.state.next_fire_time
        if at is None or at > look.now or not watched.active or watched.state.error is not None:
            continue
        if look.now - at > watched.rules[AlertKind.OVERDUE].length("tolerance"):
            text = f'the fire time {moment(at, watched.timezone)} of "{watched.name}" has been undecided'
            summary = f"{text} for {span(look.now - at)}"
            yield about(AlertKind.OVERDUE, watched, summary, at, fire_time=at)


def no_next(look: Look) -> Iterator[Finding]:
    """An active schedule that has not ended has no fire time to come."""
    for watched in look.schedules.values():
        state = watched.state
        if state.next_fire_time is not None or not watched.active or state.error is not None or _has_ended(watched):
            continue
        yield about(AlertKind.NO_NEXT, watched, f'"{watched.name}" is active and has no next fire time', state.cursor)


def _has_ended(watched: Watched) -> bool:
    state = watched.state
    if watched.max_runs is not None and state.runs >= watched.max_runs:
        return True
    if watched.end_at is not None and watched.end_at <= state.cursor:
        return True
    rule = rule_of(watched)
    coming = rule.next_after(state.cursor) if rule else None
    return coming is None or (watched.end_at is not None and coming > watched.end_at)


def never_ran(look: Look) -> Iterator[Finding]:
    """Fire times passed, and nothing of the schedule ever started."""
    for watched in look.schedules.values():
        state = watched.state
        if state.last_success_at or state.last_failure_at or watched.id in look.started or not watched.active:
            continue
        young = state.last_fire_time is not None and look.now - state.last_fire_time < _YOUNG
        passed = state.runs + watched.recent.count(OVERLAPPED) - young
        if passed >= watched.rules[AlertKind.NEVER_RAN].number("fire_times"):
            summary = f'"{watched.name}" has never run: {passed} fire times passed and nothing started'
            since = state.active_since or watched.created_at
            yield about(AlertKind.NEVER_RAN, watched, summary, since, fire_time=state.last_fire_time, count=passed)


def no_recent_success(look: Look) -> Iterator[Finding]:
    """No success for so long, or in so many fire times of the rule; a pause and an edit begin anew."""
    for watched in look.schedules.values():
        state = watched.state
        if state.next_fire_time is None or not watched.active:
            continue
        since = max(state.last_success_at or watched.created_at, state.active_since or watched.created_at)
        rule = watched.rules[AlertKind.NO_RECENT_SUCCESS]
        limit, silence = rule.length("after"), look.now - since
        if silence > (limit or rule.length("at_least")) and (
            limit or _silent(watched, since, look.now, rule.number("periods"))
        ):
            summary = f'"{watched.name}" has not succeeded for {span(silence)}'
            yield about(AlertKind.NO_RECENT_SUCCESS, watched, summary, since, fire_time=state.last_fire_time)


def _silent(watched: Watched, since: datetime, now: datetime, periods: float) -> bool:
    rule = rule_of(watched)
    shortest = rule.shortest_period() if rule else None
    # Fewer fire times than that cannot have passed: most schedules are done with here, without counting any.
    if rule is None or shortest is None or now - since < shortest * periods:
        return False
    return rule.count(since, now - min(shortest, _GRACE)) >= periods


def dst_ahead(look: Look) -> Iterator[Finding]:
    """A clock change ahead moves, drops or doubles a fire time at a fixed time of the day."""
    today = look.now.replace(hour=0, minute=0, second=0, microsecond=0)
    for watched in look.schedules.values():
        if watched.schedule_type != "cron" or watched.state.next_fire_time is None or not watched.active:
            continue
        until = look.now + watched.rules[AlertKind.DST_AHEAD].length("within")
        days = -((today - until) // timedelta(days=1))
        for at, note in _moved(watched.rule, watched.timezone, today, days):
            if look.now < at <= until and (watched.end_at is None or at <= watched.end_at):
                text = f'a clock change ahead: {moment(at, watched.timezone)} of "{watched.name}" is {note}'
                since = look.since(AlertKind.DST_AHEAD, watched.scope)
                yield about(AlertKind.DST_AHEAD, watched, text, since, fire_time=at)
                break


@lru_cache(maxsize=16_384)
def _moved(expression: str, zone: str, today: datetime, days: int) -> tuple[tuple[datetime, str], ...]:
    try:
        return tuple(cron(expression, zone).moved_fire_times(today, today + timedelta(days=days)))
    except InvalidRule:
        return ()


def ending_soon(look: Look) -> Iterator[Finding]:
    """The last fire times of a schedule that has an end."""
    for watched in look.schedules.values():
        if watched.end_at is None and watched.max_runs is None:
            continue
        at, runs = watched.state.next_fire_time, watched.state.runs
        if at is None or not watched.active:
            continue
        rule = watched.rules[AlertKind.ENDING_SOON]
        since = look.since(AlertKind.ENDING_SOON, watched.scope)
        left, few = (watched.max_runs or 0) - runs, int(rule.number("fire_times"))
        if watched.end_at is not None and watched.end_at - look.now <= rule.length("within"):
            text = f'"{watched.name}" ends at {moment(watched.end_at, watched.timezone)}'
            yield about(AlertKind.ENDING_SOON, watched, text, since, fire_time=at)
        elif watched.max_runs is not None and few < watched.max_runs and left <= few:
            text = f'"{watched.name}" ends soon: {left} of {watched.max_runs} fire times are left'
            yield about(AlertKind.ENDING_SOON, watched, text, since, fire_time=at)


JUDGES: Mapping[AlertKind, Judge] = {
    AlertKind.OVERDUE: overdue,
    AlertKind.NO_NEXT: no_next,
    AlertKind.NEVER_RAN: never_ran,
    AlertKind.NO_RECENT_SUCCESS: no_recent_success,
    AlertKind.DST_AHEAD: dst_ahead,
    AlertKind.ENDING_SOON: ending_soon,
}
