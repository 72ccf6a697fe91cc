"""A judge that raises: it ends nothing and finds nothing, and every other one is heard."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from celsched.domain.health import machine, schedules, work
from celsched.domain.health.finding import Finding
from celsched.domain.health.gap import Gap, summary
from celsched.domain.health.judge import examine
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Look
from celsched.domain.health.subjects import about
from celsched.domain.state import FAILURE_RULE
from tests.unit.domain.watching import DAY, NOW, make_look, make_watched

K = AlertKind


def _no_next(look: Look) -> Iterator[Finding]:
    (watched,) = look.schedules.values()
    yield about(K.NO_NEXT, watched, "half of the truth", NOW)
    raise KeyError("گزارش")


PAUSED = make_watched(paused_at=NOW - 30 * DAY)


@pytest.mark.parametrize(
    ("judges", "kind"),
    [
        (schedules.JUDGES, K.NO_NEXT),
        (schedules.JUDGES, K.MISSED),
        (work.JUDGES, K.LATE_START),
        (machine.JUDGES, K.DAEMON_DOWN),
    ],
)
def test_a_judge_that_raises_holds_up_no_other_whichever_it_is(
    monkeypatch: pytest.MonkeyPatch, judges: dict[AlertKind, object], kind: AlertKind
) -> None:
    monkeypatch.setitem(judges, kind, _no_next)
    judgement = examine(make_look(PAUSED))
    assert [finding.kind for finding in judgement.findings] == [K.PAUSED_TOO_LONG], "nor is what it found before told"
    assert [(gap.place, gap.why) for gap in judgement.gaps()] == [(f"judge {kind}", "KeyError: 'گزارش'")]


def test_what_a_judge_that_raised_has_told_before_is_not_over(monkeypatch: pytest.MonkeyPatch) -> None:
    living = [about(kind, PAUSED, "x", NOW) for kind in (K.NO_NEXT, K.OVERDUE)]
    look = make_look(make_watched(), living=living)
    assert examine(look).judged(look) == {"no_next:schedule:1", "overdue:schedule:1"}
    monkeypatch.setitem(schedules.JUDGES, K.NO_NEXT, _no_next)
    assert examine(look).judged(look) == {"overdue:schedule:1"}


def test_a_rule_that_cannot_be_found_is_a_fault_of_its_kind_alone() -> None:
    rules = {kind: rule for kind, rule in PAUSED.rules.items() if kind.value != "auto_paused"}
    both = replace(make_watched(paused_at=NOW - 30 * DAY, pause_reason=f"x {FAILURE_RULE}"), rules=rules)
    judgement = examine(make_look(both))
    assert [finding.kind for finding in judgement.findings] == [K.PAUSED_TOO_LONG]
    assert set(judgement.failed) == {K.AUTO_PAUSED}


def test_a_kind_whose_facts_could_not_be_read_is_not_judged() -> None:
    error = ValueError("a row of a newer version")
    judgement = examine(make_look(PAUSED, unread={K.PAUSED_TOO_LONG: error}))
    assert (judgement.findings, judgement.failed) == ([], {K.PAUSED_TOO_LONG: error})


def test_of_a_schedule_that_could_not_be_read_nothing_opens_and_nothing_ends() -> None:
    other = make_watched(id=2, paused_at=NOW - 30 * DAY)
    alone = Finding(K.NO_WORKER, "queue:default", Severity.CRITICAL, "default", "x", NOW)
    living = [about(K.NO_NEXT, PAUSED, "x", NOW), about(K.NO_NEXT, other, "x", NOW), alone]
    look = make_look(PAUSED, other, living=living, unknown=frozenset({1}))
    judgement = examine(look)
    assert {finding.fingerprint for finding in judgement.findings} == {"paused_too_long:schedule:2"}
    assert judgement.judged(look) == {"no_next:schedule:2"}, "nor is its queue known to have a worker"


def test_places_are_summed_up_without_what_the_errors_say() -> None:
    gaps = [
        Gap("judge missed", ValueError("secret")),
        Gap("judge failed", ValueError()),
        Gap("judge missed", OSError()),
    ]
    assert summary(gaps) == "could not judge failed, judge missed"
    assert summary([]) is None
    many = [Gap(f"read alert {number}", ValueError()) for number in range(1, 8)]
    assert summary(many) == f"could not {', '.join(gap.place for gap in many[:5])} and 2 more"
    assert [gap.why for gap in gaps] == ["ValueError: secret", "ValueError", "OSError"]
