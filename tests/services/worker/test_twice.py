"""A message that the broker delivers a second time is refused, counted, and told with the next heartbeat."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from celsched.domain.execution import State
from celsched.settings.load import load
from celsched.store import claims, transitions
from celsched.store.store import Store
from celsched.worker.execute import execute
from celsched.worker.identity import identify
from celsched.worker.runtime import Runtime
from celsched.worker.slots import Slots
from tests.support import actors
from tests.support.executions import add_execution, execution_of
from tests.support.stores import clock_of


@pytest.fixture
def runtime(store: Store, tmp_path: Path) -> Iterator[Runtime]:
    """What a worker's process that runs bodies has."""
    slots = Slots(2)
    settings = load({}, {"HOME": str(tmp_path)}, tmp_path)
    yield Runtime(settings, store, identify("w"), slots, tmp_path)
    slots.close()


def _deliver(runtime: Runtime, number: int, attempt: int = 1) -> None:
    store = runtime.store
    execute(
        runtime,
        lambda tx, by: claims.claim(tx, number, attempt, by, store.clock.now()),
        what="a message",
        task_id="t",
        twice=lambda tx: claims.came_twice(tx, number, attempt),
    )


def _end(store: Store, number: int) -> None:
    actors.run(store, number)


def _start(store: Store, number: int) -> None:
    actors.start(store, number)


@pytest.mark.parametrize("before", [_start, _end], ids=["runs", "has ended"])
def test_a_copy_of_the_only_message_counts(
    store: Store, runtime: Runtime, before: Callable[[Store, int], None]
) -> None:
    number = add_execution(store, "files.tasks.clean")
    actors.publish(store)
    before(store, number)
    state = execution_of(store, number).state

    for _ in range(2):
        _deliver(runtime, number)

    assert runtime.slots.duplicates() == 2
    assert execution_of(store, number).state is state


def test_what_we_sent_again_ourselves_is_no_fault_of_the_broker(store: Store, runtime: Runtime) -> None:
    number = add_execution(store, "files.tasks.clean")
    for _ in range(2):
        actors.publish(store)
        clock_of(store).advance(actors.REPUBLISH)
    actors.start(store, number)

    _deliver(runtime, number)

    assert execution_of(store, number).state is State.RUNNING
    assert runtime.slots.duplicates() == 0


def test_what_never_began_came_only_once(store: Store, runtime: Runtime) -> None:
    cancelled = add_execution(store, "files.tasks.clean")
    retried = add_execution(store, "files.tasks.clean", max_retries=1)
    actors.publish(store)
    actors.run(store, retried, State.FAILED)
    store.write(lambda tx: transitions.cancel_one(tx, cancelled, "person", store.clock.now()))

    _deliver(runtime, cancelled)
    _deliver(runtime, retried)

    assert runtime.slots.duplicates() == 0
