"""The checker itself: a good history passes, and each way to break a promise is seen in a hand-made one."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from celsched.domain.plan import Active, Subject, next_fire_time, plan
from celsched.domain.policy import Misfire, Overlap
from celsched.timing.interval import Interval
from tests.faults.checker import check
from tests.faults.facts import events_in
from tests.faults.handmade import BASE, PLANNED, event, good, kinds, row, tried
from tests.faults.history import MINUTE, SECOND, Event, Fault, History, Limits, Mark, Row
from tests.faults.lateness import percentile, starts
from tests.faults.planted import PLANTED
from tests.faults.reading import Reading


def test_a_good_history_passes() -> None:
    assert check(good()) == []


def test_fire_times_are_exact_and_include_both_ends() -> None:
    assert PLANNED.fire_times() == [BASE, BASE + 10 * SECOND, BASE + 20 * SECOND]
    cron = replace(PLANNED, kind="cron", every=MINUTE, start=BASE, end=BASE + 2 * MINUTE)
    first = 1_800_000_000 * SECOND + MINUTE
    assert [fire for fire in cron.fire_times() if fire % MINUTE] == []
    assert cron.fire_times() == [first, first + MINUTE]


Break = Callable[[History], None]


def _without_a_row(history: History) -> None:
    history.rows, history.events, history.tries = history.rows[:2], history.events[:6], history.tries[:2]
    history.least_fires = 2


def _a_microsecond_off(history: History) -> None:
    history.rows = [*history.rows[:2], row(3, fire=row(3).fire + 1)]


def _ran_off_the_grid(history: History) -> None:
    history.events = [*history.events[:6], *(replace(one, fire=one.fire - 1) for one in history.events[6:])]


def _two_rows(history: History) -> None:
    history.rows = [*history.rows, row(3, id=4, state="skipped", reason="overlap")]


def _range_miscounts(history: History) -> None:
    history.rows = [row(1), row(2, "skipped", reason="overlap", until=row(3).fire, count=1, created=row(1).created)]
    history.events, history.tries, history.least_fires = history.events[:3], history.tries[:1], 1


def _skip_without_cause(history: History) -> None:
    history.rows = [*history.rows[:2], row(3, "skipped", reason="overlap")]
    history.events, history.tries, history.least_fires = history.events[:6], history.tries[:2], 2


def _start_again(history: History) -> None:
    history.events = [*history.events, event(2, "start", 0.6, pid=999)]


def _three_starts(history: History) -> None:
    history.events = [*history.events, *(event(2, "start", 3 + n, 2 + n) for n in range(3))]
    history.tries = [*history.tries, *(tried(2, "lost", 2 + n, 3.5 + n) for n in range(3))]


def _attempts_overlap(history: History) -> None:
    history.events = [*history.events, event(2, "start", 1.5, 2)]


def _schedule_overlaps(history: History) -> None:
    history.events = [*history.events, event(2, "alive", 10.7)]


def _never_ended(history: History) -> None:
    history.events = [one for one in history.events if (one.execution, one.mark) != (2, "end")]


def _ended_but_lost(history: History) -> None:
    history.rows = [row(1), row(2, "lost"), row(3)]


def _failed_for_nothing(history: History) -> None:
    history.rows = [row(1), row(2, "failed"), row(3)]


def _unknown_attempt(history: History) -> None:
    history.tries = history.tries[:2]


def _false_loss(history: History) -> None:
    history.rows = [row(1), row(2, "lost"), row(3)]
    history.tries = [tried(1), tried(2, "lost"), tried(3)]
    history.events = [one for one in history.events if (one.execution, one.mark) != (2, "end")]


def _late_without_fault(history: History) -> None:
    history.events = [replace(one, at=one.at + 5 * SECOND) if one.execution == 3 else one for one in history.events]
    history.tries = [*history.tries[:2], tried(3, end=7.0)]


def _late_long_after_a_fault(history: History) -> None:
    began = BASE + 19 * SECOND
    history.faults = [Fault("redis restart", began, began + SECOND)]
    history.events = [replace(one, at=one.at + 60 * SECOND) if one.execution == 3 else one for one in history.events]
    history.tries = [*history.tries[:2], tried(3, end=62.0)]


def _outlives(history: History) -> None:
    history.events = [*history.events, event(3, "alive", 5.0)]


def _unfinished(history: History) -> None:
    history.rows = [*history.rows[:2], row(3, "queued", finished=None)]


def _noticed_late(history: History) -> None:
    _false_loss(history)
    killed = tried(2).started + SECOND
    history.tries = [tried(1), tried(2, "lost", end=9.0), tried(3)]
    history.faults = [Fault("kill child", killed, killed, kills=True, pids=frozenset({102}))]


def _few_faults(history: History) -> None:
    history.least_faults = 1


def _few_fires(history: History) -> None:
    history.least_fires = 4


def _seen_by_the_run(history: History) -> None:
    history.findings = [("changed", "execution 1 was succeeded, and became queued")]


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (_without_a_row, "missing"),
        (_a_microsecond_off, "extra"),
        (_a_microsecond_off, "missing"),
        (_ran_off_the_grid, "extra"),
        (_two_rows, "doubled"),
        (_range_miscounts, "miscounted"),
        (_skip_without_cause, "skipped"),
        (_start_again, "started twice"),
        (_three_starts, "too often"),
        (_attempts_overlap, "overlap"),
        (_schedule_overlaps, "overlap"),
        (_never_ended, "disagree"),
        (_ended_but_lost, "disagree"),
        (_failed_for_nothing, "disagree"),
        (_unknown_attempt, "disagree"),
        (_false_loss, "lost for nothing"),
        (_late_without_fault, "late"),
        (_late_long_after_a_fault, "late"),
        (_outlives, "outlives"),
        (_unfinished, "unfinished"),
        (_noticed_late, "noticed late"),
        (_few_faults, "too small"),
        (_few_fires, "too small"),
        (_seen_by_the_run, "changed"),
    ],
)
def test_each_broken_promise_is_seen(broken: Break, kind: str) -> None:
    history = good()
    broken(history)
    assert kind in kinds(history)


def _as_dispatched(late: int) -> History:
    """What celsched makes of the fire times of a good history, each seen so many microseconds late."""
    every, base = timedelta(microseconds=PLANNED.every), _instant(PLANNED.start)
    subject = Subject(
        PLANNED.name, Interval(every, base), Misfire.RUN_LATEST, 6 * every, 60 * every, Overlap.ALLOW, timedelta(),
        start_at=base, end_at=_instant(PLANNED.end), max_runs=None,
    )  # fmt: skip
    cursor, fires = base - every, list[int]()
    coming = next_fire_time(subject, cursor, 0)
    while coming is not None:
        made = plan(subject, cursor, len(fires), coming + timedelta(microseconds=late), Active())
        fires.extend((one.fire_time - _instant(0)) // timedelta(microseconds=1) for one in made.fires)
        cursor, coming = made.cursor, made.next_fire_time
    history = good()
    history.rows = [row(number, fire=fire) for number, fire in enumerate(fires, 1)]
    history.events = [
        replace(one, fire=fires[one.execution - 1]) for one in history.events if one.execution <= len(fires)
    ]
    return history


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at)


@pytest.mark.parametrize("late", [0, 1, 1500])
def test_fire_times_counted_from_the_last_look_are_seen(late: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kinds(_as_dispatched(late)) == set()
    monkeypatch.setattr(Interval, "next_after", Interval.next_after)  # to be put back
    PLANTED["float_fire_time"]()
    assert {"extra", "missing"} <= kinds(_as_dispatched(late))


def test_a_frozen_host_excuses_an_overlap_only_until_shortly_after_it_woke() -> None:
    history = good()
    _schedule_overlaps(history)
    frozen = Fault("freeze worker long", BASE + 11 * SECOND, BASE + 20 * SECOND, True, True, frozenset({50}))
    history.faults = [frozen]
    assert "overlap" not in kinds(history)
    history.faults = [replace(frozen, pids=frozenset({51}))]
    assert "overlap" in kinds(history)
    history.faults = [replace(frozen, ended=BASE + 13 * SECOND)]
    assert "overlap" in kinds(history)


def test_a_whole_run_may_be_repeated_where_its_end_was_lost() -> None:
    history = good()
    killed = tried(2).finished
    assert killed is not None
    history.faults = [Fault("kill worker", killed - 1, killed, kills=True, pids=frozenset({50}))]
    history.tries = [tried(1), tried(2, "lost"), tried(3), tried(2, "succeeded", 2, 4.0, 2.9)]
    history.rows = [row(1), row(2, attempt=2, finished=BASE + 14 * SECOND), row(3)]
    again: list[tuple[Mark, float]] = [("start", 3.0), ("end", 3.9)]
    history.events = [*history.events, *(event(2, mark, at, 2) for mark, at in again)]
    assert kinds(history) == set()


def test_percentiles() -> None:
    assert percentile([], 0.99) == 0
    assert percentile([n * SECOND for n in range(100)], 0.99) == 99
    assert percentile([3 * SECOND], 0.5) == 3


def _many(begin: list[float]) -> History:
    """Executions that fall due second by second after 10 s, and begin so many seconds after that."""
    planned = replace(PLANNED, every=SECOND, start=BASE, end=BASE + 60 * SECOND, overlap="allow")
    rows, events = [], []
    for number, late in enumerate(begin, 1):
        fire = BASE + (9 + number) * SECOND
        rows.append(Row(number, planned.name, "succeeded", None, fire, None, 1, 1, 1, fire, fire + 50 * SECOND))
        events.append(Event("start", number, 1, planned.name, fire, 100, 50, fire + int(late * SECOND)))
    return History([planned], events, rows, limits=Limits(boot=SECOND, republish=0))


def test_who_queues_behind_what_a_fault_left_is_excused_until_the_queue_is_worked_off() -> None:
    history = _many([9, 9, 9, 9, 9, 9, 0.1, 5, *[0.1] * 11, 5])
    history.faults = [Fault("kill everything", BASE + 9 * SECOND, BASE + 13 * SECOND, kills=True)]
    excused = {start.run.execution for start in starts(Reading(history)) if start.faults}
    # The first five are touched by the fault itself; while four of those wait, what follows is queued behind them.
    assert {1, 2, 3, 4, 5, 6, 7, 8} <= excused
    assert 20 not in excused
    history.faults = []
    assert not any(start.faults for start in starts(Reading(history)))


def test_one_that_waits_is_no_queue() -> None:
    history = _many([9, 0.1, 5, 0.1])
    history.faults = [Fault("kill child", BASE + 9 * SECOND, BASE + 10 * SECOND, kills=True)]
    excused = {start.run.execution for start in starts(Reading(history)) if start.faults}
    assert 3 not in excused


@pytest.mark.parametrize(("bodies", "late"), [(4, 0.5), (3, 5)])
def test_waiting_for_a_child_that_is_free_is_late_and_for_one_that_works_is_not(bodies: int, late: float) -> None:
    history = _many([*[0.1] * bodies, 5])
    due = history.rows[-1].fire
    for number in range(1, bodies + 1):
        last = due + int(4.5 * SECOND) + number
        history.events.append(Event("end", number, 1, PLANNED.name, history.rows[number - 1].fire, 100, 50, last))  # type: ignore[attr-defined]
    waited = starts(Reading(history))[-1].late
    assert waited == pytest.approx(late * SECOND, abs=2)


def test_only_a_last_sign_of_life_may_be_cut_off(tmp_path: Path) -> None:
    values = {"execution": 1, "attempt": 1, "schedule": "s", "fire": 2, "pid": 3, "worker": 4, "at": 5}
    whole = json.dumps({"mark": "alive"} | values)
    (tmp_path / "alive").write_text(f"{whole}\n{whole[:70]}")
    (tmp_path / "between").write_text(f"{whole[:70]}\n{whole}\n")
    (tmp_path / "start").write_text(whole.replace("alive", "start")[:70])
    events, findings = events_in(tmp_path)
    assert len(events) == 2
    assert [said.split()[0] for _, said in findings] == ["between", "start"]
