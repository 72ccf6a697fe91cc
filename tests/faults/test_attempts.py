"""Attempts that a broken product would make, each of which must be seen, and the delay of those after the first."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.handmade import BASE, PLANNED, event, good, kinds, row, tried
from tests.faults.history import SECOND, Fault, History
from tests.faults.lateness import starts
from tests.faults.reading import Reading


def _retried(begin: float = 2.7, retries: int = 1) -> History:
    """The second execution fails after 2 s, and its second attempt begins then."""
    history = good()
    history.planned = [replace(PLANNED, max_retries=retries, fails=1)]
    raised = [replace(one, mark="raise") if (one.execution, one.mark) == (2, "end") else one for one in history.events]
    again = [event(2, "start", begin, 2), event(2, "end", begin + 0.2, 2)]
    history.events = [*raised, *again]
    history.tries = [tried(1), tried(2, "failed"), tried(3), tried(2, "succeeded", 2, begin + 0.3, begin)]
    history.rows = [row(1), row(2, attempt=2, finished=BASE + int((10.3 + begin) * SECOND)), row(3)]
    return history


def test_a_retry_in_time_passes_and_is_told_apart() -> None:
    history = _retried()
    assert kinds(history) == set()
    again = [one for one in starts(Reading(history)) if one.run.attempt == 2]
    assert [one.late for one in again] == [SECOND // 5]


def test_a_retry_is_judged_by_its_own_due_time() -> None:
    assert kinds(_retried(7.5)) == {"late"}
    assert kinds(_retried(2.1)) == {"early"}


def test_a_late_retry_needs_a_fault_of_its_own_time() -> None:
    history = _retried(7.5)
    fault = Fault("redis down", BASE + 13 * SECOND, BASE + 16 * SECOND)
    history.faults = [fault]
    assert kinds(history) == set()
    history.faults = [replace(fault, began=BASE - 9 * SECOND, ended=BASE - 8 * SECOND)]
    assert kinds(history) == {"late"}


Break = Callable[[History], None]


def _gave_up_losses(history: History) -> None:
    history.planned = [replace(PLANNED, retry_on_lost=3)]
    history.rows = [row(1), row(2, "lost"), row(3)]
    history.tries = [tried(1), tried(2, "lost"), tried(3)]
    history.events = [one for one in history.events if (one.execution, one.mark) != (2, "end")]


def _gave_up_failures(history: History) -> None:
    """Two of three attempts raised, where two are more than the plan's own count demands."""
    history.planned = [replace(PLANNED, max_retries=2, fails=9)]
    history.rows = [row(1), row(2, "failed", attempt=1), row(3)]
    history.tries = [tried(1), tried(2, "failed"), tried(3)]
    history.events = [replace(one, mark="raise") if (one.execution, one.mark) == (2, "end") else one
                      for one in history.events]  # fmt: skip


def _after_success(history: History) -> None:
    history.tries = [*history.tries, tried(2, "lost", 2, 4.0, 3.0)]
    history.rows = [row(1), row(2, "lost", attempt=2), row(3)]


def _one_loss_too_many(history: History) -> None:
    """As many starts as the sum of both policies allows, and more losses than its own."""
    history.planned = [replace(PLANNED, max_retries=3, retry_on_lost=0)]
    history.tries = [tried(1), tried(2, "lost"), tried(3), tried(2, "succeeded", 2, 4.0, 3.0)]
    history.rows = [row(1), row(2, attempt=2), row(3)]
    history.events = [*history.events, event(2, "start", 3.1, 2), event(2, "end", 3.5, 2)]


def _a_number_left_out(history: History) -> None:
    history.tries = [tried(1), tried(2, attempt=2), tried(3)]
    history.rows = [row(1), row(2, attempt=2), row(3)]
    history.events = [replace(one, attempt=2) if one.execution == 2 else one for one in history.events]


def _claimed_together(history: History) -> None:
    history.tries = [tried(1), tried(2, "lost"), tried(3), tried(2, "succeeded", 2, 4.0, 1.0)]
    history.rows = [row(1), row(2, attempt=2), row(3)]
    history.events = [*history.events, event(2, "start", 3.1, 2), event(2, "end", 3.5, 2)]


def _skipped_and_tried(history: History) -> None:
    history.rows = [row(1), row(2, "skipped", reason="overlap"), row(3)]


def _attempt_for_ever(history: History) -> None:
    history.tries = [tried(1), replace(tried(2), finished=None), tried(3)]


def _attempts_of_nothing(history: History) -> None:
    history.tries = [*history.tries, tried(9)]


def _states_differ(history: History) -> None:
    history.tries = [tried(1), tried(2, "timed_out"), tried(3)]


def _unplanned(history: History) -> None:
    history.rows = [*history.rows, replace(row(3), id=9, schedule="nobody's")]


def _another_fire_time(history: History) -> None:
    """The bodies of two executions run for each other's fire times."""
    fires = {2: row(3).fire, 3: row(2).fire}
    history.events = [replace(one, fire=fires.get(one.execution, one.fire)) for one in history.events]


def _two_processes(history: History) -> None:
    history.events = [*history.events, event(2, "alive", 1.2, pid=999)]


def _life_before_its_start(history: History) -> None:
    history.events = [*history.events, event(2, "alive", 0.4)]


def _ran_before_its_claim(history: History) -> None:
    history.tries = [tried(1), tried(2, begin=1.5), tried(3)]


def _claimed_by_another(history: History) -> None:
    history.tries = [tried(1), replace(tried(2), pid=999), tried(3)]


def _ended_and_raised(history: History) -> None:
    history.events = [*history.events, event(2, "raise", 1.8)]


def _recorded_late(history: History) -> None:
    history.tries = [tried(1), tried(2, end=8.0), tried(3)]


def _before_its_time(history: History) -> None:
    history.events = [replace(one, at=one.at - SECOND) if one.execution == 2 else one for one in history.events]
    history.tries = [tried(1), tried(2, begin=-0.6), tried(3)]


def _row_before_its_time(history: History) -> None:
    history.rows = [row(1), row(2, created=row(1).created), row(3)]


def _decided_late(history: History) -> None:
    """The schedule stood still, and what had passed was called skipped while something ran."""
    now = row(3).created
    history.rows = [row(1, finished=BASE + 21 * SECOND), row(2, "skipped", reason="overlap", created=now), row(3)]
    history.tries = [tried(1, end=21.0), tried(3)]
    history.events = [*history.events[:3], *history.events[6:], event(1, "alive", 20.5)]
    history.least_fires = 2


def _limited(history: History) -> None:
    """The second execution is ended by a time limit of one second."""
    history.planned = [replace(PLANNED, limit=SECOND, max_retries=0)]
    others = [one for one in history.events if one.execution != 2]
    history.events = [*others, event(2, "start", 0.5), event(2, "alive", 1.4)]
    history.rows, history.tries = [row(1), row(2, "timed_out"), row(3)], [tried(1), tried(2, "timed_out"), tried(3)]


def test_a_time_limit_that_held_passes() -> None:
    history = good()
    _limited(history)
    assert kinds(history) == set()


def _timed_out_for_nothing(history: History) -> None:
    _limited(history)
    history.planned = [replace(PLANNED, max_retries=0)]


def _timed_out_too_soon(history: History) -> None:
    _limited(history)
    history.tries = [tried(1), tried(2, "timed_out", end=1.2), tried(3)]


def _lived_beyond_its_limit(history: History) -> None:
    _limited(history)
    history.events = [*history.events, event(2, "alive", 3.6)]
    history.tries = [tried(1), tried(2, "timed_out", end=3.7), tried(3)]


def _gave_up_after_a_limit(history: History) -> None:
    _limited(history)
    history.planned = [replace(PLANNED, limit=SECOND, max_retries=1)]


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (_timed_out_for_nothing, "disagree"),
        (_timed_out_too_soon, "disagree"),
        (_lived_beyond_its_limit, "no limit"),
        (_gave_up_after_a_limit, "gave up"),
        (_gave_up_losses, "gave up"),
        (_gave_up_failures, "gave up"),
        (_after_success, "too often"),
        (_one_loss_too_many, "too often"),
        (_a_number_left_out, "disagree"),
        (_claimed_together, "overlap"),
        (_skipped_and_tried, "disagree"),
        (_attempt_for_ever, "unfinished"),
        (_attempts_of_nothing, "disagree"),
        (_states_differ, "disagree"),
        (_unplanned, "extra"),
        (_another_fire_time, "disagree"),
        (_two_processes, "started twice"),
        (_life_before_its_start, "disagree"),
        (_ran_before_its_claim, "early"),
        (_claimed_by_another, "disagree"),
        (_ended_and_raised, "disagree"),
        (_recorded_late, "recorded late"),
        (_before_its_time, "early"),
        (_row_before_its_time, "early"),
        (_decided_late, "late"),
    ],
)
def test_each_way_to_break_the_rules_of_attempts_is_seen(broken: Break, kind: str) -> None:
    history = good()
    broken(history)
    assert kind in kinds(history)
