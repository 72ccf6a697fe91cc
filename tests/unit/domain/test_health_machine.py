"""Daemons, watchers, clocks, services, channels and flapping: what opens an alert, what keeps it, what ends it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from celsched.domain.health.finding import Finding
from celsched.domain.health.flapping import flapping
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.machine import (
    broker_down,
    channel_failing,
    clock_jump,
    daemon_down,
    watch_down,
)
from celsched.domain.health.machine_facts import Answer, ChannelHealth, ClockReading, MachineFacts, Openings, Seen
from tests.unit.domain.looks import HEARTBEAT, NAME, NOW, left, look, nothing, only, tuned, watched

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ALIVE, DEAD = 3 * HEARTBEAT, 3 * HEARTBEAT + SECOND
HERE = "ماشین"


def _seen(kind: str, silent: timedelta, host: str = HERE) -> Seen:
    return Seen(f"{kind}-{host}-{silent}", kind, host, kind, NOW - silent, silent)


def _machine(living: Any = None, **facts: Any) -> Any:
    return look(machine=MachineFacts(**{"host": HERE, **facts}), living=living or {})


def _daemons(*silences: timedelta, **facts: Any) -> Any:
    return _machine(active_schedules=3, daemons=[_seen("daemon", one) for one in silences], **facts)


# daemon_down


def test_daemon_down_when_none_has_been_heard_of_for_three_heartbeats() -> None:
    found = only(daemon_down, _daemons(DEAD, HOUR))

    assert (found.fingerprint, found.severity, found.since) == ("daemon_down:all", Severity.CRITICAL, NOW - DEAD)
    assert "3 active schedules wait" in found.summary
    assert nothing(daemon_down, _daemons(ALIVE, HOUR, living=left(found)))


def test_daemon_down_when_all_were_stopped_or_none_ever_ran() -> None:
    stopped = only(daemon_down, _daemons(daemon_stopped_at=NOW - HOUR))

    assert (stopped.since, "stopped 60 min ago" in stopped.summary) == (NOW - HOUR, True)
    assert "ever run" in only(daemon_down, _daemons()).summary


def test_a_daemon_that_was_just_stopped_may_be_started_again() -> None:
    assert nothing(daemon_down, _daemons(daemon_stopped_at=NOW - ALIVE))
    assert only(daemon_down, _daemons(daemon_stopped_at=NOW - DEAD)).since == NOW - DEAD
    assert not nothing(daemon_down, _daemons(daemon_stopped_at=NOW + HOUR)), "the clock was set back"


def test_a_daemon_that_died_long_ago_is_not_the_last_one_where_another_was_stopped_since() -> None:
    found = only(daemon_down, _daemons(100 * HOUR, daemon_stopped_at=NOW - HOUR))
    assert (found.since, "stopped 60 min ago" in found.summary) == (NOW - HOUR, True)
    assert only(daemon_down, _daemons(HOUR, daemon_stopped_at=NOW - 100 * HOUR)).since == NOW - HOUR


def test_without_active_schedules_nobody_misses_a_daemon() -> None:
    assert nothing(daemon_down, _machine(daemons=[_seen("daemon", HOUR)]))


# watch_down


def test_watch_down_when_the_last_watcher_died() -> None:
    found = only(watch_down, _machine(watchers=[_seen("watcher", DEAD), _seen("watcher", HOUR, "other")]))

    assert (found.fingerprint, found.severity, found.since) == ("watch_down:all", Severity.CRITICAL, NOW - DEAD)
    assert f'"{HERE}"' in found.summary


def test_a_watcher_that_died_long_ago_is_not_missed_again_when_its_successor_is_stopped() -> None:
    watchers = [_seen("watcher", 100 * HOUR)]
    assert nothing(watch_down, _machine(watchers=watchers, watcher_stopped_at=NOW - HOUR))
    assert not nothing(watch_down, _machine(watchers=watchers, watcher_stopped_at=NOW - 101 * HOUR))


def test_a_watcher_reports_at_its_looks_however_short_the_heartbeat_is() -> None:
    quick = replace(_machine(watchers=[_seen("watcher", 29 * SECOND)]), heartbeat=SECOND / 4)

    assert nothing(watch_down, quick)
    slow = replace(_machine(watchers=[_seen("watcher", 2 * MINUTE)]), heartbeat=MINUTE)
    assert nothing(watch_down, slow)


def test_one_living_watcher_is_enough_and_none_is_no_alert() -> None:
    assert nothing(watch_down, _machine(watchers=[_seen("watcher", ALIVE), _seen("watcher", HOUR)]))
    assert nothing(watch_down, _machine())


# clock_jump


def _clock(moved: timedelta = timedelta(0), ahead: timedelta | None = None, **more: Any) -> Any:
    return _machine(clock=ClockReading(moved, ahead), **more)


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ({"moved": HOUR}, "moved forward by 60 min"),
        ({"moved": -3 * SECOND}, "moved back by 3 s"),
        ({"ahead": 3 * SECOND}, "is 3 s ahead of the store's"),
        ({"ahead": -3 * SECOND}, "is 3 s behind the store's"),
    ],
)
def test_a_clock_that_steps_or_differs_is_told(reading: dict[str, timedelta], words: str) -> None:
    found = only(clock_jump, _clock(**reading))

    assert (found.fingerprint, found.severity) == (f"clock_jump:host:{HERE}", Severity.CRITICAL)
    assert found.event_at == NOW
    assert words in found.summary


def test_a_clock_within_two_seconds_is_fine() -> None:
    assert nothing(clock_jump, _clock(2 * SECOND, -2 * SECOND))
    assert nothing(clock_jump, _machine())


def test_a_clock_must_be_steady_for_five_minutes() -> None:
    opened = left(only(clock_jump, _clock(HOUR)))

    def later(age: timedelta, seen: Any) -> bool:
        return not nothing(clock_jump, replace(seen, now=NOW + age, living=opened))

    assert later(5 * MINUTE - SECOND, _clock())
    assert not later(5 * MINUTE, _clock())
    assert not later(-5 * MINUTE, _clock()), "an alert ahead of a clock that was put back would stay for ever"
    again = only(clock_jump, replace(_clock(HOUR), now=NOW + MINUTE, living=opened))
    assert (again.event_at, again.since) == (NOW + MINUTE, NOW)


def test_a_watcher_keeps_what_one_elsewhere_found_of_its_clock() -> None:
    opened = left(replace(only(clock_jump, _clock(HOUR)), scope="host:other"))

    assert [one.scope for one in clock_jump(_clock(living=opened))] == ["host:other"]
    both = {one.scope for one in clock_jump(_clock(HOUR, living=opened))}
    assert both == {"host:other", f"host:{HERE}"}


# broker_down


def _broker(error: str | None, lasts: timedelta, **more: Any) -> Any:
    return _machine(broker=Answer(error, lasts), **more)


def test_broker_down_is_told_with_its_error() -> None:
    found = only(broker_down, _broker("the broker refuses", 20 * SECOND))

    assert (found.fingerprint, found.severity) == (f"broker_down:host:{HERE}", Severity.CRITICAL)
    assert (found.since, found.evidence.error) == (NOW - 20 * SECOND, "the broker refuses")
    assert nothing(broker_down, _broker(None, HOUR))
    assert nothing(broker_down, _machine())


def test_a_broker_must_have_answered_for_a_while_to_be_back() -> None:
    down = only(broker_down, _broker("away", 20 * SECOND))

    assert not nothing(broker_down, _broker(None, 14 * SECOND, living=left(down)))
    assert nothing(broker_down, _broker(None, 15 * SECOND, living=left(down)))
    # It never opened, so a single good answer is enough.
    assert nothing(broker_down, _broker(None, SECOND, living=left(down, opened=False)))


def test_a_broker_that_another_watcher_cannot_reach_is_left_to_that_watcher() -> None:
    opened = left(replace(only(broker_down, _broker("away", 20 * SECOND)), scope="host:other"))

    def found(silent: timedelta) -> list[Finding]:
        return list(broker_down(_broker(None, HOUR, living=opened, watchers=[_seen("watcher", silent, "other")])))

    assert [one.scope for one in found(ALIVE)] == ["host:other"]
    assert found(DEAD) == []


def test_who_cannot_say_anything_of_the_broker_leaves_it_to_who_can() -> None:
    opened = left(only(broker_down, _broker("away", 20 * SECOND)))

    assert not nothing(broker_down, _machine(living=opened, watchers=[_seen("watcher", ALIVE)]))
    assert nothing(broker_down, _machine(living=opened))


# flapping


def _opened(*minutes_ago: int, **more: Any) -> Any:
    at = sorted(NOW - number * MINUTE for number in minutes_ago)
    return _machine(openings=[Openings("late_start:schedule:1", NAME, at, 1, "default")], **more)


def test_more_than_five_openings_within_an_hour_is_flapping() -> None:
    assert nothing(flapping, _opened(1, 2, 3, 4, 5))
    assert nothing(flapping, _opened(1, 2, 3, 4, 5, 60))

    found = only(flapping, _opened(1, 2, 3, 4, 5, 59))

    assert (found.fingerprint, found.severity) == ("flapping:late_start:schedule:1", Severity.WARNING)
    assert (found.schedule_id, found.queue, found.evidence.count) == (1, "default", 6)
    assert f'late_start of "{NAME}"' in found.summary


def test_flapping_lasts_until_an_hour_without_an_opening() -> None:
    opened = left(only(flapping, _opened(1, 2, 3, 4, 5, 6)))

    assert not nothing(flapping, _opened(59, living=opened))
    assert nothing(flapping, _opened(60, living=opened))


def test_a_schedule_has_rules_of_its_own_for_flapping() -> None:
    own = watched(1, own=tuned(AlertKind.FLAPPING, opens=1))
    facts = _opened(1, 2).machine

    assert not nothing(flapping, look(schedules=[own], machine=facts))


def _failed(number: int = 1) -> Any:
    scope = f"schedule:{number}"
    return left(Finding(AlertKind.FAILED, scope, Severity.WARNING, NAME, "it failed", NOW, number))


@pytest.mark.parametrize(
    ("recent", "flaps"),
    [
        ("s" * 14 + "fsfsfs", True),
        ("s" * 13 + "fsfsfs", False),
        ("s" * 13 + "fsfsffs", True),
        ("s" * 15 + "fsfsf", False),
        ("fffffffffffffftlxfff", False),
        ("s" * 10 + "fofosofosf", False),
        ("s" * 9 + "fosofosofos", True),
    ],
)
def test_an_alert_of_runs_that_turn_again_and_again_is_flapping(recent: str, flaps: bool) -> None:
    found = list(flapping(look(schedules=[watched(1, recent=recent)], living=_failed())))

    assert [one.fingerprint for one in found] == (["flapping:failed:schedule:1"] if flaps else [])
    assert all((one.schedule_id, one.severity) == (1, Severity.WARNING) for one in found)


def test_runs_that_turn_are_flapping_only_where_an_alert_follows_them_and_until_they_are_steadier() -> None:
    def seen(recent: str, living: Any, **own: Any) -> list[Finding]:
        return list(flapping(look(schedules=[watched(1, recent=recent, **own)], living=living)))

    restless, calmer, steady = "s" * 14 + "fsfsfs", "fsfs" + "s" * 15 + "f", "fsfs" + "s" * 16
    assert seen(restless, {}) == []
    assert seen(restless, _failed(2)) == []
    (found,) = seen(restless, _failed())
    assert seen(calmer, _failed()) == []
    assert [one.fingerprint for one in seen(calmer, left(found))] == [found.fingerprint]
    assert seen(steady, left(found)) == []
    assert seen(restless, _failed(), own=tuned(AlertKind.FLAPPING, share=0.5)) == []


def test_flapping_by_both_measures_is_told_once() -> None:
    at = [NOW - number * MINUTE for number in range(6, 0, -1)]
    openings = [Openings("failed:schedule:1", NAME, at, 1, "default")]
    seen = look(schedules=[watched(1, recent="fs" * 10)], machine=MachineFacts(openings=openings), living=_failed())

    assert only(flapping, seen).evidence.count == 6


# channel_failing


def _channel(failures: int, **more: Any) -> Any:
    return _machine(channels=[ChannelHealth("تلگرام", failures, "connection refused", NOW - HOUR)], **more)


def test_a_channel_fails_from_the_third_failure_until_a_send_works() -> None:
    assert nothing(channel_failing, _channel(2))

    found = only(channel_failing, _channel(3))

    assert (found.fingerprint, found.severity) == ("channel_failing:channel:تلگرام", Severity.CRITICAL)
    assert (found.since, found.evidence.error) == (NOW - HOUR, "connection refused")
    assert not nothing(channel_failing, _channel(1, living=left(found)))
    assert nothing(channel_failing, _channel(0, living=left(found)))


def test_without_facts_nothing_is_judged() -> None:
    for judge in (daemon_down, watch_down, clock_jump, broker_down, flapping, channel_failing):
        assert nothing(judge, look(schedules=[watched(1)]))


def test_what_flaps_and_is_critical_is_told_as_such_and_since_it_began() -> None:
    down = only(daemon_down, _daemons(HOUR))
    facts = MachineFacts(
        host=HERE, openings=[Openings("daemon_down:all", "daemon", [NOW - n * MINUTE for n in range(6)])]
    )
    first = only(flapping, look(machine=facts, living=left(down)))
    assert first.severity is Severity.CRITICAL

    later = MachineFacts(host=HERE, openings=[Openings("daemon_down:all", "daemon", [NOW])])
    assert (only(flapping, look(machine=later, living=left(first)))).severity is Severity.CRITICAL, "it just resolved"
    assert only(flapping, look(machine=later, living=left(first))).since == first.since


def test_failures_in_a_row_are_not_hidden_by_runs_that_turned_before() -> None:
    streak = Finding(AlertKind.CONSECUTIVE_FAILURES, "schedule:1", Severity.CRITICAL, NAME, "x", NOW, 1)
    assert nothing(flapping, look(schedules=[watched(1, recent="s" * 11 + "sfsfsf" + "fff")], living=left(streak)))
