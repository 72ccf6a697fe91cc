"""Slow changes: executions that take longer than they used to, definitions that are not what their manifest said."""

from datetime import timedelta
from typing import Any

import pytest

from celsched.domain.hand_edits import with_edit
from celsched.domain.health.config_drift import config_drift
from celsched.domain.health.duration_drift import duration_drift, needs_history
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import Edited
from celsched.domain.health.work_facts import Success, WorkFacts
from tests.unit.domain.looks import NAME, NOW, left, look, nothing, only, tuned, watched

HOUR = timedelta(hours=1)


def _past(*seconds: float) -> list[Success]:
    return [Success(500 - place, NOW - place * HOUR, timedelta(seconds=took)) for place, took in enumerate(seconds)]


def _look(*seconds: float, own: Any = None, living: Any = None) -> Any:
    history = {1: _past(*seconds)} if seconds else {}
    return look(schedules=[watched(1, own=own)], work=WorkFacts(history=history), living=living or {})


def test_the_newest_ten_are_compared_with_those_before() -> None:
    assert nothing(duration_drift, _look(*[20] * 10, *[10] * 50)), "twice is not more than twice"
    found = only(duration_drift, _look(*[21] * 10, *[10] * 50))
    assert (found.fingerprint, found.severity) == ("duration_drift:schedule:1", Severity.INFO)
    assert found.summary == (
        f'"{NAME}" takes longer than it did: the median of its last 10 successes is 21 s, '
        "that of the 50 before them 10 s"
    )
    assert found.since == NOW - 9 * HOUR, "the first of the slow ones"
    assert str(found.evidence.command).startswith("celsched stats performance --schedule ")


@pytest.mark.parametrize(
    ("newest", "before"),
    [
        ([30] * 9, []),
        ([30] * 10, [10] * 9),
        ([30] * 4 + [10] * 6, [10] * 50),
        ([1.5] * 10, [0.6] * 50),
        ([10] * 10, [30] * 50),
    ],
    ids=["few newest", "few before", "some slow ones", "less than a second", "quicker than before"],
)
def test_what_is_no_drift(newest: list[float], before: list[float]) -> None:
    assert nothing(duration_drift, _look(*newest, *before))


def test_what_is_older_than_the_fifty_before_counts_for_nothing() -> None:
    assert nothing(duration_drift, _look(*[30] * 60, *[1] * 100)), "it has got used to it"


def test_it_is_over_below_one_and_a_half_times_and_stays_while_nothing_new_succeeds() -> None:
    opened = left(only(duration_drift, _look(*[30] * 10, *[10] * 50)))
    assert only(duration_drift, _look(*[16] * 10, *[10] * 50, living=opened)).since == NOW - 9 * HOUR
    assert nothing(duration_drift, _look(*[15] * 10, *[10] * 50, living=opened))
    assert only(duration_drift, _look(living=opened)).summary.startswith(f'"{NAME}" takes longer')
    assert nothing(duration_drift, look(work=WorkFacts(), living=opened)), "the schedule is gone"


def test_it_goes_by_its_rule_and_asks_only_for_schedules_that_just_succeeded() -> None:
    tight = tuned(AlertKind.DURATION_DRIFT, factor=1.2, extra=timedelta(0), least_runs=3)
    assert not nothing(duration_drift, _look(*[1.3] * 10, *[1] * 3, own=tight))
    on, off = watched(1), watched(2, own={AlertKind.DURATION_DRIFT: Tuning(enabled=False)})
    assert needs_history(look(schedules=[on, off, watched(3)]), {1, 2, 9}) == {1}
    assert nothing(duration_drift, look()), "without facts nothing is judged"


def _edited(kind: str = "schedule", *fields: str) -> Edited:
    return Edited(kind, 1, NAME, "ops", fields or ("cron",), "سارا", NOW - HOUR)


def test_what_a_person_changed_is_told_with_who_and_what() -> None:
    found = only(config_drift, look(schedules=[watched(1)], edited=[_edited("schedule", "cron", "queue", "a", "b")]))
    assert (found.fingerprint, found.severity, found.since) == ("config_drift:schedule:1", Severity.INFO, NOW - HOUR)
    assert found.summary.startswith(f'cron, queue, a and 1 more of the schedule "{NAME}" was changed by hand by سارا')
    assert (found.schedule_id, found.evidence.command) == (1, "celsched export --set ops")
    task = only(config_drift, look(edited=[_edited("task")]))
    assert (task.fingerprint, task.schedule_id) == ("config_drift:task:1", None)


def test_it_is_over_once_nothing_differs() -> None:
    opened = left(only(config_drift, look(schedules=[watched(1)], edited=[_edited()])))
    assert nothing(config_drift, look(schedules=[watched(1)], living=opened))


def test_what_is_changed_back_is_no_difference() -> None:
    once = with_edit({}, {"cron": ["0 2 * * *", "0 3 * * *"], "labels": [None, {"a": "b"}]})
    twice = with_edit(once, {"cron": ["0 3 * * *", "0 4 * * *"]})
    assert twice == {"labels": (None, {"a": "b"}), "cron": ("0 2 * * *", "0 4 * * *")}
    assert with_edit(twice, {"cron": ["0 4 * * *", "0 2 * * *"], "labels": [{"a": "b"}, None]}) == {}
