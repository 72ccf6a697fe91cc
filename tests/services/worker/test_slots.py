"""Slots and progress in shared memory, from two processes."""

import os
import threading
from collections.abc import Iterator

import pytest

from celsched.context import Progress
from celsched.worker.slots import Marks, Occupant, Slots, SlotState
from tests.support.waiting import wait_until


@pytest.fixture
def slots() -> Iterator[Slots]:
    made = Slots(4)
    yield made
    made.close()


FULL = Occupant(SlotState.BODY, 2**40, 7, "a" * 32, 4711, 1.5, 2.5, 0.0, True, Marks(1, 2, 3, 2**33, 5, 6))


def in_child(do: object) -> int:
    """Run `do` in a forked child and return its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if do() else 1)  # type: ignore[operator]
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_fresh_slot_is_free_and_belongs_to_nobody(slots: Slots) -> None:
    assert slots.read(0) == Occupant()
    assert slots.busy() == []
    assert not slots.draining


def test_what_a_child_writes_the_parent_reads_whole(slots: Slots) -> None:
    def child() -> bool:
        slots.after_fork()
        with slots.lock(2):
            slots.write(2, FULL)
        return True

    assert in_child(child) == 0
    assert slots.read(2) == FULL
    assert slots.busy() == [2]
    assert slots.read(1) == Occupant()
    assert slots.read(3) == Occupant()


def test_each_child_counts_what_came_twice_in_its_own_slot(slots: Slots) -> None:
    def child() -> bool:
        slots.after_fork()
        slots.count_duplicate(3)
        return True

    assert slots.duplicates() == 0
    assert [in_child(child), in_child(child)] == [0, 0]
    slots.count_duplicate(0)
    slots.start_draining()

    assert slots.duplicates() == 3
    assert [slots.read(index) for index in range(4)] == [Occupant()] * 4


def test_a_change_needs_the_same_claim_in_the_same_state(slots: Slots) -> None:
    slots.write(0, FULL)
    assert not slots.change(0, "b" * 32, SlotState.BODY, SlotState.RECORDING)
    assert not slots.change(0, FULL.token, SlotState.CLAIMING, SlotState.RECORDING)
    assert slots.change(0, FULL.token, SlotState.BODY, SlotState.RECORDING)
    assert not slots.change(0, FULL.token, SlotState.BODY, SlotState.TAKEN)
    assert slots.state(0) is SlotState.RECORDING


def test_a_lock_keeps_other_processes_out_and_goes_with_its_holder(slots: Slots) -> None:
    reading, writing = os.pipe()

    def holder() -> bool:
        slots.after_fork()
        with slots.lock(1):
            os.write(writing, b"x")
            os.kill(os.getpid(), 9)
        return True

    assert in_child(holder) == -9
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    os.close(writing)
    with slots.lock(1):
        assert in_child(lambda: _is_locked(slots)) == 0


def _is_locked(slots: Slots) -> bool:
    slots.after_fork()
    got = threading.Event()

    def take() -> None:
        with slots.lock(1):
            got.set()

    threading.Thread(target=take, daemon=True).start()
    return not got.wait(0.2)


def test_marks_move_only_for_the_claim_that_holds_the_slot(slots: Slots) -> None:
    slots.write(0, FULL)
    slots.move_marks(0, "b" * 32, Marks(9))
    assert slots.read(0).marks == FULL.marks
    slots.move_marks(0, FULL.token, Marks(9))
    assert slots.read(0).marks == Marks(9)


@pytest.mark.parametrize(
    "progress",
    [Progress(1, None, None), Progress(0, 0, ""), Progress(2.5, 10, "گام ۲"), Progress(1, 2, "x" * 5000)],
)
def test_the_newest_progress_comes_through(slots: Slots, progress: Progress) -> None:
    assert slots.progress(1) == (0, None)
    slots.report(1, Progress(0, 100, "before"))
    first, _ = slots.progress(1)
    slots.report(1, progress)
    second, found = slots.progress(1)
    assert second > first
    assert found is not None
    assert (found.done, found.total) == (progress.done, progress.total)
    assert (found.message or "") == (progress.message or "")[: len(found.message or "")]
    assert found.message is None if progress.message is None else found.message is not None
    slots.forget_progress(1)
    assert slots.progress(1) == (0, None)


def test_progress_is_never_read_half_written(slots: Slots) -> None:
    pid = os.fork()
    if pid == 0:
        for number in range(200_000):
            slots.report(0, Progress(number, number, str(number)))
        os._exit(0)
    seen: list[float] = []

    def look() -> bool:
        _, found = slots.progress(0)
        if found is not None:
            assert found.done == found.total == float(found.message or -1)
            seen.append(found.done)
        return os.waitpid(pid, os.WNOHANG)[0] == pid

    wait_until(look, timeout=30, message="the writer ends", every=0)
    assert len(seen) > 100
    assert seen == sorted(seen)


def test_draining_is_seen_by_children(slots: Slots) -> None:
    slots.start_draining()
    assert in_child(lambda: slots.draining) == 0
