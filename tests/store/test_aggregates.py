"""What `stats` reports of crafted rows equals what a plain loop over the same rows finds, on both databases."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from celsched.domain.report import NO_VALUES, Percentiles, cut
from celsched.errors import NotFound
from celsched.operations import control, stats
from celsched.operations.scope import Scope
from celsched.operations.stats import Wanted
from celsched.store import aggregates
from celsched.store.lengths import measure
from celsched.store.store import Store
from celsched.store.tables import attempts, executions
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task

ZONE = "Europe/Berlin"
SINCE, UNTIL = datetime(2026, 3, 27, 9, tzinfo=UTC), datetime(2026, 3, 31, 15, tzinfo=UTC)
ENDED = ["succeeded"] * 6 + ["failed", "failed", "timed_out", "lost", "cancelled", "expired", "skipped"]
RAN = {"succeeded", "failed", "timed_out", "lost"}
TIMED = RAN - {"lost"}
MICROSECOND = timedelta(microseconds=1)
Row = dict[str, Any]


def _row(rng: random.Random, subjects: list[tuple[str | None, int | None, str, int]]) -> Row:
    schedule, schedule_id, task, task_id = rng.choice(subjects)
    state = rng.choice(ENDED)
    due = SINCE - timedelta(hours=5) + timedelta(microseconds=rng.randrange(5 * 86_400_000_000))
    begun = due + timedelta(microseconds=rng.randrange(-50, 5_000_000))
    started = state in RAN or (state == "cancelled" and rng.random() < 0.5)
    return {
        "state": state, "cause": "manual" if schedule is None else rng.choice(("backfill", "retry", "manual")),
        "queue_name": None if state == "skipped" else rng.choice(("default", "گزارش‌ها")),
        "task_id": task_id, "task": task, "schedule_id": schedule_id, "schedule": schedule, "revision": 1,
        "count": rng.randint(1, 90) if state == "skipped" else 1,
        "reason": rng.choice(("overlap", "paused")) if state == "skipped" else None,
        "attempt": rng.randint(1, 3) if started else 1, "due_at": due, "publish_after": due, "created_at": due,
        "dispatch_at": due + timedelta(microseconds=rng.randrange(1000)), "started_at": begun if started else None,
        "attempt_started_at": begun if started else None,
        "finished_at": begun + timedelta(microseconds=rng.randrange(9_000_000)),
    }  # fmt: skip


@pytest.fixture
def rows(scope: Scope) -> list[Row]:
    """Six hundred ended executions of two schedules and a task, with attempts."""
    rng = random.Random(7)
    nightly, hourly = add_schedule(scope, "شبانه"), add_schedule(scope, "hourly", task="other")
    alone = add_task(scope, "alone")
    subjects: list[tuple[str | None, int | None, str, int]] = [
        *((one.name, one.id, one.task.name, one.task.id) for one in (nightly, hourly)),
        (None, None, alone.name, alone.id),
    ]
    made = [_row(rng, subjects) | {"id": n + 1} for n in range(600)]
    # The first and last instants of a day of 23 hours and of the window, and those just before them.
    midnights = [datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)]
    edges = [edge + by for edge in (*midnights, SINCE, UNTIL) for by in (-MICROSECOND, timedelta(0))]
    for row, edge in zip(made, edges, strict=False):
        row["finished_at"] = edge
        if row["started_at"]:
            row["attempt_started_at"] = edge - timedelta(seconds=3)
    tries = [_attempt(rng, row) for row in made if row["started_at"]]
    scope.store.write(lambda tx: (tx.execute(insert(executions), made), tx.execute(insert(attempts), tries)))
    return made


def _attempt(rng: random.Random, row: Row) -> Row:
    measured = rng.random() < 0.8
    row["cpu"] = rng.randrange(1000) / 8 if measured else None
    row["memory"] = rng.randrange(10**9) if measured else None
    return {
        "execution_id": row["id"], "attempt": row["attempt"], "claim_token": str(row["id"]), "state": row["state"],
        "worker": "w", "host": "h", "pid": 1, "started_at": row["started_at"],
        "cpu_seconds": row["cpu"], "peak_memory_bytes": row["memory"],
    }  # fmt: skip


def _wanted(**values: Any) -> Wanted:
    return Wanted(cut(SINCE, UNTIL, ZONE), **values)


def _inside(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if SINCE <= row["finished_at"] < UNTIL]


def _judged(values: list[timedelta]) -> Percentiles:
    if not values:
        return NO_VALUES
    ordered = sorted(max(value, timedelta(0)) for value in values)
    p50, p95, p99 = (ordered[ceil(len(ordered) * percent / 100) - 1] for percent in (50, 95, 99))
    return Percentiles(len(ordered), p50, p95, p99, ordered[-1])


def _states(rows: Iterable[Row]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["state"]] += row["count"]
    return counts


def _assert_outcomes(found: Any, rows: list[Row]) -> None:
    counts = _states(rows)
    assert {state: getattr(found, state) for state in set(ENDED)} == {state: counts[state] for state in set(ENDED)}
    runs = sum(counts[state] for state in RAN)
    assert found.runs == runs
    assert found.success_rate == (counts["succeeded"] / runs if runs else None)
    assert found.retries == sum(row["attempt"] - 1 for row in rows if row["state"] in RAN)


def test_the_overview_equals_a_plain_count(scope: Scope, rows: list[Row]) -> None:
    found, inside = stats.overview(scope, _wanted()), _inside(rows)
    assert 0 < len(inside) < len(rows)
    _assert_outcomes(found.outcomes, inside)
    assert {cause.value: count for cause, count in found.causes.items() if count} == Counter(
        row["cause"] for row in inside if row["state"] != "skipped"
    )
    reasons: Counter[str] = Counter()
    for row in inside:
        if row["state"] == "skipped":
            reasons[row["reason"]] += row["count"]
    assert found.skipped == reasons


def test_days_are_cut_where_the_zone_has_its_midnights(scope: Scope, rows: list[Row]) -> None:
    days: dict[date, list[Row]] = defaultdict(list)
    for row in _inside(rows):
        days[row["finished_at"].astimezone(ZoneInfo(ZONE)).date()].append(row)
    found = stats.overview(scope, _wanted()).per_day
    assert [day.date for day in found] == [date(2026, 3, day) for day in range(27, 32)]
    for day in found:
        counts = _states(days[day.date])
        failed = counts["failed"] + counts["timed_out"] + counts["lost"]
        assert (day.succeeded, day.failed, day.skipped) == (counts["succeeded"], failed, counts["skipped"])


@pytest.mark.parametrize("by_task", [False, True])
def test_performance_equals_a_plain_sort(scope: Scope, rows: list[Row], by_task: bool) -> None:
    of: dict[str, list[Row]] = defaultdict(list)
    for row in _inside(rows):
        of[row["task"] if by_task else row["schedule"] or row["task"]].append(row)
    found = stats.performance(scope, _wanted(by_task=by_task))
    assert [one.subject.name for one in found] == sorted(of)
    for one in found:
        mine = of[one.subject.name]
        _assert_outcomes(one.outcomes, mine)
        timed = [row for row in mine if row["state"] in TIMED]
        assert one.lengths.duration == _judged([row["finished_at"] - row["attempt_started_at"] for row in timed])
        first = [row["started_at"] - row["dispatch_at"] for row in timed if row["attempt"] == 1]
        assert one.lengths.wait == _judged(first)
        assert one.lengths.lateness == _judged([row["started_at"] - row["due_at"] for row in timed])
        assert sum(day.succeeded for day in one.per_day) == one.outcomes.succeeded
        tries = [row for row in mine if row["started_at"]]
        assert one.usage.attempts == len(tries)
        assert one.usage.cpu_seconds == sum(row["cpu"] for row in tries if row["cpu"] is not None)
        assert one.usage.peak_memory_bytes == max(row["memory"] for row in tries if row["memory"] is not None)


def test_the_worst_come_first(scope: Scope, rows: list[Row]) -> None:
    found, inside = stats.overview(scope, _wanted()), _inside(rows)
    failures = Counter(
        row["schedule"] or row["task"] for row in inside if row["state"] in RAN and row["state"] != "succeeded"
    )
    assert {one.subject.name: one.outcomes.failures for one in found.failing} == failures
    assert [one.outcomes.failures for one in found.failing] == sorted(failures.values(), reverse=True)
    took: dict[str, list[timedelta]] = defaultdict(list)
    for row in inside:
        if row["state"] in TIMED:
            took[row["schedule"] or row["task"]].append(row["finished_at"] - row["attempt_started_at"])
    means = {name: sum(lengths, timedelta(0)) / len(lengths) for name, lengths in took.items()}
    assert [one.subject.name for one in found.slowest] == sorted(means, key=lambda name: -means[name])
    assert {one.subject.name: (one.mean, one.max) for one in found.slowest} == {
        name: (means[name], max(lengths)) for name, lengths in took.items()
    }


def test_each_task_and_queue_has_its_own_totals(scope: Scope, rows: list[Row]) -> None:
    found, inside = stats.overview(scope, _wanted()), _inside(rows)
    for parts, key in ((found.tasks, "task"), (found.queues, "queue_name")):
        named = {getattr(name, "name", name): sums for name, sums in parts}
        assert named.keys() == {row[key] for row in inside if row[key] is not None}
        assert [sums.runs for _, sums in parts] == sorted((sums.runs for _, sums in parts), reverse=True)
        for name, sums in named.items():
            _assert_outcomes(sums, [row for row in inside if row[key] == name])


def test_who_was_skipped_most_comes_first_with_the_reasons(scope: Scope, rows: list[Row]) -> None:
    found = stats.overview(scope, _wanted()).skipping
    skips: dict[str, Counter[str]] = defaultdict(Counter)
    for row in _inside(rows):
        if row["state"] == "skipped":
            skips[row["schedule"] or row["task"]][row["reason"]] += row["count"]
    assert {one.subject.name: one.reasons for one in found} == skips
    counts = [one.skipped for one in found]
    assert counts == sorted((sum(of_one.values()) for of_one in skips.values()), reverse=True)


def test_the_previous_window_is_as_long_and_ends_where_this_one_begins(scope: Scope, rows: list[Row]) -> None:
    middle = SINCE + (UNTIL - SINCE) / 2
    wanted = Wanted(cut(middle, UNTIL, ZONE))
    before = [row for row in rows if SINCE <= row["finished_at"] < middle]
    assert before
    overview, subjects = stats.both(scope, wanted)
    assert (overview.previous_window.since, overview.previous_window.until) == (SINCE, middle)
    _assert_outcomes(overview.previous, before)
    for one in subjects:
        _assert_outcomes(one.previous, [row for row in before if (row["schedule"] or row["task"]) == one.subject.name])


def test_the_busiest_minutes_of_the_day_of_its_zone(scope: Scope, rows: list[Row]) -> None:
    of: dict[str, list[Row]] = defaultdict(list)
    for row in _inside(rows):
        if row["state"] in RAN:
            of[f"{row['due_at'].astimezone(ZoneInfo(ZONE)):%H:%M}"].append(row)
    found = stats.overview(scope, _wanted(slots=4)).slots
    order = sorted(of, key=lambda minute: (-len(of[minute]), minute))
    assert [(one.minute, one.executions) for one in found] == [(minute, len(of[minute])) for minute in order[:4]]
    for one in found:
        late = [max(row["started_at"] - row["due_at"], timedelta(0)) for row in of[one.minute]]
        per_minute = Counter(row["due_at"].replace(second=0, microsecond=0) for row in of[one.minute])
        assert (one.lateness_max, one.days, one.most) == (max(late), len(per_minute), max(per_minute.values()))
        assert per_minute[one.most_at] == one.most
        assert one.lateness_mean == pytest.approx(sum(late, timedelta(0)) / len(late), abs=timedelta(milliseconds=1))
    assert stats.overview(scope, _wanted()).slots == ()


def test_a_fire_time_that_has_come_is_due_and_not_next(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, "hourly")
    first = stats.overview(scope, _wanted())
    assert ([one.schedule for one in first.coming], first.due) == (["hourly"], 0)
    clock.advance(timedelta(hours=1))
    then = stats.overview(scope, _wanted())
    assert (then.coming, then.due) == ((), 1)


def test_filters_narrow_to_a_schedule_or_a_task(scope: Scope, rows: list[Row]) -> None:
    inside = _inside(rows)
    _assert_outcomes(
        stats.overview(scope, _wanted(schedule="شبانه")).outcomes, [r for r in inside if r["schedule"] == "شبانه"]
    )
    _assert_outcomes(stats.overview(scope, _wanted(task="alone")).outcomes, [r for r in inside if r["task"] == "alone"])
    assert [one.subject.name for one in stats.performance(scope, _wanted(task="other"))] == ["hourly"]
    coming = stats.overview(scope, _wanted(task="other")).coming
    assert [(one.schedule, one.task) for one in coming] == [("hourly", "other")]
    with pytest.raises(NotFound):
        stats.overview(scope, _wanted(schedule="nobody"))


def test_an_empty_store_has_zeros_and_no_rates(scope: Scope) -> None:
    found, subjects = stats.both(scope, _wanted())
    assert (found.outcomes.runs, found.outcomes.success_rate, found.failing, found.slowest) == (0, None, (), ())
    assert (found.coming, subjects) == ((), [])
    assert all((day.succeeded, day.failed, day.skipped) == (0, 0, 0) for day in found.per_day)


def test_a_schedule_that_never_ran_is_listed(scope: Scope) -> None:
    add_schedule(scope, "never")
    (found,) = stats.performance(scope, _wanted())
    assert (found.subject.name, found.outcomes.runs, found.lengths.duration) == ("never", 0, NO_VALUES)
    assert found.usage.cpu_seconds is None


def test_what_has_not_ended_is_counted_as_it_stands(scope: Scope, store: Store) -> None:
    task = add_task(scope)
    states = ("pending", "pending", "queued", "running", "retrying", "retrying", "retrying")
    at = dict.fromkeys(("due_at", "dispatch_at", "publish_after", "created_at"), SINCE)
    live = [
        at | {"state": state, "cause": "manual", "task_id": task.id, "task": task.name, "revision": 1, "waits": n == 0}
        for n, state in enumerate(states)
    ]
    store.write(lambda tx: tx.execute(insert(executions), live))
    found = stats.overview(scope, _wanted())
    assert found.live == stats.Live(running=1, queued=1, pending=1, retrying=3, waiting=1)
    assert found.outcomes.runs == 0


def test_deleted_schedules_keep_their_numbers_and_are_named_so(scope: Scope, rows: list[Row]) -> None:
    before = {one.subject.name: one for one in stats.performance(scope, _wanted())}
    control.delete_schedule(scope, "hourly")
    after = {one.subject.name: one for one in stats.performance(scope, _wanted())}
    assert after["hourly"].subject == replace(before["hourly"].subject, deleted=True)
    assert after["hourly"].lengths == before["hourly"].lengths
    assert "hourly" not in [one.schedule for one in stats.overview(scope, _wanted()).coming]


def test_what_is_made_and_runs_while_a_report_is_read_is_no_stranger_to_it(
    scope: Scope, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter(("یک", "دو"))

    def meanwhile(read: Callable[..., Any]) -> Callable[..., Any]:
        def late(*given: Any) -> Any:
            add_schedule(scope, name := next(made), cron="* * * * *")
            clock.advance(timedelta(minutes=1))
            actors.scan(scope.store)
            newest = next(one for one in actors.all_executions(scope.store) if one.schedule == name)
            actors.run(scope.store, newest.id)
            return read(*given)

        return late

    wanted = stats.window(clock.now() - timedelta(days=1), clock.now() + timedelta(days=1), "UTC")
    monkeypatch.setattr(stats, "measure", meanwhile(measure))
    monkeypatch.setattr(aggregates, "groups", meanwhile(aggregates.groups))
    assert stats.overview(scope, wanted).window == wanted.window
    assert "یک" in {one.subject.name for one in stats.performance(scope, wanted)}
