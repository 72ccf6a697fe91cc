"""Runs are judged by their own history: too long only while they run, too short only by a success; silence by beats."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.rules import Tuning
from celsched.domain.health.running import needs_history, percentile, stuck_no_heartbeat, too_long, too_short
from celsched.domain.health.work_facts import Run, Success, WorkFacts
from tests.unit.domain.looks import HEARTBEAT, NAME, NOW, left, look, nothing, only, tuned, watched

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def _runs(age: timedelta, **values: Any) -> Run:
    fields: dict[str, Any] = {"execution": 5, "subject": NAME, "schedule_id": 1, "task_id": 10, "token": "t",
                              "worker": "w", "beats": 3, "started_at": NOW - age, **values}  # fmt: skip
    return Run(**fields)


def _past(*minutes: float, first: int = 100) -> list[Success]:
    return [Success(first - place, NOW - place * HOUR, took * MINUTE) for place, took in enumerate(minutes)]


def _long(*runs: Run, past: Sequence[Success] = (), **more: Any) -> Any:
    return look(schedules=[watched(1)], work=WorkFacts(running=runs, history={1: past}), **more)


# too_long


@pytest.mark.parametrize(
    ("usual", "limit"),
    [(1, 6 * MINUTE), (10, 30 * MINUTE)],
    ids=["a short one may take five minutes more", "a long one may take three times as long"],
)
def test_too_long_is_judged_by_the_own_p95(usual: int, limit: timedelta) -> None:
    past = _past(*[usual] * 10)

    assert nothing(too_long, _long(_runs(limit), past=past))
    found = only(too_long, _long(_runs(limit + SECOND), past=past))
    assert (found.fingerprint, found.severity) == ("too_long:schedule:1", Severity.WARNING)
    assert (found.evidence.execution, found.since) == (5, NOW - limit - SECOND)


def test_too_long_needs_ten_successes_or_a_limit() -> None:
    run = _runs(100 * HOUR)

    assert nothing(too_long, _long(run, past=_past(*[1] * 9)))
    assert not nothing(too_long, _long(run, past=_past(*[1] * 10)))
    limited = watched(1, own=tuned(AlertKind.TOO_LONG, limit=HOUR))
    assert not nothing(too_long, look(schedules=[limited], work=WorkFacts(running=[run])))


def test_a_limit_stands_before_the_history() -> None:
    limited = watched(1, own=tuned(AlertKind.TOO_LONG, limit=HOUR))

    def found(age: timedelta) -> bool:
        return not nothing(
            too_long,
            look(schedules=[limited], work=WorkFacts(running=[_runs(age)], history={1: _past(*[1] * 20)})),
        )

    assert (found(HOUR), found(HOUR + SECOND)) == (False, True)


def test_too_long_is_critical_from_the_soft_time_limit_on() -> None:
    at_soft, past = _runs(4 * MINUTE, soft_limit=4 * MINUTE), _past(*[1] * 10)

    assert only(too_long, _long(at_soft, past=past)).severity is Severity.CRITICAL
    assert only(too_long, _long(at_soft)).severity is Severity.CRITICAL
    assert nothing(too_long, _long(_runs(4 * MINUTE - SECOND, soft_limit=4 * MINUTE)))


def test_too_long_tells_the_longest_and_ends_with_the_run() -> None:
    past = _past(*[1] * 10)
    found = only(too_long, _long(_runs(10 * MINUTE, execution=8), _runs(20 * MINUTE, execution=6), past=past))

    assert (found.evidence.execution, found.evidence.count) == (6, 2)
    assert nothing(too_long, _long(past=past, living=left(found)))


# too_short


def _short(newest: Success | None, past: Sequence[Success], **more: Any) -> Any:
    fresh = {} if newest is None else {1: newest}
    return look(schedules=[watched(1)], work=WorkFacts(fresh=fresh, history={1: past}), **more)


def _success(seconds: float, number: int = 200, at: datetime = NOW) -> Success:
    return Success(number, at, timedelta(seconds=seconds))


def test_too_short_is_judged_by_the_own_p5() -> None:
    past = _past(*[3] * 10)

    assert nothing(too_short, _short(_success(60), past))
    found = only(too_short, _short(_success(59), past))
    assert (found.fingerprint, found.severity, found.event_at) == ("too_short:schedule:1", Severity.WARNING, NOW)
    assert found.evidence.execution == 200


def test_too_short_does_not_measure_a_success_by_itself() -> None:
    newest = _success(1)

    assert not nothing(too_short, _short(newest, [newest, *_past(*[3] * 10)]))
    assert nothing(too_short, _short(newest, [newest, *_past(*[3] * 9)]))


def test_a_limit_stands_before_the_history_of_short_runs() -> None:
    limited = watched(1, own=tuned(AlertKind.TOO_SHORT, limit=10 * SECOND))

    def found(seconds: float) -> bool:
        return not nothing(too_short, look(schedules=[limited], work=WorkFacts(fresh={1: _success(seconds)})))

    assert (found(10), found(9)) == (False, True)


def test_too_short_stays_until_a_success_inside_the_band() -> None:
    past, short = _past(*[3] * 20), _success(1)
    opened = left(only(too_short, _short(short, past)))

    stays = only(too_short, _short(None, [short, *past], living=opened))
    assert (stays.event_at, stays.evidence.execution) == (NOW, 200)
    again = only(too_short, _short(_success(2, 201, NOW + HOUR), [short, *past], living=opened))
    assert (again.event_at, again.evidence.execution) == (NOW + HOUR, 201)
    assert nothing(too_short, _short(_success(170, 201), [short, *past], living=opened))
    # Unseen: the watcher was away when it ended.
    assert nothing(too_short, _short(None, [_success(170, 201), short, *past], living=opened))


def test_too_short_of_a_deleted_schedule_is_over() -> None:
    opened = left(only(too_short, _short(_success(1), _past(*[3] * 10))))

    assert nothing(too_short, look(work=WorkFacts(), living=opened))


# needs_history


def test_the_past_is_read_only_where_it_can_matter() -> None:
    off = {AlertKind.TOO_LONG: Tuning(enabled=False), AlertKind.TOO_SHORT: Tuning(enabled=False)}
    limited = tuned(AlertKind.TOO_LONG, limit=HOUR) | tuned(AlertKind.TOO_SHORT, limit=HOUR)
    schedules = [watched(1), watched(2), watched(3, own=off), watched(4, own=limited)]
    runs = [_runs(6 * MINUTE if number != 2 else 4 * MINUTE, schedule_id=number) for number in (1, 2, 3, 4)]
    seen = look(schedules=schedules)

    assert needs_history(seen, runs, ()) == {1}
    assert needs_history(seen, (), [1, 2, 3, 4, 99]) == {1, 2}
    opened = left(only(too_short, _short(_success(1), _past(*[3] * 10))))
    assert needs_history(look(schedules=schedules, living=opened), (), ()) == {1}


# stuck_no_heartbeat


def test_a_worker_is_silent_after_three_heartbeats() -> None:
    assert nothing(stuck_no_heartbeat, _long(_runs(HOUR, silent=3 * HEARTBEAT)))

    found = only(stuck_no_heartbeat, _long(_runs(HOUR, silent=3 * HEARTBEAT + SECOND)))

    assert (found.fingerprint, found.severity) == ("stuck_no_heartbeat:schedule:1", Severity.CRITICAL)
    assert found.since == NOW - 31 * SECOND
    assert nothing(stuck_no_heartbeat, _long(_runs(HOUR), living=left(found)))
    assert nothing(stuck_no_heartbeat, _long(living=left(found)))


def test_of_several_silent_runs_the_one_that_is_silent_longest_is_told() -> None:
    runs = [_runs(HOUR, execution=number, silent=number * MINUTE) for number in (1, 3, 2)]

    found = only(stuck_no_heartbeat, _long(*runs))

    assert (found.evidence.execution, found.evidence.count) == (3, 3)


def test_what_goes_on_with_other_runs_has_been_wrong_since_the_first() -> None:
    def seen(age: timedelta, living: Any = None) -> Any:
        own = {**tuned(AlertKind.TOO_LONG, limit=MINUTE), **tuned(AlertKind.TOO_SHORT, limit=MINUTE)}
        fresh = {1: _success(1, int(age / HOUR), at=NOW - age)}
        facts = WorkFacts(running=[_runs(age, silent=age)], fresh=fresh)
        return look(schedules=[watched(1, own=own)], work=facts, living=living or {})

    for judge in (too_long, too_short, stuck_no_heartbeat):
        first = only(judge, seen(5 * HOUR))
        later = only(judge, seen(HOUR, left(first)))
        assert (first.since, later.since) == (NOW - 5 * HOUR, NOW - 5 * HOUR), judge


def test_a_share_lies_between_two_lengths_where_it_falls_so() -> None:
    lengths = [number * MINUTE for number in (5, 1, 3, 2, 4)]

    assert [percentile(lengths, share) / MINUTE for share in (0, 0.5, 0.95, 1)] == [1, 3, 4.8, 5]
    assert percentile([MINUTE], 0.05) == MINUTE


def test_without_facts_nothing_is_judged() -> None:
    for judge in (too_long, too_short, stuck_no_heartbeat):
        assert nothing(judge, look(schedules=[watched(1)]))
