"""Start, end, max_runs, jitter and pauses: what limits the fire times that a plan decides."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from celsched.domain.execution import Reason
from celsched.domain.plan import Active, decide, next_fire_time, paused_range, plan, skipped
from celsched.domain.policy import Misfire, Overlap
from celsched.domain.state import ScheduleState
from celsched.timing.jitter import jitter_delay
from celsched.timing.once import Once
from tests.unit.domain.planning import BASE, HOUR, MINUTE, SECOND, at, fires, hourly, hours, shown, skips

IDLE = Active()
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(("start", "first"), [(at(2), 2), (at(2) + TICK, 3), (at(2) - TICK, 2), (at(-5), 1)])
def test_start_at_is_inclusive(start: datetime, first: int) -> None:
    subject = hourly(misfire=Misfire.RUN_ALL, overlap=Overlap.ALLOW, start_at=start)

    made = plan(subject, BASE, 0, at(4.5), IDLE)

    assert hours(made) == list(range(first, 5))
    assert next_fire_time(subject, BASE, 0) == at(first)


@pytest.mark.parametrize(("end", "last"), [(at(3), 3), (at(3) - TICK, 2), (at(3) + TICK, 3)])
def test_end_at_is_inclusive_and_the_schedule_has_ended_then(end: datetime, last: int) -> None:
    subject = hourly(misfire=Misfire.RUN_ALL, overlap=Overlap.ALLOW, end_at=end)

    made = plan(subject, BASE, 0, at(10.5), IDLE)

    assert hours(made) == list(range(1, last + 1))
    assert made.next_fire_time is None
    assert made.cursor == at(10.5)


def test_before_start_nothing_is_due_and_the_next_fire_time_is_the_start() -> None:
    made = plan(hourly(start_at=at(9)), BASE, 0, at(4), IDLE)

    assert (made.fires, made.skips, made.next_fire_time) == ((), (), at(9))


@pytest.mark.parametrize(
    ("runs", "fired", "coming"), [(0, [1, 2, 3], None), (1, [1, 2], None), (3, [], None), (2, [1], None)]
)
def test_max_runs_ends_the_schedule(runs: int, fired: list[float], coming: datetime | None) -> None:
    subject = hourly(misfire=Misfire.RUN_ALL, overlap=Overlap.ALLOW, max_runs=3)

    made = plan(subject, BASE, runs, at(5.5), IDLE)

    assert hours(made) == fired
    assert made.skips == ()
    assert made.next_fire_time == coming


def test_skipped_fire_times_do_not_count_as_runs() -> None:
    subject = hourly(misfire=Misfire.SKIP, max_runs=1)

    made = plan(subject, BASE, 0, at(5.5), IDLE)

    assert skips(made) == [(1, 5, 5, "misfire_skip")]
    assert made.next_fire_time == at(6)


def test_jitter_moves_the_due_time_and_never_the_fire_time() -> None:
    subject = hourly(misfire=Misfire.RUN_ALL, overlap=Overlap.ALLOW, jitter=20 * MINUTE)

    made = plan(subject, BASE, 0, at(20.5), IDLE)

    assert fires(made) == [at(hour) for hour in range(1, 21)]
    delays = [fire.due_at - fire.fire_time for fire in made.fires]
    assert delays == [jitter_delay(subject.name, fire.fire_time, 20 * MINUTE) for fire in made.fires]
    assert all(timedelta(0) <= delay < 20 * MINUTE for delay in delays)
    assert len(set(delays)) > 10


def test_once_fires_once_and_ends() -> None:
    subject = hourly(rule=Once(at(1)))

    before, due = plan(subject, BASE, 0, at(0.5), IDLE), plan(subject, BASE, 0, at(1), IDLE)

    assert (before.fires, before.next_fire_time) == ((), at(1))
    assert (fires(due), due.next_fire_time) == ([at(1)], None)


def test_a_clock_set_back_decides_nothing_and_keeps_the_cursor() -> None:
    made = plan(hourly(), at(5), 0, at(3), IDLE)

    assert (made.fires, made.skips, made.cursor, made.next_fire_time) == ((), (), at(5), at(6))


STATE = ScheduleState(schedule_id=1, revision=1, base=BASE, cursor=BASE, next_fire_time=at(1), wake_at=at(1))


def _paused(until: datetime | None) -> ScheduleState:
    return replace(STATE, paused_at=at(0.5), paused_until=until)


@pytest.mark.parametrize("until", [None, at(9), at(4.5) + TICK])
def test_a_pause_that_goes_on_decides_nothing_and_leaves_the_cursor(until: datetime | None) -> None:
    made = decide(hourly(), _paused(until), at(4.5), IDLE)

    assert (made.fires, made.skips, made.cursor, made.next_fire_time) == ((), (), BASE, None)


@pytest.mark.parametrize(
    ("until", "fired", "skipped"),
    [
        (at(4.5), [], [(1, 4, 4, "paused")]),
        (at(4), [4], [(1, 3, 3, "paused")]),
        (at(4) + TICK, [], [(1, 4, 4, "paused")]),
        # The daemon was down at the end of the pause: from it on the misfire policy decides.
        (at(2), [4], [(1, 1, 1, "paused"), (2, 3, 2, "coalesced")]),
        # It ended before anything was due.
        (at(0.75), [4], [(1, 3, 3, "coalesced")]),
    ],
)
def test_a_pause_that_ran_out_splits_the_time_at_its_end(
    until: datetime, fired: list[float], skipped: list[tuple[float, float, int, str]]
) -> None:
    made = decide(hourly(), _paused(until), at(4.5), IDLE)

    assert hours(made) == fired
    assert skips(made) == skipped
    assert (made.cursor, made.next_fire_time) == (at(4.5), at(5))


def test_a_schedule_that_is_not_paused_is_simply_planned() -> None:
    assert decide(hourly(), STATE, at(1), IDLE) == plan(hourly(), BASE, 0, at(1), IDLE)


def test_a_range_of_a_pause_respects_start_end_and_reason() -> None:
    subject = hourly(start_at=at(2), end_at=at(5))

    found = paused_range(subject, BASE, 0, at(9), Reason.DELETED)

    assert found is not None
    assert shown(found) == (2, 5, 4, "deleted")


def test_a_schedule_that_has_had_its_runs_has_no_fire_times_to_be_paused() -> None:
    assert paused_range(hourly(max_runs=2), BASE, 2, at(9)) is None
    assert paused_range(hourly(max_runs=2), BASE, 1, at(9)) is not None


def test_an_empty_range_is_none() -> None:
    rule = hourly().rule

    assert skipped(rule, at(1), at(1), Reason.PAUSED) is None
    assert skipped(rule, at(1), at(2) - TICK, Reason.PAUSED) is None
    assert skipped(rule, at(3), at(1), Reason.PAUSED) is None


def test_a_window_longer_than_all_history_is_no_error() -> None:
    subject = hourly(catch_up_window=timedelta(days=365_000), misfire_after=timedelta(days=365_000))

    made = plan(subject, BASE, 0, BASE + HOUR + SECOND, IDLE)

    assert hours(made) == [1]
