"""What messages say: everything a person needs at night, ten members at most, Persian as it was written.

No message is planned here; `test_notices` does that.
"""

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from celsched.domain.alert import Alert
from celsched.domain.health.kinds import AlertKind as K
from celsched.domain.notice_text import Text, details_of, text_of
from celsched.domain.notices import Notice, Reason
from tests.unit.domain.messages import at, make_alert

TEHRAN = ZoneInfo("Asia/Tehran")
EVIDENCE = {
    "execution": 7,
    "fire_time": "2026-03-01T11:55:00+00:00",
    "last_success_at": "2026-02-28T11:55:00+00:00",
    "error": "ValueError: پرونده نیست",
    "command": "celsched why 'گزارش شب'",
    "count": 3,
}


def make_notice(
    *firing: Alert, over: tuple[Alert, ...] = (), reason: Reason = Reason.FIRING, fresh: str = ""
) -> Notice:
    group = "late_start/queue=گزارش"
    return Notice("mail", group, "late_start#1.1", reason, firing, over, frozenset({fresh} if fresh else ()))


def say(notice: Notice, **after: float) -> Text:
    return text_of(notice, at(**after), TEHRAN)


def test_a_message_about_one_alert_says_everything_that_is_known() -> None:
    alert = make_alert(1, K.FAILED, subject="گزارش شب", summary="3 executions of 'گزارش شب' failed", evidence=EVIDENCE)
    assert say(make_notice(alert), minutes=5) == Text(
        '[warning] failed: "گزارش شب"',
        "3 executions of 'گزارش شب' failed\n\n"
        "since: 2026-03-01 15:30:00 +0330 (5 min)\n"
        "fire time: 2026-03-01 15:25:00 +0330\n"
        "last good run: 2026-02-28 15:25:00 +0330\n"
        "error: ValueError: پرونده نیست\n"
        "next: celsched why 'گزارش شب'",
    )


def test_without_evidence_it_still_names_the_next_command() -> None:
    text = say(make_notice(make_alert(4), reason=Reason.REPEAT), hours=4)
    assert text.title == '[critical] still missed: "شب4"'
    assert text.body.splitlines()[2:] == ["since: 2026-03-01 15:30:00 +0330 (4 h)", "next: celsched show alert 4"]


def test_a_group_lists_ten_and_counts_the_rest() -> None:
    alerts = [make_alert(number, K.LATE_START, queue="گزارش") for number in range(37)]
    text = say(make_notice(*alerts, fresh="late_start:schedule:0"), minutes=1)
    assert text.title == '[warning] 37 late_start on queue "گزارش"'
    lines = text.body.splitlines()
    assert lines[0] == '37 alerts of kind late_start on queue "گزارش", 1 of them new:'
    assert lines[2] == "- late_start of 'شب0'; since 2026-03-01 15:30:00 +0330; next: celsched show alert 0"
    assert [line[:2] for line in lines[2:]] == ["- "] * 11
    assert lines[-1] == "- and 27 more: celsched alerts"


def test_a_member_of_a_group_says_its_fire_time_last_good_run_and_error_too() -> None:
    alerts = [make_alert(n, K.TIMEOUT, summary=f"{n} timed out", evidence=EVIDENCE, schedule_id=n) for n in range(2)]
    line = say(make_notice(*alerts), minutes=1).body.splitlines()[2]
    assert line == (
        "- 0 timed out; since 2026-03-01 15:30:00 +0330; fire time: 2026-03-01 15:25:00 +0330; "
        "last good run: 2026-02-28 15:25:00 +0330; error: ValueError: پرونده نیست; next: celsched why 'گزارش شب'"
    )
    twice = [make_alert(n, K.FAILED, summary=f"{n}: ValueError: پرونده نیست", evidence=EVIDENCE) for n in range(2)]
    assert "error:" not in say(make_notice(*twice)).body, "the summary has it already"


def test_a_schedule_without_a_success_says_so_and_the_runbook_comes_last() -> None:
    runbook = "https://wiki.example.org/شب"
    never = make_alert(1, schedule_id=1, evidence={"runbook": runbook})
    lines = say(make_notice(never)).body.splitlines()
    assert lines[-3:] == ["last good run: none yet", "next: celsched show alert 1", f"runbook: {runbook}"]
    assert "last good run" not in say(make_notice(make_alert(2, K.DAEMON_DOWN))).body, "it is about no schedule"


def test_the_end_says_how_long_it_lasted() -> None:
    text = say(make_notice(over=(make_alert(1, resolved_at=at(minutes=90)),), reason=Reason.RESOLVED), hours=2)
    assert text.title == '[resolved] missed: "شب1"'
    assert "it lasted 90 min, from 2026-03-01 15:30:00 +0330 to 2026-03-01 17:00:00 +0330" in text.body


def test_the_end_of_many_lists_ten() -> None:
    over = tuple(make_alert(number, resolved_at=at(minutes=number + 2)) for number in range(12))
    text = say(make_notice(over=over, reason=Reason.RESOLVED), hours=2)
    assert text.title == '[resolved] 12 missed on queue "گزارش"'
    assert text.body.count("it lasted") == 10
    assert text.body.endswith("- and 2 more: celsched alerts")


def test_what_ended_is_told_beside_what_goes_on() -> None:
    over = (make_alert(2, resolved_at=at(minutes=9)),)
    text = say(make_notice(make_alert(1), over=over, reason=Reason.RAISED), minutes=10)
    assert text.title == '[critical] worse: missed: "شب1"'
    assert text.body.splitlines()[-2:][0] == "over since the last message:"
    assert '"شب2": it lasted 9 min' in text.body


@pytest.mark.parametrize("minutes", [0, 20])
def test_a_program_gets_the_same_as_json(minutes: int) -> None:
    gone = make_alert(2, resolved_at=at(minutes=minutes))
    notice = make_notice(
        make_alert(1, evidence=EVIDENCE, labels={"team": "مالی"}), over=(gone,), fresh="missed:schedule:1"
    )
    details = json.loads(json.dumps(details_of(notice)))
    assert (details["firing"], details["over"], details["reason"]) == (1, 1, "firing")
    first, second = details["alerts"]
    assert (first["status"], first["new"], first["labels"], first["evidence"]) == (
        "firing",
        True,
        {"team": "مالی"},
        EVIDENCE,
    )
    assert (second["status"], second["new"]) == ("resolved", False)
    assert second["resolved_at"] == (at() + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(("reason", "told"), [(Reason.FIRING, 1000), (Reason.PUSH, 1500)])
def test_who_forgets_is_told_of_everything_that_fires(reason: Reason, told: int) -> None:
    details = details_of(make_notice(*(make_alert(number) for number in range(1, 1501)), reason=reason))
    assert (details["firing"], len(details["alerts"])) == (1500, told)
