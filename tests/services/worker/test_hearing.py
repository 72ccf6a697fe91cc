"""A worker that no longer hears its queues is found out, and one whose broker was away, or lost messages, is not."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from celsched.store import outbox
from celsched.store.store import Store
from celsched.worker.desk_store import DeskStore
from celsched.worker.hearing import Hearing
from celsched.worker.slots import Occupant, Slots, SlotState
from tests.support.actors import publish, take
from tests.support.clock import ManualClock
from tests.support.executions import add_execution

REPUBLISH = timedelta(seconds=30)
Pass = Callable[[int], bool]


@pytest.fixture
def slots() -> Iterator[Slots]:
    made = Slots(2)
    for index in range(2):
        made.write(index, Occupant(pid=7))
    yield made
    made.close()


@pytest.fixture
def hearing(store: Store, slots: Slots, clock: ManualClock) -> Hearing:
    return Hearing(DeskStore(store), slots, clock.monotonic, ["default"], REPUBLISH)


@pytest.fixture
def until_deaf(hearing: Hearing, clock: ManualClock) -> Pass:
    """Let seconds pass with a look each ten; return whether the worker was found deaf."""

    def passing(seconds: int) -> bool:
        looks = []
        for _ in range(seconds // 10):
            clock.advance(timedelta(seconds=10))
            looks.append(hearing.deaf())
        return any(looks)

    return passing


def test_a_message_sent_again_in_vain_shows_it(store: Store, until_deaf: Pass) -> None:
    add_execution(store, "m.f")
    publish(store)
    assert not until_deaf(100)
    assert publish(store), "it is due again"
    assert not until_deaf(40)
    assert until_deaf(10)


def test_nothing_to_hear_is_no_deafness(until_deaf: Pass) -> None:
    assert not until_deaf(600)


def test_sends_that_fail_while_the_broker_is_away_do_not_count(
    store: Store, clock: ManualClock, until_deaf: Pass
) -> None:
    add_execution(store, "m.f")
    publish(store)
    assert not until_deaf(70)
    for _ in range(20):
        parcels = take(store)
        store.write(lambda tx, parcels=parcels: outbox.put_back(tx, parcels, clock.now()))  # type: ignore[misc]
        assert not until_deaf(30)


def test_a_message_in_between_begins_the_silence_anew(store: Store, hearing: Hearing, until_deaf: Pass) -> None:
    add_execution(store, "m.f")
    publish(store)
    assert not until_deaf(100)
    publish(store)
    assert not until_deaf(40)
    hearing.note()
    assert not until_deaf(90)


def test_a_worker_without_a_free_process_is_not_judged(store: Store, slots: Slots, until_deaf: Pass) -> None:
    for index in range(2):
        slots.write(index, Occupant(SlotState.BODY, 1, 1, "t" * 32, 1))
    add_execution(store, "m.f")
    publish(store)
    assert not until_deaf(100)
    publish(store)
    assert not until_deaf(100)
