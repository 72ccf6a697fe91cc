"""The last outcomes that a schedule's state keeps, and since when it has been active: written where executions end.

No watcher is needed for it, and none looks here.
"""

from datetime import timedelta
from functools import partial

from sqlalchemy import select, update

from celsched.domain.execution import State
from celsched.domain.policy import Overlap
from celsched.operations import control
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import transitions
from celsched.store.outcomes import with_letters
from celsched.store.store import Store, Tx
from celsched.store.tables import states
from tests.support.actors import end, run, scan, start
from tests.support.actors import states as states_of
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, schedule_named

MINUTE = timedelta(minutes=1)


def _recent(store: Store) -> str:
    return str(store.read(lambda tx: tx.scalar(select(states.c.recent))))


def _ended(scope: Scope, outcome: State) -> None:
    run(scope.store, run_now(scope, RunNow("schedule")), outcome)


def test_each_end_leaves_its_letter_also_of_what_a_person_asked_for(scope: Scope) -> None:
    add_schedule(scope, max_retries=0, retry_on_lost=0)
    for outcome in (State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.LOST, State.CANCELLED, State.SUCCEEDED):
        _ended(scope, outcome)

    assert _recent(scope.store) == "sftls"
    assert schedule_named(scope.store).state.success_streak == 1


def test_an_attempt_that_is_followed_by_another_is_no_outcome(scope: Scope) -> None:
    add_schedule(scope, max_retries=2)
    _ended(scope, State.FAILED)
    assert _recent(scope.store) == ""


def test_only_the_newest_twenty_are_kept(scope: Scope) -> None:
    add_schedule(scope)
    store = scope.store

    def add(tx: Tx, letters: str) -> None:
        tx.execute(update(states).values(recent=with_letters(tx, letters)))

    for letters in ("f", "x" * 18, "s", "tt"):
        store.write(partial(add, letters=letters))
    assert _recent(store) == "x" * 17 + "stt"


def test_one_that_expires_leaves_its_letter(scope: Scope, clock: ManualClock) -> None:
    schedule = add_schedule(scope, start_deadline=MINUTE)
    asked = run_now(scope, RunNow("schedule"))
    clock.advance(2 * MINUTE)
    for _ in range(2):
        scope.store.write(lambda tx: transitions.expire_one(tx, asked, schedule.id, clock.now()))
    assert _recent(scope.store) == "x"


def test_fire_times_skipped_as_overlap_leave_letters_in_the_scan_that_skips_them(
    scope: Scope, clock: ManualClock
) -> None:
    add_schedule(scope, cron="* * * * *", overlap=Overlap.SKIP)
    clock.advance(MINUTE)
    scan(scope.store)
    running = start(scope.store, 1)
    for _ in range(3):
        clock.advance(MINUTE)
        scan(scope.store)
    assert states_of(scope.store) == ["running", "skipped", "skipped", "skipped"]
    assert _recent(scope.store) == "ooo"
    end(scope.store, running)
    assert _recent(scope.store) == "ooos"


def test_what_one_scan_skips_at_once_leaves_one_letter(scope: Scope, clock: ManualClock) -> None:
    """The daemon came late: how many it found then says nothing of how long runs take."""
    add_schedule(scope, every=timedelta(seconds=5), overlap=Overlap.SKIP, misfire_after=timedelta(minutes=1))
    clock.advance(timedelta(seconds=5))
    scan(scope.store)
    running = start(scope.store, 1)
    clock.advance(timedelta(seconds=50))
    scan(scope.store)
    assert _recent(scope.store) == "o"
    end(scope.store, running)
    clock.advance(timedelta(seconds=50))
    scan(scope.store)
    assert states_of(scope.store) == ["succeeded", "skipped", "skipped", "pending"]
    assert _recent(scope.store) == "os", "what was skipped waits for nothing but the run of the same scan"


def test_a_schedule_is_active_since_it_was_made_resumed_or_given_another_rule(scope: Scope, clock: ManualClock) -> None:
    def since() -> object:
        return schedule_named(scope.store).state.active_since

    made = clock.now()
    add_schedule(scope)
    clock.advance(MINUTE)
    add_schedule(scope, priority=1)
    assert since() == made, "an edit that leaves the rule alone is no interruption"

    control.pause(scope, ["schedule"])
    assert since() is None
    control.resume(scope, ["schedule"])
    assert since() == clock.now()

    clock.advance(MINUTE)
    add_schedule(scope, cron="5 * * * *")
    assert since() == clock.now()
    add_schedule(scope, cron="5 * * * *", enabled=False)
    assert since() is None


def test_a_pause_that_runs_out_or_that_the_failure_rule_makes_interrupts_too(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, cron="* * * * *", max_retries=0, pause_after_failures=1)
    _ended(scope, State.FAILED)
    assert schedule_named(scope.store).state.paused
    assert schedule_named(scope.store).state.active_since is None

    control.pause(scope, ["schedule"], until=clock.now() + 5 * MINUTE)
    clock.advance(6 * MINUTE)
    scan(scope.store)
    state = schedule_named(scope.store).state
    assert not state.paused
    assert state.active_since == clock.now()
