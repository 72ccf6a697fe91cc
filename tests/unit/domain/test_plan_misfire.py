"""What becomes of fire times that are found late: misfire, the cap, the catch-up window; and that work is bounded."""

from datetime import timedelta

import pytest

from celsched.domain.plan import BATCH, CATCH_UP_CAP, Active, plan
from celsched.domain.policy import Misfire, Overlap
from celsched.timing.interval import Interval
from celsched.timing.jitter import jitter_delay
from tests.unit.domain.planning import (
    BASE,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    CountingRule,
    accounted,
    at,
    fires,
    hourly,
    hours,
    skips,
)

IDLE = Active()
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("misfire", "now", "fired", "skipped"),
    [
        # Nothing is young: 01:00 to 04:00 are late at 04:30.
        (Misfire.RUN_LATEST, 4.5, [4], [(1, 3, 3, "coalesced")]),
        (Misfire.RUN_ALL, 4.5, [1, 2, 3, 4], []),
        (Misfire.SKIP, 4.5, [], [(1, 4, 4, "misfire_skip")]),
        # At 04:00:00 exactly, 04:00 is young: it stands for the older ones.
        (Misfire.RUN_LATEST, 4, [4], [(1, 3, 3, "coalesced")]),
        (Misfire.RUN_ALL, 4, [1, 2, 3], [(4, 4, 1, "overlap")]),
        (Misfire.SKIP, 4, [4], [(1, 3, 3, "misfire_skip")]),
        # One late fire time alone.
        (Misfire.RUN_LATEST, 1.5, [1], []),
        (Misfire.RUN_ALL, 1.5, [1], []),
        (Misfire.SKIP, 1.5, [], [(1, 1, 1, "misfire_skip")]),
        # Nothing is due.
        (Misfire.RUN_LATEST, 0.5, [], []),
        (Misfire.RUN_ALL, 0.5, [], []),
        (Misfire.SKIP, 0.5, [], []),
    ],
)
def test_each_misfire_policy_decides_late_fire_times(
    misfire: Misfire, now: float, fired: list[float], skipped: list[tuple[float, float, int, str]]
) -> None:
    made = plan(hourly(misfire=misfire), BASE, 0, at(now), IDLE)

    assert hours(made) == fired
    assert skips(made) == skipped
    assert made.cursor == at(now)
    assert made.next_fire_time == at(int(now) + 1)


@pytest.mark.parametrize(
    ("late", "misfired"), [(MINUTE - MICROSECOND, False), (MINUTE, False), (MINUTE + MICROSECOND, True)]
)
def test_a_fire_time_is_misfired_only_when_later_than_misfire_after(late: timedelta, misfired: bool) -> None:
    made = plan(hourly(misfire=Misfire.SKIP), BASE, 0, at(1) + late, IDLE)

    assert hours(made) == ([] if misfired else [1])


@pytest.mark.parametrize("misfire", list(Misfire))
def test_young_fire_times_all_go_through_whatever_the_misfire_policy(misfire: Misfire) -> None:
    subject = hourly(rule=Interval(10 * SECOND, BASE), misfire=misfire, overlap=Overlap.ALLOW)

    made = plan(subject, BASE, 0, BASE + 35 * SECOND, IDLE)

    assert [(fire.fire_time - BASE) / SECOND for fire in made.fires] == [10, 20, 30]
    assert made.skips == ()


def test_run_all_takes_the_newest_hundred_oldest_first_as_a_chain() -> None:
    subject = hourly(misfire=Misfire.RUN_ALL, catch_up_window=30 * DAY)

    made = plan(subject, BASE, 0, at(250.5), IDLE)

    assert CATCH_UP_CAP == 100
    assert hours(made) == list(range(151, 251))
    assert skips(made) == [(1, 150, 150, "catch_up_cap")]
    assert all(fire.chain for fire in made.fires)
    assert [fire.waits for fire in made.fires] == [False] + [True] * 99


@pytest.mark.parametrize(
    ("overlap", "active", "first_waits"),
    [
        (Overlap.SKIP, Active(), False),
        (Overlap.SKIP, Active(claimed=1), True),
        (Overlap.QUEUE_ONE, Active(open=1), True),
        (Overlap.CANCEL_RUNNING, Active(chain=1), True),
        (Overlap.ALLOW, Active(claimed=1, open=1, chain=1), False),
    ],
)
def test_the_first_of_a_chain_waits_for_what_is_active_unless_overlap_is_allow(
    overlap: Overlap, active: Active, first_waits: bool
) -> None:
    made = plan(hourly(misfire=Misfire.RUN_ALL, overlap=overlap), BASE, 0, at(3.5), active)

    assert [fire.waits for fire in made.fires] == [first_waits, True, True]
    assert not any(fire.cancels for fire in made.fires)


@pytest.mark.parametrize(
    ("overlap", "fate"),
    [
        (Overlap.SKIP, None),
        (Overlap.QUEUE_ONE, (True, False)),
        (Overlap.CANCEL_RUNNING, (True, False)),
        (Overlap.ALLOW, (False, False)),
    ],
)
def test_a_chain_is_active_for_a_younger_fire_time(overlap: Overlap, fate: tuple[bool, bool] | None) -> None:
    made = plan(hourly(misfire=Misfire.RUN_ALL, overlap=overlap), BASE, 0, at(3), Active())

    ordinary = [fire for fire in made.fires if not fire.chain]
    assert [fire.fire_time for fire in made.fires if fire.chain] == [at(1), at(2)]
    assert [(fire.waits, fire.cancels) for fire in ordinary] == ([] if fate is None else [fate])
    assert skips(made) == ([(3, 3, 1, "overlap")] if fate is None else [])


@pytest.mark.parametrize("misfire", list(Misfire))
def test_fire_times_older_than_the_catch_up_window_are_too_late(misfire: Misfire) -> None:
    made = plan(hourly(misfire=misfire, catch_up_window=2 * HOUR), BASE, 0, at(5.5), IDLE)

    assert skips(made)[0] == (1, 3, 3, "too_late")
    assert accounted(hourly().rule, made) == [at(hour) for hour in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize(("age", "too_late"), [(DAY, False), (DAY + MICROSECOND, True)])
def test_the_catch_up_window_itself_is_inside(age: timedelta, too_late: bool) -> None:
    made = plan(hourly(rule=Interval(100 * DAY, BASE)), BASE - SECOND, 0, BASE + age, IDLE)

    assert bool(skips(made)) is too_late
    assert bool(fires(made)) is not too_late


def test_a_catch_up_window_shorter_than_misfire_after_decides_first() -> None:
    subject = hourly(misfire_after=10 * HOUR, catch_up_window=HOUR, overlap=Overlap.ALLOW)

    made = plan(subject, BASE, 0, at(4.5), IDLE)

    assert skips(made) == [(1, 3, 3, "too_late")]
    assert hours(made) == [4]


def test_reasons_come_in_their_order_and_ranges_do_not_touch_single_rows() -> None:
    subject = hourly(misfire=Misfire.RUN_ALL, catch_up_window=200 * HOUR, rule=Interval(HOUR, BASE))

    made = plan(subject, BASE, 0, at(300), Active(claimed=1))

    assert [skip[3] for skip in skips(made)] == ["too_late", "catch_up_cap", "overlap"]
    assert accounted(subject.rule, made) == [at(hour) for hour in range(1, 301)]


@pytest.mark.parametrize("misfire", list(Misfire))
def test_a_year_of_downtime_of_a_one_second_interval_asks_the_rule_a_few_times_only(misfire: Misfire) -> None:
    rule = CountingRule(Interval(SECOND, BASE))
    subject = hourly(rule=rule, misfire=misfire, overlap=Overlap.ALLOW)

    made = plan(subject, BASE, 0, BASE + 365 * DAY, IDLE)

    assert len(made.fires) + sum(skip.count for skip in made.skips) == 365 * 86400
    assert rule.total < 61 + 20  # each young one is asked for, all else is arithmetic


def test_more_than_a_batch_of_young_fire_times_is_decided_in_several_plans() -> None:
    rule = CountingRule(Interval(SECOND, BASE))
    subject = hourly(rule=rule, misfire_after=HOUR, overlap=Overlap.ALLOW)
    now = BASE + 1200 * SECOND

    first = plan(subject, BASE, 0, now, IDLE)
    asked = rule.total
    second = plan(subject, first.cursor, len(first.fires), now, IDLE)
    third = plan(subject, second.cursor, len(first.fires) + len(second.fires), now, IDLE)

    assert [len(one.fires) for one in (first, second, third)] == [BATCH, BATCH, 200]
    assert asked < BATCH + 10
    assert first.next_fire_time == first.cursor + SECOND <= now
    assert fires(first) + fires(second) + fires(third) == [BASE + n * SECOND for n in range(1, 1201)]
    assert third.cursor == now


def test_a_fire_time_is_late_only_when_its_jittered_start_is() -> None:
    subject = hourly(misfire=Misfire.SKIP, jitter=20 * MINUTE)
    delay = jitter_delay(subject.name, at(1), subject.jitter)
    assert delay > 2 * MINUTE  # else this example shows nothing

    in_time = plan(subject, BASE, 0, at(1) + delay + subject.misfire_after, IDLE)
    late = plan(subject, BASE, 0, at(1) + delay + subject.misfire_after + MICROSECOND, IDLE)

    assert (hours(in_time), skips(in_time)) == ([1], [])
    assert (hours(late), skips(late)) == ([], [(1, 1, 1, "misfire_skip")])
