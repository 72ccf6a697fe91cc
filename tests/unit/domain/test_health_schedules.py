"""Schedules: each kind opens when it should, not before and not otherwise, and is over when it should be.

What the store says of them is made up here.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from celsched.domain.health.kinds import AlertKind as K
from celsched.domain.health.kinds import Severity
from celsched.domain.health.rules import Tuning
from celsched.domain.health.watched import RECENT
from tests.unit.domain.watching import DAY, HOUR, MINUTE, NAME, NOW, found, make_look, make_watched

SECOND = timedelta(seconds=1)
RESTS: dict[str, Any] = {"paused_at": NOW - HOUR, "next_fire_time": None, "wake_at": None, "active_since": None}
BLANK: dict[str, Any] = {"last_success_at": None, "success_streak": 0, "recent": ""}


def test_a_healthy_schedule_has_nothing() -> None:
    assert not [kind for kind in K if found(kind, make_watched())]


@pytest.mark.parametrize("kind", list(K))
def test_a_paused_or_disabled_schedule_is_told_of_by_no_kind_but_those_of_pauses(kind: K) -> None:
    for values in ({**RESTS, **BLANK}, {**BLANK, "enabled": False, "next_fire_time": None, "active_since": None}):
        assert found(kind, make_watched(**values)) is None


def test_overdue_after_its_tolerance_until_it_is_decided() -> None:
    late = {"next_fire_time": NOW - MINUTE}
    finding = found(K.OVERDUE, make_watched(**late))
    assert finding is not None
    assert (finding.since, finding.severity, finding.scope) == (NOW - MINUTE, Severity.CRITICAL, "schedule:1")
    assert finding.summary == f'the fire time 2026-07-01 11:59:00 +0000 of "{NAME}" has been undecided for 60 s'
    assert finding.evidence.command == f"celsched why '{NAME}'"
    assert (finding.queue, finding.labels) == ("صف", {"set": "مالی"})

    assert found(K.OVERDUE, make_watched(next_fire_time=NOW - 20 * MINUTE / 60)) is None
    assert found(K.OVERDUE, make_watched(error="broken", **late)) is None, "it speaks for itself"
    patient = {K.OVERDUE: Tuning(parameters={"tolerance": 2 * MINUTE})}
    assert found(K.OVERDUE, make_watched(tunings=patient, **late)) is None


@pytest.mark.parametrize(
    ("zone", "late", "read"),
    [
        ("Asia/Tehran", MINUTE, "2026-07-01 15:29:00 +0330"),
        ("Asia/Tehrn", MINUTE, "2026-07-01 11:59:00 +0000"),
        ("Asia/Tehran", MINUTE - SECOND / 4, "2026-07-01 15:29:00.250000 +0330"),
    ],
)
def test_instants_read_as_in_the_lines_of_a_message(zone: str, late: timedelta, read: str) -> None:
    finding = found(K.OVERDUE, make_watched(next_fire_time=NOW - late, timezone=zone))
    assert finding is not None
    assert f"the fire time {read} of" in finding.summary


def test_no_next_where_one_should_be_and_not_where_the_schedule_has_ended() -> None:
    gone: dict[str, Any] = {"next_fire_time": None, "wake_at": None}
    assert found(K.NO_NEXT, make_watched(**gone)) is not None
    assert found(K.NO_NEXT, make_watched(schedule_type="interval", rule="1h", **gone)) is not None
    for over in (
        {"max_runs": 500},
        {"end_at": NOW - HOUR},
        {"end_at": NOW + MINUTE},
        {"schedule_type": "once", "rule": "2026-07-01T11:00:00Z"},
        {"error": "broken"},
    ):
        assert found(K.NO_NEXT, make_watched(**gone, **over)) is None, over
    ahead = {"schedule_type": "once", "rule": "2026-07-02T11:00:00Z"}
    assert found(K.NO_NEXT, make_watched(**gone, **ahead)) is not None


def test_never_ran_after_two_fire_times_until_the_first_start() -> None:
    two: dict[str, Any] = {**BLANK, "runs": 2}
    finding = found(K.NEVER_RAN, make_watched(**two))
    assert finding is not None
    assert finding.evidence.count == 2
    assert found(K.NEVER_RAN, make_watched(**BLANK, runs=1)) is None
    skipped = {**BLANK, "runs": 1, "recent": "o"}
    assert found(K.NEVER_RAN, make_watched(**skipped)) is not None, "a fire time skipped for the first one passed too"
    assert found(K.NEVER_RAN, make_watched(**two), started=frozenset({1})) is None
    assert found(K.NEVER_RAN, make_watched(**two, last_fire_time=NOW - MINUTE / 2)) is None, "the second is under way"
    assert found(K.NEVER_RAN, make_watched(**two, last_failure_at=NOW)) is None
    assert found(K.NEVER_RAN, make_watched(runs=2)) is None


@pytest.mark.parametrize(
    ("rule", "fires_at", "quiet_at"),
    [
        ({"rule": "30 * * * *"}, 3 * HOUR + 31 * MINUTE, 3 * HOUR + 25 * MINUTE),
        ({"schedule_type": "interval", "rule": "1h"}, 4 * HOUR, 3 * HOUR - MINUTE),
        ({"rule": "0 2 * * *"}, 3 * DAY, 2 * DAY),
        ({"schedule_type": "interval", "rule": "1s"}, 6 * MINUTE, 4 * MINUTE),
        ({"schedule_type": "once", "rule": "2026-07-02T11:00:00Z"}, None, 300 * DAY),
    ],
)
def test_no_recent_success_in_three_fire_times_of_its_rule(rule: dict[str, Any], fires_at: Any, quiet_at: Any) -> None:
    def at(silence: Any) -> object:
        return found(
            K.NO_RECENT_SUCCESS, make_watched(last_success_at=NOW - silence, created_at=NOW - 900 * DAY, **rule)
        )

    assert at(quiet_at) is None
    if fires_at is not None:
        assert at(fires_at) is not None


def test_a_weekend_is_no_silence_for_a_schedule_of_working_days() -> None:
    days: dict[str, Any] = {"rule": "*/5 9-17 * * 1-5", "created_at": NOW - 90 * DAY}
    friday, monday = datetime(2026, 7, 3, 17, 56, tzinfo=UTC), datetime(2026, 7, 6, 9, 4, tzinfo=UTC)
    watched = make_watched(last_success_at=friday, **days)
    assert found(K.NO_RECENT_SUCCESS, watched, now=monday) is None
    assert found(K.NO_RECENT_SUCCESS, watched, now=monday + 20 * MINUTE) is not None


def test_no_recent_success_within_its_own_time_counts_from_where_it_became_active() -> None:
    own = {K.NO_RECENT_SUCCESS: Tuning(parameters={"after": 26 * HOUR})}
    long_ago: dict[str, Any] = {"last_success_at": NOW - 27 * HOUR, "tunings": own}
    finding = found(K.NO_RECENT_SUCCESS, make_watched(**long_ago))
    assert finding is not None
    assert finding.evidence.last_success_at == NOW - 27 * HOUR
    assert "27 h" in finding.summary
    assert found(K.NO_RECENT_SUCCESS, make_watched(active_since=NOW - HOUR, **long_ago)) is None, "no alert on a resume"
    assert found(K.NO_RECENT_SUCCESS, make_watched(**long_ago | {"last_success_at": NOW - 25 * HOUR})) is None
    assert found(K.NO_RECENT_SUCCESS, make_watched(next_fire_time=None, max_runs=500, **long_ago)) is None, "it ended"


@pytest.mark.parametrize(
    ("recent", "severity"),
    [
        ("ssssf", Severity.WARNING),
        ("sssf", None),
        ("s" * 17 + "fff", None),
        ("s" * 16 + "ftlf", Severity.WARNING),
        ("sfsfs" + "o" * 10, Severity.WARNING),
        ("sftlf", Severity.CRITICAL),
        ("ooooof", None),
    ],
)
def test_failure_rate_of_what_ended(recent: str, severity: Severity | None) -> None:
    finding = found(K.FAILURE_RATE, make_watched(recent=recent))
    assert (finding.severity if finding else None) == severity


@pytest.mark.parametrize(
    ("rests", "over"),
    [
        ({"enabled": False, "next_fire_time": None, "active_since": None}, True),
        ({"max_runs": 500, "next_fire_time": None}, True),
        ({"paused_at": NOW - HOUR, "next_fire_time": None}, False),
        ({"error": "no such zone", "next_fire_time": None}, False),
    ],
)
def test_what_only_another_run_could_mend_is_over_where_none_is_to_come(rests: dict[str, Any], over: bool) -> None:
    for kind, recent in ((K.FAILURE_RATE, "s" * 10 + "ffff"), (K.OVERLAP_SKIPS, "sooo")):
        opened = found(kind, make_watched(recent=recent))
        assert opened is not None
        assert (found(kind, make_watched(recent=recent, **rests), living=[opened]) is None) is over


def test_failure_rate_is_over_only_below_half_of_its_share() -> None:
    opened = found(K.FAILURE_RATE, make_watched(recent="s" * 16 + "ffff"))
    assert opened is not None
    still = found(K.FAILURE_RATE, make_watched(recent="s" * 18 + "ff"), living=[opened])
    assert still is not None
    assert still.since == opened.since
    assert found(K.FAILURE_RATE, make_watched(recent="s" * 18 + "ff")) is None
    assert found(K.FAILURE_RATE, make_watched(recent="s" * 19 + "f"), living=[opened]) is None


def test_overlap_skips_in_a_row_until_a_fire_time_runs() -> None:
    opened = found(K.OVERLAP_SKIPS, make_watched(recent="sooo"))
    assert opened is not None
    assert f'3 of the last 4 fire times of "{NAME}"' in opened.summary
    assert found(K.OVERLAP_SKIPS, make_watched(recent="soo")) is None
    assert found(K.OVERLAP_SKIPS, make_watched(recent="sooos"), living=[opened]) is None
    assert found(K.OVERLAP_SKIPS, make_watched(recent="sooosoo"), living=[opened]) is not None
    assert found(K.OVERLAP_SKIPS, make_watched(recent="sooos")) is None


def test_overlap_skips_by_their_share_until_it_has_halved() -> None:
    opened = found(K.OVERLAP_SKIPS, make_watched(recent="sos" * 5))
    assert opened is not None
    fewer = found(K.OVERLAP_SKIPS, make_watched(recent="sos" * 3 + "s" * 11), living=[opened])
    assert fewer is not None
    assert found(K.OVERLAP_SKIPS, make_watched(recent="sos" * 2 + "s" * (RECENT - 6)), living=[fewer]) is None
    assert found(K.OVERLAP_SKIPS, make_watched(recent="sos" * 4)) is None


def test_auto_paused_until_it_is_resumed() -> None:
    by_rule = {**RESTS, "pause_reason": "3 failures in a row (pause_after_failures)", "paused_by": "celsched"}
    finding = found(K.AUTO_PAUSED, make_watched(**by_rule))
    assert finding is not None
    assert finding.since == NOW - HOUR
    assert finding.evidence.command == f"celsched resume '{NAME}'"
    assert found(K.AUTO_PAUSED, make_watched(**RESTS, pause_reason="تعمیر", paused_by="سارا")) is None


def test_paused_too_long_without_an_end() -> None:
    long = {**RESTS, "paused_at": NOW - 8 * DAY, "pause_reason": "تعمیر"}
    finding = found(K.PAUSED_TOO_LONG, make_watched(**long))
    assert finding is not None
    assert "تعمیر" in finding.summary
    assert f'"{NAME}" has been paused since 2026-06-' in finding.summary
    assert found(K.PAUSED_TOO_LONG, make_watched(**long, paused_until=NOW + DAY)) is None
    assert found(K.PAUSED_TOO_LONG, make_watched(**{**long, "paused_at": NOW - 6 * DAY})) is None


def test_paused_too_long_when_its_end_went_by_and_nobody_resumed_it() -> None:
    past: dict[str, Any] = {**RESTS, "paused_until": NOW - 40 * SECOND}
    finding = found(K.PAUSED_TOO_LONG, make_watched(**past))
    assert finding is not None
    assert (finding.since, finding.severity) == (NOW - 40 * SECOND, Severity.WARNING)
    assert "40 s ago, and no daemon has resumed it" in finding.summary
    assert finding.evidence.command == "celsched doctor", "`resume` would give up the fire times since then"

    for later in (NOW - 30 * SECOND, NOW + HOUR):
        assert found(K.PAUSED_TOO_LONG, make_watched(**{**past, "paused_until": later})) is None
    assert found(K.PAUSED_TOO_LONG, make_watched(**past, enabled=False)) is None
    assert found(K.PAUSED_TOO_LONG, make_watched(**past, error="broken")) is None, "it speaks for itself"
    patient = {K.PAUSED_TOO_LONG: Tuning(parameters={"tolerance": MINUTE})}
    assert found(K.PAUSED_TOO_LONG, make_watched(**past, tunings=patient)) is None


def test_bad_definition_until_it_can_be_computed() -> None:
    finding = found(K.BAD_DEFINITION, make_watched(error="no zone Asia/Tehrn", timezone="Asia/Tehrn"))
    assert finding is not None
    assert "no zone Asia/Tehrn" in finding.summary


@pytest.mark.parametrize(
    ("rule", "zone", "now", "says"),
    [
        ("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 25, tzinfo=UTC), "moved from 02:30 (gap)"),
        ("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 20, tzinfo=UTC), "first of two 02:30; it runs once"),
        ("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 20, tzinfo=UTC), None),
        ("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 29, 2, tzinfo=UTC), None),
        ("30 4 * * *", "Europe/Berlin", datetime(2026, 3, 25, tzinfo=UTC), None),
        ("*/5 * * * *", "Europe/Berlin", datetime(2026, 3, 25, tzinfo=UTC), None),
        ("30 2 * * *", "Asia/Tehran", datetime(2026, 3, 20, tzinfo=UTC), None),
    ],
)
def test_dst_ahead_where_a_clock_change_touches_a_fire_time(rule: str, zone: str, now: datetime, says: str) -> None:
    watched = make_watched(rule=rule, timezone=zone, next_fire_time=now + HOUR, last_success_at=now, created_at=now)
    finding = found(K.DST_AHEAD, watched, now=now)
    assert (finding is not None) == (says is not None)
    if finding is not None:
        assert says in finding.summary
        assert finding.severity is Severity.INFO


def test_ending_soon_by_time_or_by_runs() -> None:
    assert found(K.ENDING_SOON, make_watched(end_at=NOW + 6 * DAY)) is not None
    assert found(K.ENDING_SOON, make_watched(end_at=NOW + 8 * DAY)) is None
    assert found(K.ENDING_SOON, make_watched(max_runs=503)) is not None
    assert found(K.ENDING_SOON, make_watched(max_runs=504)) is None
    assert found(K.ENDING_SOON, make_watched(max_runs=2, runs=1)) is None, "it was to run only so often"
    assert found(K.ENDING_SOON, make_watched(max_runs=500, next_fire_time=None)) is None, "it has ended"


def test_rules_switch_off_hold_and_set_the_severity_for_one_schedule_alone() -> None:
    late = {"next_fire_time": NOW - HOUR}
    assert found(K.OVERDUE, make_watched(tunings={K.OVERDUE: Tuning(enabled=False)}, **late)) is None
    tuned = found(K.OVERDUE, make_watched(tunings={K.OVERDUE: Tuning(severity=Severity.INFO, hold=MINUTE)}, **late))
    assert tuned is not None
    assert (tuned.severity, tuned.hold) == (Severity.INFO, MINUTE)
    other = replace(make_watched(id=2, **late), name="other")
    assert found(K.OVERDUE, make_watched(tunings={K.OVERDUE: Tuning(enabled=False)}, **late), other) is not None


def test_since_stays_as_the_alert_has_it() -> None:
    opened = found(K.BAD_DEFINITION, make_watched(error="x"), now=NOW - HOUR)
    assert opened is not None
    again = found(K.BAD_DEFINITION, make_watched(error="x"), living=[opened])
    assert again is not None
    assert again.since == opened.since == NOW - HOUR
    assert make_look().since(K.BAD_DEFINITION, "schedule:1") == NOW
