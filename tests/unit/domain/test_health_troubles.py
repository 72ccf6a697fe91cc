"""What went wrong with executions: it opens an alert at its end, which stays until something better happens.

A retry that follows is no end, and the store tells nothing of it.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from celsched.domain.execution import Reason, State
from celsched.domain.health.kinds import AlertKind as K
from celsched.domain.health.kinds import Severity
from celsched.domain.health.rules import Tuning
from tests.unit.domain.watching import HOUR, MINUTE, NAME, NOW, found, make_trouble, make_watched

CASES = [
    (K.MISSED, {"state": State.SKIPPED, "reason": Reason.TOO_LATE}, "skipped as too_late"),
    (K.MISSED, {"state": State.SKIPPED, "reason": Reason.MISFIRE_SKIP}, "skipped as misfire_skip"),
    (K.MISSED, {"state": State.SKIPPED, "reason": Reason.CATCH_UP_CAP}, "skipped as catch_up_cap"),
    (K.FAILED, {"state": State.FAILED}, "failed: ValueError: خطا"),
    (K.FAILED, {"state": State.FAILED, "error": "E: خطا\n[SQL: x]\n(see https://e)\n"}, "failed: E: خطا"),
    (K.FAILED, {"state": State.FAILED, "error": '\n"""\nTraceback (m\nE: خطا\n"""'}, "failed: E: خطا"),
    (K.TIMEOUT, {"state": State.TIMED_OUT}, "timed out"),
    (K.LOST_WORKER, {"state": State.LOST}, "lost with its worker w1"),
    (K.EXPIRED_IN_QUEUE, {"state": State.EXPIRED}, "not started before its start_deadline"),
]
KINDS = {kind for kind, _, _ in CASES}


@pytest.mark.parametrize(("kind", "values", "says"), CASES)
def test_trouble_opens_its_own_kind_and_no_other(kind: K, values: dict[str, Any], says: str) -> None:
    trouble = make_trouble(**values)
    finding = found(kind, make_watched(last_success_at=NOW - HOUR), troubles=[trouble])
    assert finding is not None
    assert says in finding.summary
    assert NAME in finding.summary
    assert finding.event_at == trouble.ended_at
    assert finding.evidence.execution == 42
    assert finding.evidence.last_success_at == NOW - HOUR
    for other in KINDS - {kind}:
        assert found(other, make_watched(last_success_at=NOW - HOUR), troubles=[trouble]) is None


@pytest.mark.parametrize(("kind", "values", "says"), CASES)
def test_it_stays_after_its_rows_are_out_of_sight_until_the_next_success(
    kind: K, values: dict[str, Any], says: str
) -> None:
    opened = found(kind, make_watched(last_success_at=NOW - HOUR), troubles=[make_trouble(**values)])
    assert opened is not None
    still = found(kind, make_watched(last_success_at=NOW - HOUR), living=[opened])
    assert still is not None
    assert (still.summary, still.event_at, still.evidence) == (opened.summary, opened.event_at, opened.evidence)

    better = make_watched(last_success_at=NOW - MINUTE)
    assert found(kind, better, living=[opened]) is None
    assert found(kind, better, troubles=[make_trouble(**values)], living=[opened]) is None
    assert found(kind, living=[opened]) is None, "the schedule was deleted"


def test_a_missed_range_tells_how_many_it_stands_for() -> None:
    many = make_trouble(state=State.SKIPPED, reason=Reason.TOO_LATE, count=298)
    finding = found(K.MISSED, make_watched(), troubles=[many])
    assert finding is not None
    assert "and 297 more were missed" in finding.summary
    assert finding.evidence.count == 298


COALESCED = make_trouble(State.SKIPPED, reason=Reason.COALESCED, count=5)
SKIPPED = make_trouble(State.SKIPPED, reason=Reason.TOO_LATE, execution=41, ended_at=NOW - 8 * MINUTE)


def test_coalesced_fire_times_are_missed_for_information_until_the_next_success() -> None:
    waiting, better = make_watched(last_success_at=NOW - HOUR), make_watched(last_success_at=NOW - MINUTE)
    opened = found(K.MISSED, waiting, troubles=[COALESCED])
    assert opened is not None
    assert (opened.severity, opened.evidence.count, opened.event_at) == (Severity.INFO, 5, COALESCED.ended_at)
    assert "and 4 more were coalesced: a later one stands for them" in opened.summary
    still = found(K.MISSED, waiting, living=[opened])
    assert still is not None
    assert (still.severity, still.summary) == (Severity.INFO, opened.summary)

    assert found(K.MISSED, better, troubles=[COALESCED]) is None, "the run that stands for them succeeded"
    assert found(K.MISSED, better, living=[opened], troubles=[COALESCED]) is None
    off = make_watched(last_success_at=NOW - HOUR, tunings={K.MISSED: Tuning(enabled=False)})
    assert found(K.MISSED, off, troubles=[COALESCED]) is None


def test_a_rule_does_not_raise_what_is_only_information() -> None:
    mild = make_watched(last_success_at=NOW - HOUR, tunings={K.MISSED: Tuning(severity=Severity.WARNING)})
    severities = [found(K.MISSED, mild, troubles=[one]) for one in (COALESCED, SKIPPED)]
    assert [one.severity for one in severities if one] == [Severity.INFO, Severity.WARNING]


@pytest.mark.parametrize("newer", [False, True])
def test_information_neither_lowers_nor_doubles_what_was_really_missed(newer: bool) -> None:
    watched = make_watched(last_success_at=NOW - HOUR)
    coalesced = replace(COALESCED, ended_at=NOW - (1 if newer else 9) * MINUTE)
    troubles = sorted([coalesced, SKIPPED], key=lambda one: one.ended_at)
    together = found(K.MISSED, watched, troubles=troubles)
    assert together is not None
    assert (together.severity, together.evidence.execution) == (Severity.CRITICAL, 41)

    opened = found(K.MISSED, watched, troubles=[SKIPPED])
    assert opened is not None
    after = found(K.MISSED, watched, troubles=[coalesced], living=[opened])
    assert after is not None
    assert (after.severity, after.summary) == (Severity.CRITICAL, opened.summary)


def test_a_real_miss_raises_the_information() -> None:
    watched = make_watched(last_success_at=NOW - HOUR)
    opened = found(K.MISSED, watched, troubles=[COALESCED])
    assert opened is not None
    raised = found(K.MISSED, watched, troubles=[COALESCED, SKIPPED], living=[opened])
    assert raised is not None
    assert (raised.severity, "skipped as too_late" in raised.summary) == (Severity.CRITICAL, True)


def test_information_about_what_came_after_is_told_once_the_real_miss_is_over() -> None:
    watched = make_watched(last_success_at=NOW - 7 * MINUTE)
    opened = found(K.MISSED, make_watched(last_success_at=NOW - HOUR), troubles=[SKIPPED])
    assert opened is not None
    assert found(K.MISSED, watched, troubles=[SKIPPED, COALESCED], living=[opened]) is None, "it resolves"
    after = found(K.MISSED, watched, troubles=[SKIPPED, COALESCED])
    assert after is not None
    assert (after.severity, after.since) == (Severity.INFO, COALESCED.ended_at)


def test_a_newer_case_renews_the_alert() -> None:
    watched = make_watched(last_success_at=NOW - HOUR)
    old, new = make_trouble(execution=1, ended_at=NOW - 9 * MINUTE), make_trouble(execution=2)
    opened = found(K.FAILED, watched, troubles=[old])
    assert opened is not None
    renewed = found(K.FAILED, watched, troubles=[old, new], living=[opened])
    assert renewed is not None
    assert (renewed.evidence.execution, renewed.event_at) == (2, NOW - 5 * MINUTE)


def test_a_failure_is_told_only_to_who_asks_for_it_and_not_of_a_task_run_by_hand() -> None:
    quiet = make_watched(last_success_at=NOW - HOUR, tunings={K.FAILED: Tuning(enabled=False)})
    assert found(K.FAILED, quiet, troubles=[make_trouble()]) is None
    assert found(K.FAILED, make_watched(), troubles=[make_trouble(schedule_id=None)]) is None


@pytest.mark.parametrize("reason", [Reason.OVERLAP, Reason.PAUSED, Reason.DELETED, None])
def test_what_was_skipped_on_purpose_is_not_missed(reason: Reason | None) -> None:
    trouble = make_trouble(State.SKIPPED, reason=reason)
    assert found(K.MISSED, make_watched(last_success_at=NOW - HOUR), troubles=[trouble]) is None


def test_consecutive_failures_until_so_many_successes() -> None:
    kind = K.CONSECUTIVE_FAILURES
    failing: dict[str, Any] = {"failure_streak": 3, "success_streak": 0, "last_failure_at": NOW - MINUTE}
    opened = found(kind, make_watched(**failing))
    assert opened is not None
    assert (opened.event_at, opened.severity, opened.evidence.count) == (NOW - MINUTE, Severity.CRITICAL, 3)
    assert found(kind, make_watched(**failing | {"failure_streak": 2})) is None

    resumed: dict[str, Any] = {"failure_streak": 0, "success_streak": 0}
    assert found(kind, make_watched(**resumed), living=[opened]) is not None, "a resume alone mends nothing"
    assert found(kind, make_watched(success_streak=1), living=[opened]) is None
    careful = {kind: Tuning(parameters={"recovery": 2})}
    assert found(kind, make_watched(success_streak=1, tunings=careful), living=[opened]) is not None
    assert found(kind, make_watched(success_streak=2, tunings=careful), living=[opened]) is None


UNKNOWN: dict[str, Any] = {
    "error": "`files.tasks` has no `claen` (did you mean `clean`?)",
    "error_type": "InvalidDefinition",
}


@pytest.mark.parametrize("schedule_id", [1, None])
def test_unknown_task_whoever_asked_for_it_until_the_task_succeeds(schedule_id: int | None) -> None:
    trouble = make_trouble(**UNKNOWN, schedule_id=schedule_id)

    def at(success: datetime | None, **values: Any) -> Any:
        return found(K.UNKNOWN_TASK, make_watched(), task_successes={7: success}, **values)

    opened = at(None, troubles=[trouble])
    assert opened is not None
    assert (opened.scope, opened.subject) == ("task:7", "task")
    assert "has no `claen`" in opened.summary
    later = at(NOW - HOUR, living=[opened])
    assert later is not None
    assert (later.queue, later.labels) == (opened.queue, opened.labels), "silences and channels go by them"
    assert at(NOW, living=[opened]) is None
    assert at(NOW, troubles=[trouble]) is None
    assert found(K.UNKNOWN_TASK, make_watched(), living=[opened]) is None, "the task was deleted"
    assert at(None, troubles=[make_trouble()]) is None, "an error of the user's own code"
