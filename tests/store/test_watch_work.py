"""What the watcher reads of work: alike ones as one, each run, the newest successes, a bounded past."""

from datetime import timedelta

from celsched.domain.execution import State
from celsched.domain.policy import Overlap
from celsched.operations.scope import Scope
from celsched.store import watch_work
from celsched.store.store import Store
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.executions import add_execution
from tests.support.factories import add_schedule, schedule_named
from tests.support.stores import START

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NAME = "گزارش شبانه"


def test_what_waits_is_told_per_schedule_with_its_oldest(store: Store, scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, NAME, every=MINUTE, queue_name="reports", overlap=Overlap.ALLOW, labels={"team": "مالی"})
    for _ in range(3):
        clock.advance(MINUTE)
        actors.scan(store)

    (found,) = store.read(lambda tx: watch_work.waiting(tx, clock.now()))

    oldest = actors.all_executions(store)[0]
    assert (found.subject, found.schedule_id) == (NAME, schedule_named(store, NAME).id)
    assert (found.queue, found.state, found.retries, found.count) == ("reports", State.PENDING, False, 3)
    assert (found.oldest, found.due_at, found.fire_time) == (oldest.id, oldest.dispatch_at, oldest.fire_time)
    assert (found.first_sent, found.sent_at, found.labels) == (None, None, {"team": "مالی"})


def test_what_was_sent_has_the_time_of_its_first_message(store: Store, clock: ManualClock) -> None:
    number = add_execution(store, "files.tasks.clean")
    actors.publish(store)
    clock.advance(MINUTE)
    actors.publish(store)

    (found,) = store.read(lambda tx: watch_work.waiting(tx, clock.now()))

    assert (found.state, found.first_sent, found.sent_at) == (State.QUEUED, number, START)
    assert (found.schedule_id, found.count) == (None, 1)


def test_retries_are_told_apart_and_only_when_they_are_due(store: Store, clock: ManualClock) -> None:
    number = add_execution(store, "files.tasks.clean", max_retries=1)
    actors.run(store, number, State.FAILED)

    assert store.read(lambda tx: watch_work.waiting(tx, clock.now())) == []
    clock.advance(HOUR)
    (found,) = store.read(lambda tx: watch_work.waiting(tx, clock.now()))
    assert (found.retries, found.state, found.oldest) == (True, State.RETRYING, number)


def test_what_waits_for_another_execution_waits_for_no_start(store: Store, scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, "s", every=MINUTE, overlap=Overlap.QUEUE_ONE)
    for _ in range(2):
        clock.advance(MINUTE)
        actors.scan(store)
    assert actors.states(store) == ["pending", "pending waits"]

    (found,) = store.read(lambda tx: watch_work.waiting(tx, clock.now()))

    assert found.count == 1


def test_a_running_attempt_is_told_with_its_worker_and_its_beats(store: Store, clock: ManualClock) -> None:
    number = add_execution(store, "files.tasks.clean", soft_time_limit=HOUR)
    clock.advance(MINUTE)
    claimed = actors.start(store, number, worker="worker-7")
    assert store.read(lambda tx: watch_work.waiting(tx, clock.now())) == []

    (found,) = store.read(watch_work.running)

    assert (found.execution, found.token, found.worker) == (number, claimed.claim_token, "worker-7")
    assert (found.started_at, found.soft_limit, found.beats) == (START + MINUTE, HOUR, 0)
    actors.end(store, claimed)
    assert store.read(watch_work.running) == []


def _run_each_minute(store: Store, clock: ManualClock, *lengths: int, outcome: State = State.SUCCEEDED) -> None:
    for seconds in lengths:
        clock.advance(MINUTE)
        actors.scan(store)
        claimed = actors.start(store, actors.all_executions(store)[-1].id)
        clock.advance(timedelta(seconds=seconds))
        actors.end(store, claimed, outcome)


def test_the_newest_success_of_each_schedule_is_told(store: Store, scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope, "s", every=MINUTE, max_retries=0)
    add_schedule(scope, "never due", every=1000 * HOUR)
    _run_each_minute(store, clock, 5, 7)
    ended = clock.now()
    _run_each_minute(store, clock, 9, outcome=State.FAILED)

    found = store.read(lambda tx: watch_work.successes(tx, START))

    assert list(found) == [schedule.id]
    newest = found[schedule.id]
    assert (newest.took, newest.ended_at) == (timedelta(seconds=7), ended)
    assert newest.fire_time == actors.execution(store, newest.execution).fire_time
    assert store.read(lambda tx: watch_work.successes(tx, ended + MINUTE)) == {}


def test_the_past_of_each_schedule_is_its_last_successes_newest_first(
    store: Store, scope: Scope, clock: ManualClock
) -> None:
    schedule = add_schedule(scope, "s", every=MINUTE, max_retries=0)
    other = add_schedule(scope, "other", every=1000 * HOUR)
    _run_each_minute(store, clock, *range(1, 6))
    _run_each_minute(store, clock, 30, outcome=State.FAILED)

    found = store.read(lambda tx: watch_work.history(tx, [schedule.id, other.id]))

    assert [one.took.total_seconds() for one in found[schedule.id]] == [5, 4, 3, 2, 1]
    assert other.id not in found
    assert store.read(lambda tx: watch_work.history(tx, [])) == {}


def test_the_past_is_bounded(store: Store, scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope, "s", every=MINUTE)
    _run_each_minute(store, clock, *[1] * 62)

    found = store.read(lambda tx: watch_work.history(tx, [schedule.id]))

    assert len(found[schedule.id]) == 60
    assert found[schedule.id][0].execution == actors.all_executions(store)[-1].id


def test_the_waits_of_each_schedule_are_those_of_its_last_first_starts(
    store: Store, scope: Scope, clock: ManualClock
) -> None:
    schedule = add_schedule(scope, "s", every=HOUR, max_retries=1, start_deadline=HOUR)
    other = add_schedule(scope, "other", every=1000 * HOUR)
    for number, minutes in enumerate([1] * 50 + [7, 9]):
        clock.advance(START + (number + 1) * HOUR - clock.now())
        actors.scan(store)
        actors.publish(store)
        clock.advance(minutes * MINUTE)
        (waiting,) = store.read(lambda tx: watch_work.waiting(tx, clock.now()))
        assert (waiting.start_deadline, waiting.sent_at) == (HOUR, clock.now() - minutes * MINUTE)
        actors.end(store, actors.start(store, actors.all_executions(store)[-1].id))

    found = store.read(lambda tx: watch_work.waits(tx, [schedule.id, other.id]))

    assert sorted(found[schedule.id]) == [MINUTE] * 48 + [7 * MINUTE, 9 * MINUTE]
    assert other.id not in found
