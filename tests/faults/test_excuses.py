"""What a fault excuses, and what not: losses, and skips by overlap."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.handmade import BASE, PLANNED, event, good, kinds, row, tried
from tests.faults.history import SECOND, Fault, History


def _lost() -> History:
    """The second execution is lost in process 102 of worker 50, from 0.5 to 9 s after its fire time, and not repeated.

    Its worker lived on and wrote nothing.
    """
    history = good()
    history.planned = [replace(PLANNED, retry_on_lost=0, overlap="allow")]
    history.rows = [row(1), row(2, "lost", finished=BASE + 19 * SECOND), row(3)]
    history.tries = [tried(1), tried(2, "lost", end=9.0), tried(3)]
    history.events = [one for one in history.events if (one.execution, one.mark) != (2, "end")]
    return history


def _fault(begin: float, end: float, kind: str = "kill worker", **changes: object) -> Fault:
    """A fault at these seconds after the second fire time."""
    second = BASE + 10 * SECOND
    found = Fault(kind, second + int(begin * SECOND), second + int(end * SECOND), kills=True)
    return replace(found, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "excused"),
    [
        (_fault(1, 2, pids=frozenset({50, 7})), True),  # its worker's main process
        (_fault(1, 2, pids=frozenset({102})), True),  # its own process
        (_fault(1, 2, pids=frozenset({51, 103})), False),  # another worker, and another child
        (_fault(1, 2), False),  # a killing fault that hit nobody of ours
        (_fault(-5, -2.5, pids=frozenset({50})), False),  # over before it was claimed
        (_fault(-1, -0.9, "kill daemon", pids=frozenset({50, 7})), True),  # which its worker had yet to notice
        (_fault(9.5, 10, pids=frozenset({50})), False),  # after it was lost
        (_fault(1, 4, kills=False, stops=True, pids=frozenset({50})), True),  # 3 s still, and a heartbeat: see below
        (_fault(1, 3.5, kills=False, stops=True, pids=frozenset({50})), False),
        (_fault(1, 9, kills=False, store=True), False),  # its policy does not stop it on an outage
    ],
)
def test_an_attempt_may_be_lost_only_by_what_hit_its_own_processes(fault: Fault, excused: bool) -> None:
    history = _lost()
    history.faults = [fault]
    assert ("lost for nothing" not in kinds(history)) is excused


@pytest.mark.parametrize(
    ("faults", "excused"),
    [
        ([_fault(1, 3, kills=False, store=True)], True),
        ([_fault(1, 1.8, kills=False, store=True), _fault(2.5, 3, kills=False, store=True)], True),  # no beat between
        ([_fault(1, 1.5, kills=False, store=True), _fault(6, 6.5, kills=False, store=True)], False),
        ([_fault(1, 2, kills=False, store=True)], False),  # shorter than the rules allow
        ([_fault(1, 9, "redis down", kills=False)], False),  # not the store
    ],
)
def test_an_outage_excuses_the_loss_of_what_could_be_repeated(faults: list[Fault], excused: bool) -> None:
    history = _lost()
    history.planned = [replace(PLANNED, retry_on_lost=0, overlap="skip")]
    history.faults = faults
    assert ("lost for nothing" not in kinds(history)) is excused


def _skipped() -> History:
    """The third fire time, 10 s after the second one's, is skipped."""
    history = good()
    history.rows = [*history.rows[:2], row(3, "skipped", reason="overlap")]
    history.events, history.tries, history.least_fires = history.events[:6], history.tries[:2], 2
    return history


def _ends_at(history: History, seconds: float, recorded: float | None = None) -> None:
    """Let the second body show its last sign of life then, and be recorded then."""
    at = int((seconds if recorded is None else recorded) * SECOND)
    history.rows = [history.rows[0], row(2, finished=BASE + 10 * SECOND + at), history.rows[2]]
    history.tries = [tried(1), tried(2, end=seconds if recorded is None else recorded)]
    history.events = [*history.events[:5], event(2, "end", seconds)]


@pytest.mark.parametrize(
    ("ends", "recorded", "cause"),
    [
        (10.5, 10.5, True),  # it lived
        (9.0, 9.1, True),  # it had ended a second before: the transaction may have been under way
        (2.0, 2.1, False),
        (2.0, 30.0, False),  # the store says that it was active; its body had long ended
    ],
)
def test_a_skip_needs_one_that_was_active_by_its_bodies(ends: float, recorded: float, cause: bool) -> None:
    history = _skipped()
    _ends_at(history, ends, recorded)
    assert ("skipped" not in kinds(history)) is cause


def test_a_fault_puts_off_an_end_only_where_it_kept_it_from_being_recorded() -> None:
    history = _skipped()
    _ends_at(history, 3.0)
    history.faults = [_fault(4, 9, "postgres down", kills=False, store=True)]
    assert "skipped" not in kinds(history)
    history.faults = [_fault(4, 9, "redis down", kills=False)]
    assert "skipped" in kinds(history)
    history.faults = [_fault(4, 9, "kill worker", pids=frozenset({77}))]
    assert "skipped" in kinds(history)


def test_a_later_fire_time_is_no_cause_of_a_skip() -> None:
    history = good()
    history.rows = [row(1), row(2, "skipped", reason="overlap", created=row(3).created), row(3)]
    history.events = [*history.events[:3], *history.events[6:]]
    history.tries, history.least_fires = [tried(1), tried(3)], 2
    assert "skipped" in kinds(history)


def test_where_one_may_wait_only_a_second_one_is_a_cause() -> None:
    history = _skipped()
    _ends_at(history, 10.5)
    history.planned = [replace(PLANNED, overlap="queue_one")]
    assert "skipped" in kinds(history)
    first: Callable[[int], int] = lambda after: BASE + after * SECOND  # noqa: E731
    history.rows = [row(1, finished=first(21)), *history.rows[1:]]
    history.tries = [tried(1, end=21.0), tried(2, end=10.5)]
    history.events = [*history.events, event(1, "alive", 20.5)]
    assert "skipped" not in kinds(history)


def test_what_never_ended_is_active_for_ever_and_told_as_unfinished_only() -> None:
    history = _skipped()
    history.rows = [history.rows[0], row(2, "queued", finished=None), history.rows[2]]
    history.events, history.tries, history.least_fires = history.events[:3], history.tries[:1], 1
    assert kinds(history) == {"unfinished"}


@pytest.mark.parametrize(
    ("end", "pids", "other", "late"),
    [
        (3.5, {102}, None, False),
        (9.0, {102}, None, True),
        (9.0, {102}, _fault(2, 3, "redis flush", kills=False), True),  # has no part in it
        (9.0, {102}, _fault(2, 3, "kill daemon", pids=frozenset({7})), True),  # nor has a daemon: its own main tells
        (9.0, {102}, _fault(2, 3, "postgres down", kills=False, store=True), False),
        (9.0, {102}, _fault(2, 3, pids=frozenset({50, 103})), False),  # its main process died as well
        (9.0, {50, 102}, None, False),  # a lease
        (25.0, {50, 102}, None, True),
        (25.0, {50, 102}, _fault(9, 10, "redis flush", kills=False), True),
        (25.0, {50, 102}, _fault(9, 10, "kill daemon", pids=frozenset({7})), False),
    ],
)
def test_a_death_is_noticed_soon_unless_those_who_had_to_were_kept_from_it(
    end: float, pids: set[int], other: Fault | None, late: bool
) -> None:
    history = _lost()
    history.tries = [tried(1), tried(2, "lost", end=end), tried(3)]
    history.faults = [_fault(1, 1.1, "kill child", pids=frozenset(pids)), *([other] if other else [])]
    assert ("noticed late" in kinds(history)) is late
