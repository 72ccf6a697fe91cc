"""Pause, resume, delete and cancel, run again as if the reply to the first COMMIT had been lost: done and said once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from celsched.domain.execution import Cause
from celsched.errors import Conflict, NotFound
from celsched.operations import control
from celsched.operations.scope import Scope
from celsched.store.store import Store
from celsched.store.tables_watch import audit
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.deaf import Deaf
from tests.support.factories import add_schedule, add_task, schedule_named, scope_of


@pytest.fixture
def deaf(store: Store) -> Scope:
    """A person at a store with a schedule of which one execution has been recorded."""
    scope = scope_of(store)
    add_task(scope)
    add_schedule(scope, every=timedelta(minutes=1))
    assert isinstance(store.clock, ManualClock)
    store.clock.advance(timedelta(seconds=61))
    actors.scan(store)
    assert [one.cause for one in actors.all_executions(store)] == [Cause.SCHEDULE]
    return scope_of(Deaf(store.engine, store.dialect, clock=store.clock))


def _deeds(store: Store) -> list[str]:
    return list(store.read(lambda tx: tx.scalars(select(audit.c.action).order_by(audit.c.id))))[-2:]


def test_a_schedule_is_paused_and_resumed_once(store: Store, deaf: Scope) -> None:
    control.pause(deaf, ["schedule"], reason="works")
    coming = control.resume(deaf, ["schedule"])
    assert coming == {"schedule": schedule_named(store).state.next_fire_time}
    assert coming["schedule"] is not None
    assert _deeds(store) == ["pause", "resume"]
    with pytest.raises(Conflict):
        control.resume(deaf, ["schedule"])


@pytest.mark.parametrize("running", [False, True])
def test_a_cancel_tells_what_it_did(store: Store, deaf: Scope, running: bool) -> None:
    (made,) = actors.all_executions(store)
    if running:
        actors.start(store, made.id)
    told = control.cancel(deaf, made.id)
    assert told.outcome is (control.Cancelled.ASKED if running else control.Cancelled.BEFORE_START)
    assert _deeds(store).count("cancel") == 1


def test_a_schedule_and_a_task_are_deleted_once(store: Store, deaf: Scope) -> None:
    (made,) = actors.all_executions(store)
    assert control.delete_schedule(deaf, "schedule") == [made.id]
    assert control.delete_task(deaf, "task") == []
    assert _deeds(store) == ["delete", "delete"]
    with pytest.raises(NotFound):
        control.delete_task(deaf, "task")
