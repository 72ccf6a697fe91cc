"""What waits is judged by how long: for a start, in its queue, for a worker, to be sent; and what came twice."""

from datetime import timedelta
from typing import Any

import pytest

from celsched.domain.execution import State
from celsched.domain.health.backlog import backlog
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Judge
from celsched.domain.health.machine_facts import Seen
from celsched.domain.health.queued import needs_waits, queued_too_long
from celsched.domain.health.rules import Tuning
from celsched.domain.health.work import dup_delivery, late_start, no_worker, outbox_stuck
from celsched.domain.health.work_facts import Sample, Waiting, WorkFacts
from tests.unit.domain.looks import HEARTBEAT, NAME, NOW, left, look, nothing, only, tuned, watched

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
THRESHOLD = tuned(AlertKind.LATE_START, threshold=5 * MINUTE)


def _waits(age: timedelta, **values: Any) -> Waiting:
    fields: dict[str, Any] = {
        "subject": NAME,
        "schedule_id": 1,
        "task_id": 10,
        "queue": "default",
        "state": State.PENDING,
        "retries": False,
        "count": 1,
        "oldest": 7,
        "due_at": NOW - age,
        **values,
    }
    return Waiting(**fields)


def _sent(age: timedelta, **values: Any) -> Waiting:
    return _waits(age, state=State.QUEUED, first_sent=8, sent_at=NOW - age, **values)


def _work(*waiting: Waiting, **facts: Any) -> WorkFacts:
    return WorkFacts(waiting=waiting, **facts)


def _worker(*queues: str, **values: Any) -> Seen:
    return Seen("w1", "worker", "ماشین", "w1", NOW, queues=queues, **values)


# late_start


@pytest.mark.parametrize(
    ("age", "severity"),
    [
        (5 * MINUTE + SECOND, Severity.WARNING),
        (15 * MINUTE, Severity.WARNING),
        (15 * MINUTE + SECOND, Severity.CRITICAL),
    ],
)
def test_late_start_is_critical_at_three_times_the_threshold(age: timedelta, severity: Severity) -> None:
    found = only(late_start, look(general=THRESHOLD, work=_work(_waits(age))))

    assert (found.fingerprint, found.severity, found.since) == ("late_start:schedule:1", severity, NOW - age)
    assert f'"{NAME}"' in found.summary


def test_nothing_is_late_within_the_threshold_or_as_a_retry() -> None:
    assert nothing(late_start, look(general=THRESHOLD, work=_work(_waits(5 * MINUTE))))
    assert nothing(late_start, look(general=THRESHOLD, work=_work(_waits(HOUR, retries=True))))
    assert nothing(late_start, look(general=THRESHOLD, work=_work()))


def test_late_start_tells_the_oldest_of_all_states_and_counts_them() -> None:
    work = _work(_waits(6 * MINUTE, oldest=9), _sent(8 * MINUTE, oldest=4, count=3))

    found = only(late_start, look(general=THRESHOLD, work=work))

    assert (found.evidence.execution, found.evidence.count) == (4, 4)
    assert "execution 4" in found.summary
    assert "and 3 more" in found.summary


def test_a_schedule_has_a_threshold_of_its_own() -> None:
    own = watched(1, own=tuned(AlertKind.LATE_START, threshold=HOUR))
    work = _work(_waits(30 * MINUTE), _waits(30 * MINUTE, schedule_id=None))

    found = only(late_start, look(general=THRESHOLD, schedules=[own], work=work))

    assert found.scope == "task:10"


# queued_too_long


def test_queued_too_long_counts_from_the_send() -> None:
    found = only(queued_too_long, look(work=_work(_sent(6 * MINUTE))))

    assert (found.fingerprint, found.severity) == ("queued_too_long:schedule:1", Severity.WARNING)
    assert (found.queue, found.evidence.execution, found.since) == ("default", 8, NOW - 6 * MINUTE)


def test_queued_too_long_says_nothing_of_what_was_sent_lately_or_never() -> None:
    assert nothing(queued_too_long, look(work=_work(_sent(5 * MINUTE))))
    assert nothing(queued_too_long, look(work=_work(_waits(HOUR))))


def test_queued_too_long_follows_what_the_schedule_usually_waits() -> None:
    quick, slow, few = [SECOND] * 10, [4 * MINUTE] * 50, [SECOND] * 9

    def judged(age: timedelta, past: list[timedelta], **values: Any) -> bool:
        return not nothing(queued_too_long, look(work=_work(_sent(age, **values), waits={1: past})))

    assert [judged(age, quick) for age in (MINUTE, 61 * SECOND)] == [False, True]
    assert [judged(age, slow) for age in (20 * MINUTE, 21 * MINUTE)] == [False, True]
    assert [judged(age, few) for age in (5 * MINUTE, 6 * MINUTE)] == [False, True]
    assert not judged(21 * MINUTE, [*slow[:40], *[5 * MINUTE] * 10])
    assert "usually within 4 min" in only(queued_too_long, look(work=_work(_sent(HOUR), waits={1: slow}))).summary


def test_queued_too_long_is_no_longer_than_the_start_deadline() -> None:
    def judged(age: timedelta, deadline: timedelta) -> bool:
        return not nothing(queued_too_long, look(work=_work(_sent(age, start_deadline=deadline))))

    assert [judged(age, MINUTE) for age in (MINUTE, 61 * SECOND)] == [False, True]
    assert judged(6 * MINUTE, HOUR)
    fixed = tuned(AlertKind.QUEUED_TOO_LONG, after=2 * HOUR)
    work = _work(_sent(HOUR, start_deadline=MINUTE), waits={1: [SECOND] * 50})
    assert nothing(queued_too_long, look(general=fixed, work=work))


def test_waits_are_asked_for_only_where_they_can_matter() -> None:
    fixed = watched(2, own=tuned(AlertKind.QUEUED_TOO_LONG, after=HOUR))
    off = watched(3, own={AlertKind.QUEUED_TOO_LONG: Tuning(enabled=False)})
    waiting = [
        *(_sent(2 * MINUTE, schedule_id=number) for number in (1, 2, 3, None)),
        _sent(MINUTE, schedule_id=4),
        _sent(HOUR, schedule_id=5),
        _waits(HOUR, schedule_id=6),
    ]

    assert needs_waits(look(schedules=[watched(1), fixed, off]), waiting) == [5, 1]


# backlog


def test_a_backlog_is_depth_or_age() -> None:
    deep = only(backlog, look(work=_work(_waits(MINUTE, count=900), _waits(MINUTE, schedule_id=2, count=101))))
    old = only(backlog, look(work=_work(_waits(16 * MINUTE))))

    assert (deep.fingerprint, deep.evidence.count, deep.severity) == ("backlog:queue:default", 1001, Severity.WARNING)
    assert (old.queue, old.since) == ("default", NOW - 16 * MINUTE)


def test_a_backlog_is_of_one_queue() -> None:
    work = _work(_waits(MINUTE, count=600), _waits(MINUTE, count=600, queue="other"))

    assert nothing(backlog, look(work=work))


def _samples(*depths: int, age: timedelta = MINUTE) -> dict[str, list[Sample]]:
    return {"default": [Sample(depth, age) for depth in depths]}


def test_a_backlog_is_over_only_when_two_samples_are_below_half_of_both() -> None:
    opened = left(only(backlog, look(work=_work(_waits(MINUTE, count=1001)))))

    def over(*depths: int, age: timedelta = MINUTE, depth: int = 400) -> bool:
        work = _work(_waits(MINUTE, count=depth), samples=_samples(*depths, age=age))
        return nothing(backlog, look(work=work, living=opened))

    assert over(500, 500)
    assert not over(501, 500)
    assert not over(500)
    assert not over(400, 401), "it grows"
    assert not over(500, 500, age=8 * MINUTE)
    assert not over(500, 500, depth=1001)
    assert nothing(backlog, look(work=_work(), living=opened)), "nothing waits"
    assert nothing(backlog, look(work=_work(_waits(MINUTE, count=501))))


def test_a_backlog_is_also_what_grows_over_three_samples() -> None:
    def grown(*depths: int, general: Any = None) -> bool:
        work = _work(_waits(MINUTE, count=depths[-1]), samples=_samples(*depths))
        return not nothing(backlog, look(work=work, general=general))

    assert grown(98, 99, 100)
    assert not grown(99, 100)
    assert not grown(97, 98, 99)
    assert not grown(100, 100, 101)
    assert not grown(100, 120, 110)
    assert grown(1, 2, 3, general=tuned(AlertKind.BACKLOG, growing=3))
    work = _work(_waits(MINUTE, count=130), samples=_samples(100, 120, 130))
    found = only(backlog, look(work=work))
    assert (found.severity, found.evidence.count) == (Severity.WARNING, 130)
    assert "more and more" in found.summary
    shrunk = _work(_waits(MINUTE, count=120), samples=_samples(130, 130, 120))
    assert nothing(backlog, look(work=shrunk, living=left(found)))


def test_a_backlog_is_critical_when_the_oldest_waits_longer_than_a_period() -> None:
    each: dict[str, Any] = {"last_fire_time": NOW - 10 * MINUTE, "next_fire_time": NOW + 10 * MINUTE}
    work, schedule = _work(_waits(21 * MINUTE)), watched(1, **each)

    assert only(backlog, look(schedules=[schedule], work=work)).severity is Severity.CRITICAL
    rests = watched(1, paused_at=NOW, **each)
    assert only(backlog, look(schedules=[rests], work=work)).severity is Severity.WARNING
    elsewhere = watched(1, queue="other", **each)
    assert only(backlog, look(schedules=[elsewhere], work=work)).severity is Severity.WARNING


# no_worker


def test_no_worker_is_told_per_queue_of_active_schedules() -> None:
    schedules = [watched(1), watched(2), watched(3, queue="reports"), watched(4, queue="rest", enabled=False)]
    work = _work(workers=[_worker("reports")])

    found = only(no_worker, look(schedules=schedules, work=work))

    assert (found.fingerprint, found.severity) == ("no_worker:queue:default", Severity.CRITICAL)
    assert (found.queue, found.evidence.count) == ("default", 2)
    assert found.evidence.command == "celsched worker --queues default"


def test_a_schedule_that_does_not_ask_for_a_worker_is_not_counted() -> None:
    quiet = {AlertKind.NO_WORKER: Tuning(enabled=False)}
    assert nothing(no_worker, look(schedules=[watched(1, own=quiet)], work=_work()))
    assert only(no_worker, look(schedules=[watched(1, own=quiet), watched(2)], work=_work())).evidence.count == 1


def test_no_worker_counts_only_living_workers() -> None:
    schedules = [watched(1)]

    assert nothing(no_worker, look(schedules=schedules, work=_work(workers=[_worker("default", silent=3 * HEARTBEAT)])))
    for gone in ({"silent": 3 * HEARTBEAT + SECOND}, {"stopped_at": NOW}):
        assert not nothing(no_worker, look(schedules=schedules, work=_work(workers=[_worker("default", **gone)])))


def test_no_worker_says_nothing_of_schedules_that_make_no_fire_times() -> None:
    for rests in (watched(1, paused_at=NOW), watched(1, enabled=False), watched(1, wake_at=None)):
        assert nothing(no_worker, look(schedules=[rests], work=_work()))


def test_one_queue_serves_all_with_the_embedded_broker() -> None:
    schedules = [watched(1), watched(2, queue="reports")]
    served = WorkFacts(workers=[_worker("celsched")], one_queue="celsched")

    assert nothing(no_worker, look(schedules=schedules, work=served))
    found = list(no_worker(look(schedules=schedules, work=WorkFacts(one_queue="celsched"))))
    assert [one.queue for one in found] == ["default", "reports"]
    assert found[0].evidence.command == "celsched run"
    assert not nothing(no_worker, look(schedules=schedules, work=WorkFacts(workers=[_worker("celsched")])))


# outbox_stuck


def test_outbox_stuck_is_what_is_due_and_was_never_sent() -> None:
    work = _work(_waits(61 * SECOND), _waits(MINUTE, schedule_id=2, state=State.RETRYING, retries=True, count=2))

    found = only(outbox_stuck, look(work=work))

    assert (found.fingerprint, found.severity) == ("outbox_stuck:all", Severity.CRITICAL)
    assert (found.evidence.execution, found.evidence.count) == (7, 3)


def test_outbox_stuck_says_nothing_of_what_was_sent_or_is_due_just_now() -> None:
    assert nothing(outbox_stuck, look(work=_work(_sent(HOUR))))
    assert nothing(outbox_stuck, look(work=_work(_waits(MINUTE))))


# dup_delivery


def test_dup_delivery_lasts_until_it_has_been_quiet_for_a_day() -> None:
    workers = [
        _worker("q", duplicates=2, duplicate_at=NOW - HOUR),
        Seen("w2", "worker", "ماشین", "w2", NOW, stopped_at=NOW, duplicates=1, duplicate_at=NOW - 2 * HOUR),
        Seen("w3", "worker", "other", "w3", NOW),
    ]

    found = only(dup_delivery, look(work=_work(workers=workers)))

    assert (found.fingerprint, found.severity) == ("dup_delivery:host:ماشین", Severity.WARNING)
    assert (found.event_at, found.evidence.count) == (NOW - HOUR, 3)
    assert nothing(dup_delivery, look(now=NOW + 23 * HOUR, work=_work(workers=workers)))


def _all_of_an(age: timedelta) -> WorkFacts:
    waiting = (_waits(age), _sent(age))
    return _work(*waiting, workers=[_worker("q", duplicates=1, duplicate_at=NOW - age)])


@pytest.mark.parametrize("judge", [late_start, queued_too_long, backlog, outbox_stuck, dup_delivery])
def test_what_goes_on_with_others_has_been_wrong_since_the_first(judge: Judge) -> None:
    first = only(judge, look(general=THRESHOLD, work=_all_of_an(5 * HOUR)))

    later = only(judge, look(general=THRESHOLD, work=_all_of_an(HOUR), living=left(first)))

    assert (first.since, later.since) == (NOW - 5 * HOUR, NOW - 5 * HOUR)


def test_without_facts_nothing_is_judged() -> None:
    for judge in (late_start, queued_too_long, backlog, no_worker, outbox_stuck, dup_delivery):
        assert nothing(judge, look(schedules=[watched(1)]))
