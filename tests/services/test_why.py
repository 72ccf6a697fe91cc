"""What `why` answers for every fate of a fire time; the sentences are what people read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from celsched.domain.execution import State
from celsched.domain.policy import Misfire, Overlap
from celsched.errors import InvalidRule, NotFound
from celsched.operations import control, requests
from celsched.operations.requests import RunNow
from celsched.operations.scope import Scope
from celsched.operations.why import Answer, why
from celsched.store import instances, retention, transitions
from celsched.store.instances import Instance
from celsched.store.store import Store
from tests.support.actors import all_executions, end, publish, run, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task, schedule_named
from tests.support.stores import START

HEARTBEAT = timedelta(seconds=10)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def ask(scope: Scope, name: str = "schedule", at: str | None = None) -> Answer:
    return why(scope, name, at, heartbeat=HEARTBEAT)


def add_daemon(store: Store, beat_at: datetime) -> None:
    row = Instance("daemon-1", "daemon", "server", 1, "daemon@server", "0", (), 0, 0, START, beat_at)
    store.write(lambda tx: instances.register(tx, row))


def newest(store: Store) -> int:
    return all_executions(store)[-1].id


def test_a_run_that_succeeded_is_told_with_its_length_and_lateness(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    add_schedule(scope, cron="0 * * * *", timezone="Asia/Tehran")
    clock.advance(HOUR)
    scan(store)
    clock.advance(timedelta(seconds=2))
    running = start(store, newest(store))
    clock.advance(timedelta(seconds=3.2))
    end(store, running)

    answer = ask(scope)

    assert answer.verdict == "succeeded"
    assert answer.sentence.startswith("2026-03-01 16:00 +0330: Execution 1 succeeded after 3.2 s")
    assert answer.commands == ("celsched show execution 1", "celsched logs 1")


def test_a_failed_run_names_its_error_and_what_to_do(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_task(scope, "کار", max_retries=0)
    add_schedule(scope, "هر ساعت", task="کار")
    clock.advance(HOUR)
    scan(store)
    end(
        store, start(store, newest(store)), State.FAILED, error="سرور پاسخ نمی‌دهد\nsecond line", error_type="ValueError"
    )

    answer = ask(scope, "هر ساعت")

    assert answer.sentence == (
        "2026-03-01 13:00 UTC: Execution 1 failed after 0 ms on attempt 1 of 1: سرور پاسخ نمی‌دهد."
    )
    assert "celsched retry 1" in answer.commands


def test_a_retrying_run_tells_when_the_next_attempt_is_due(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    end(store, start(store, newest(store)), State.FAILED, error="no", chance=0.99999)

    answer = ask(scope)

    assert answer.verdict == "retrying"
    assert "failed on attempt 1: no; attempt 2 of 4 is due at 2026-03-01 13:00:39 UTC" in answer.sentence


def test_a_lost_run_names_its_worker_and_the_policy(scope: Scope, store: Store, clock: ManualClock) -> None:
    row = Instance("worker-1", "worker", "server", 1, "w@server", "0", (), 1, 1, START, START + HOUR)
    store.write(lambda tx: instances.register(tx, row))
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    end(store, start(store, newest(store)), State.LOST, reason="no_heartbeat")

    answer = ask(scope)

    assert "was lost on attempt 1 of 4: its worker fell silent" in answer.sentence
    assert "on server, pid 4711, last heard of at 2026-03-01 13:00:30 UTC" in answer.sentence
    assert "retry_on_lost is 0" in answer.sentence


def test_a_run_whose_process_died_names_its_end_not_the_beats_of_a_worker_that_lives_on(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    row = Instance("worker-1", "worker", "server", 1, "w@server", "0", (), 1, 1, START, START)
    store.write(lambda tx: instances.register(tx, row))
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    end(store, start(store, newest(store)), State.LOST, reason="worker_died")
    ended = all_executions(store)[-1].finished_at
    assert ended is not None

    before = ask(scope).sentence
    clock.advance(HOUR / 6)
    store.write(lambda tx: instances.beat(tx, "worker-1", clock.now()))

    assert f"on server, pid 4711, ended at {ended:%Y-%m-%d %H:%M:%S} UTC)" in before
    assert ask(scope).sentence == before


def test_an_expired_run_names_its_deadline(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, start_deadline=timedelta(minutes=5))
    clock.advance(HOUR)
    scan(store)
    clock.advance(timedelta(minutes=6))
    store.write(lambda tx: transitions.expire_one(tx, 1, schedule_named(store).id, clock.now()))

    assert "expired: it had not started by" in ask(scope).sentence
    assert "start_deadline 5m" in ask(scope).sentence


def test_a_cancelled_run_names_who_cancelled_it(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    control.cancel(scope, newest(store))

    assert "was cancelled before it started: by سارا at 2026-03-01 13:00:30 UTC" in ask(scope).sentence


def test_what_waits_names_what_it_waits_for(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, overlap=Overlap.QUEUE_ONE)
    clock.advance(HOUR)
    scan(store)
    start(store, 1)
    clock.advance(HOUR)
    scan(store)

    answer = ask(scope)

    assert answer.verdict == "pending"
    assert "waits for the end of execution 1 (running)" in answer.sentence


def test_an_overlap_skip_names_the_execution_in_the_way(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    start(store, 1)
    clock.advance(HOUR)
    scan(store)

    answer = ask(scope)

    assert answer.verdict == "skipped"
    assert answer.sentence.endswith("Skipped (overlap): execution 1 was still active, and overlap is skip.")
    assert answer.commands[0].startswith("celsched backfill schedule --from 2026-03-01T14:00:00Z")


@pytest.mark.parametrize(
    ("options", "down", "asked", "reason", "words"),
    [
        (
            {"misfire": Misfire.SKIP},
            4 * HOUR,
            "14:00",
            "misfire_skip",
            "found it due 2h after its time, later than misfire_after (1m), and misfire is skip",
        ),
        ({}, 4 * HOUR, "14:00", "coalesced", "misfire is run_latest: execution 2 stood for it"),
        ({}, 50 * HOUR, "2026-03-01 14:00", "too_late", "catch_up_window is 1d: no daemon ran in between"),
    ],
)
def test_skips_are_explained_with_the_values_of_the_policies(
    scope: Scope,
    store: Store,
    clock: ManualClock,
    options: dict[str, Any],
    down: timedelta,
    asked: str,
    reason: str,
    words: str,
) -> None:
    add_schedule(scope, **options)
    clock.advance(down)
    scan(store)

    answer = ask(scope, at=asked)

    assert answer.execution is not None
    assert answer.execution.reason == reason
    assert words in answer.sentence
    assert any("recorded together as row" in line for line in answer.details)


def test_an_open_pause_is_answered_from_the_state(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    control.pause(scope, ["schedule"], reason="maintenance")
    clock.advance(2 * HOUR)
    scan(store)

    answer = ask(scope, at="13:00")

    assert answer.verdict == "paused"
    assert "paused since 2026-03-01 12:00:30 UTC by سارا (maintenance)" in answer.sentence
    assert answer.commands == ("celsched resume schedule",)


def test_an_ended_pause_is_a_row_and_names_who_paused(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    control.pause(scope, ["schedule"], reason="maintenance")
    clock.advance(2 * HOUR)
    control.resume(scope, ["schedule"])

    answer = ask(scope)

    assert answer.verdict == "skipped"
    assert "paused (by سارا at 2026-03-01 12:00:30 UTC: maintenance)" in answer.sentence


def test_a_disabled_schedule_says_where_that_is_written(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, enabled=False)
    clock.advance(2 * HOUR)

    answer = ask(scope)

    assert answer.verdict == "disabled"
    assert "its definition says enabled: false (schedule)" in answer.sentence


def test_a_due_fire_time_without_a_daemon_says_since_when(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    assert "No daemon has ever run on this store: start one with `celsched run`" in ask(scope).sentence
    add_daemon(store, START)
    assert "No daemon has run since 2026-03-01 12:00:30 UTC" in ask(scope).sentence
    add_daemon(store, clock.now())
    answer = ask(scope)
    assert answer.verdict == "undecided"
    assert "the daemon is about to decide it" in answer.sentence


def test_what_is_sent_but_not_taken_says_that_no_worker_is_alive(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    add_schedule(scope, queue_name="maintenance")
    clock.advance(HOUR)
    scan(store)
    assert any("No daemon" in line for line in ask(scope).details)
    publish(store)
    assert any("No worker that takes the queue 'maintenance' is alive" in line for line in ask(scope).details)
    row = Instance("w", "worker", "server", 1, "w", "0", ("maintenance",), 1, 0, START, clock.now())
    store.write(lambda tx: instances.register(tx, row))
    assert ask(scope).details == ()


def test_what_is_no_fire_time_names_its_neighbours(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(3 * HOUR)

    answer = ask(scope, at="14:17")

    assert answer.verdict == "not_a_fire_time"
    assert answer.before == datetime(2026, 3, 1, 14, tzinfo=UTC)
    assert answer.after == datetime(2026, 3, 1, 15, tzinfo=UTC)
    assert "is no fire time of 'schedule' (" in answer.sentence


def test_a_time_is_read_in_the_zone_of_the_schedule_and_need_not_be_exact(
    scope: Scope, store: Store, clock: ManualClock
) -> None:
    add_schedule(scope, every=timedelta(hours=1), timezone="Asia/Tehran")
    clock.advance(HOUR)
    scan(store)
    # The grid begins at 13:00:30 UTC; 16:30 in Tehran is 13:00, and no seconds were asked for.
    answer = ask(scope, at="16:30")
    assert answer.fire_time == START + HOUR
    assert answer.verdict == "pending"


def test_the_future_the_time_before_creation_and_the_first_fire_time(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    assert "has had no fire time yet; the first is 2026-03-01 13:00 UTC" in ask(scope).sentence
    assert ask(scope, at="2026-03-01 15:00").verdict == "coming"
    early = ask(scope, at="2026-03-01 11:00")
    assert early.verdict == "before_creation"
    assert "the schedule was made at 2026-03-01 12:00:30 UTC" in early.sentence.lower().replace("utc", "UTC")


def test_a_change_of_the_rule_never_claims_the_past(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, cron="0 * * * *")
    clock.advance(HOUR)
    scan(store)
    clock.advance(timedelta(minutes=45))
    add_schedule(scope, cron="30 * * * *")
    clock.advance(timedelta(minutes=30))

    assert ask(scope, at="13:30").verdict == "before_change"
    old = ask(scope, at="13:00")
    assert old.verdict == "pending"
    assert any("recorded under revision 1" in line for line in old.details)
    # Without a time the newest row counts, the new rule's 14:30 is yet to come.
    clock.set(datetime(2026, 3, 1, 14, 29, tzinfo=UTC))
    assert ask(scope).fire_time == datetime(2026, 3, 1, 13, tzinfo=UTC)


def test_what_was_purged_says_so(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    run(store, newest(store))
    clock.advance(HOUR)
    scan(store)
    run(store, newest(store))
    store.write(lambda tx: retention.purge_batch(tx, clock.now() - timedelta(minutes=30)))

    answer = ask(scope, at="13:00")

    assert answer.verdict == "removed"
    assert "emoved by retention" in answer.sentence


def test_a_deleted_schedule_still_answers(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    run(store, newest(store))
    clock.advance(timedelta(minutes=10))
    control.delete_schedule(scope, "schedule")
    clock.advance(2 * HOUR)

    assert ask(scope).verdict == "succeeded"
    assert ask(scope, at="14:00").verdict == "deleted"
    # A new one of the name does not take the old one's past.
    add_schedule(scope)
    assert ask(scope, at="13:00").verdict == "succeeded"


def test_what_was_run_by_hand_since_is_mentioned(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    run(store, 1)
    clock.advance(MINUTE)
    run(store, requests.run_now(scope, RunNow("schedule")))

    assert ask(scope).details == ("Since then: execution 2 (manual by سارا) succeeded after 0 ms.",)


def test_what_was_repeated_names_the_repetition(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_task(scope, max_retries=0)
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    run(store, 1, State.FAILED)
    requests.retry(scope, 1)

    answer = ask(scope, at="13:00")

    assert answer.verdict == "failed"
    assert answer.repeated_by == (2,)
    assert "It was repeated as execution 2 (pending)." in answer.details


def test_a_schedule_that_reached_max_runs_has_ended(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, max_runs=1)
    clock.advance(HOUR)
    scan(store)
    run(store, 1)
    clock.advance(HOUR)

    assert ask(scope).fire_time == datetime(2026, 3, 1, 13, tzinfo=UTC)
    ended = ask(scope, at="14:00")
    assert ended.verdict == "ended"
    assert "max_runs 1" in ended.sentence


def test_mistakes_are_refused_with_a_hint(scope: Scope) -> None:
    add_schedule(scope, "هر ساعت")
    with pytest.raises(NotFound) as unknown:
        ask(scope, "هر ساعتت")
    assert unknown.value.hint == "did you mean `هر ساعت`?"
    with pytest.raises(NotFound) as task:
        ask(scope, "task")
    assert "`celsched executions --task task`" in str(task.value.hint)
    assert "`celsched show execution ID`" in str(task.value.hint)
    with pytest.raises(InvalidRule):
        ask(scope, "هر ساعت", "whenever")


def test_a_relative_time_means_its_second(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(HOUR)
    scan(store)
    clock.set(datetime(2026, 3, 1, 15, 0, 0, 250_000, tzinfo=UTC))
    assert ask(scope, at="2h ago").fire_time == datetime(2026, 3, 1, 13, tzinfo=UTC)


def test_a_schedule_deleted_before_its_first_fire_time_says_so(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    control.delete_schedule(scope, "schedule")
    clock.advance(HOUR)
    assert ask(scope).sentence == "'schedule' was deleted at 2026-03-01 12:00:30 UTC, before it had a fire time."
