"""An end that a worker could not record for a long time keeps its own time, and the watcher sees it all the same."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from celsched.domain.execution import State
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.watched import RuleBook
from celsched.monitor.check import Watcher
from celsched.settings.load import load
from celsched.store import claims
from celsched.store.store import FOR_EVER, Store
from celsched.store.tables import executions
from celsched.worker.execute import execute
from celsched.worker.identity import identify
from celsched.worker.runtime import Runtime
from celsched.worker.slots import Slots
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.executions import add_execution, execution_of
from tests.support.stores import START

AWAY = timedelta(minutes=30)


@pytest.fixture
def runtime(store: Store, tmp_path: Path) -> Iterator[Runtime]:
    """What a worker's process that runs bodies has; it finds no function."""
    slots = Slots(1)
    settings = load({"task_modules": "no_such_module.*"}, {"HOME": str(tmp_path)}, tmp_path)
    yield Runtime(settings, store, identify("w"), slots, tmp_path)
    slots.close()


@pytest.fixture
def watcher(store: Store, clock: ManualClock) -> Watcher:
    """A watcher of this store that has looked before."""
    made = Watcher(store, clock, rules=RuleBook(), heartbeat=timedelta(seconds=10), settings={})
    assert not made.run_once().firing
    return made


def _run(runtime: Runtime, number: int) -> None:
    now = runtime.store.clock.now()
    execute(runtime, lambda tx, by: claims.claim(tx, number, 1, by, now), what="a message", task_id="t")


def _recorded_at(store: Store, number: int) -> Any:
    return store.read(lambda tx: tx.scalar(select(executions.c.recorded_at).where(executions.c.id == number)))


def test_the_watcher_sees_an_end_that_was_recorded_half_an_hour_later(
    store: Store, clock: ManualClock, runtime: Runtime, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = add_execution(store, "no_such_module.clean")
    actors.publish(store)
    write = store.write

    def away(work: Any, **given: Any) -> Any:
        if given.get("patience") == FOR_EVER:  # only the end is waited for like that
            clock.advance(AWAY)
            monkeypatch.setattr(store, "write", write)
            assert AlertKind.UNKNOWN_TASK not in {alert.kind for alert in watcher.run_once().firing}
        return write(work, **given)

    monkeypatch.setattr(store, "write", away)
    _run(runtime, number)

    assert clock.now() == START + AWAY
    assert (execution_of(store, number).state, execution_of(store, number).finished_at) == (State.FAILED, START)
    assert _recorded_at(store, number) == clock.now()
    clock.advance(timedelta(seconds=10))
    assert AlertKind.UNKNOWN_TASK in {alert.kind for alert in watcher.run_once().firing}


def test_an_end_that_is_recorded_at_once_is_not_marked(store: Store, runtime: Runtime) -> None:
    number = add_execution(store, "no_such_module.clean")
    actors.publish(store)
    _run(runtime, number)

    assert execution_of(store, number).state is State.FAILED
    assert _recorded_at(store, number) is None
