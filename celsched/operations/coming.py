"""Owns what `next` answers: the coming fire times of one schedule, or of all in one order. It never writes."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from celsched.operations.scope import Scope, require_schedule
from celsched.operations.standing import Standing, Status, fire_times, standing
from celsched.operations.wording import moment, times
from celsched.store import definitions
from celsched.store.definitions import StoredSchedule
from celsched.store.store import Tx
from celsched.timing.jitter import jitter_delay
from celsched.timing.zone import dst_note

_LATE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Coming:
    """One fire time to come. It starts at `starts_at`, which is the fire time plus its jitter."""

    schedule: str
    task: str
    fire_time: datetime
    starts_at: datetime
    zone: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Remark:
    """Why a schedule is not as one might expect. `undecided`: fire times of it are due, and no daemon decides them."""

    schedule: str
    status: Status
    text: str
    undecided: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """Fire times in order, and the schedules that have none or wait for a daemon."""

    rows: Sequence[Coming]
    remarks: Sequence[Remark]


def coming(scope: Scope, name: str | None = None, *, limit: int = 10, since: datetime | None = None) -> Forecast:
    """Return the next `limit` fire times of one schedule, or of all; from `since` (inclusive) on, else from now.

    Raises:
        NotFound: there is no such schedule.
    """

    def work(tx: Tx) -> list[StoredSchedule]:
        return definitions.all_schedules(tx) if name is None else [require_schedule(tx, name)]

    now = scope.now()
    found = [standing(scope, schedule, now) for schedule in scope.store.read(work)]
    merged = heapq.merge(*(_starts(one, now, since) for one in found), key=lambda start: start[:2])
    rows = [_coming(one, at, starts_at) for starts_at, _, at, one in islice(merged, limit)]
    return Forecast(rows, [remark for one in found for remark in _remarks(one, now)])


def next_starts(one: Standing, now: datetime, limit: int) -> list[Coming]:
    """Return the next fire times of a schedule."""
    return [_coming(one, at, starts_at) for starts_at, _, at, _ in islice(_starts(one, now, None), limit)]


def _starts(one: Standing, now: datetime, since: datetime | None) -> Iterator[tuple[datetime, str, datetime, Standing]]:
    """Yield (start, schedule, fire time, standing); what is dear to find out is left to those that are shown."""
    if one.subject is None or one.status is Status.BROKEN:
        return
    for at in fire_times(one.schedule, one.policies, one.subject, since or _from(one, now)):
        yield at + jitter_delay(one.schedule.name, at, one.subject.jitter), one.schedule.name, at, one


def _coming(one: Standing, at: datetime, starts_at: datetime) -> Coming:
    note = dst_note(one.subject.rule, at) if one.subject else None
    return Coming(one.schedule.name, one.schedule.task.name, at, starts_at, one.policies.timezone, note)


def _from(one: Standing, now: datetime) -> datetime:
    """Return where coming fire times begin: those of the past are no longer coming, even if undecided."""
    return max(now, one.schedule.state.cursor) + timedelta(microseconds=1)


def _remarks(one: Standing, now: datetime) -> Iterator[Remark]:
    if one.remark is not None:
        yield Remark(one.schedule.name, one.status, one.remark)
    elif one.next_fire_time is not None and one.next_fire_time <= now - _LATE and one.subject is not None:
        count = one.subject.rule.count(one.next_fire_time - timedelta(microseconds=1), now)
        since = moment(one.next_fire_time, one.policies.timezone)
        text = f"{times(count)} since {since} due and not decided; no daemon? (`celsched instances`)"
        yield Remark(one.schedule.name, one.status, text, undecided=True)
