"""A day of a store under a clock turned by hand, with faults at known times: exactly the expected messages, no other.

There are no processes: the daemon's and the watcher's own parts take turns, a minute apart, and what they send is kept.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.domain.execution import State
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.wishes import decode_wishes
from celsched.domain.silencing import Matchers
from celsched.operations import alerts as desk
from celsched.operations import control
from celsched.store.store import Store
from tests.services.day import MIDNIGHT, MINUTE, Crew, Day, between, clock_time
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task
from tests.support.stores import copy_sqlite, store_at

NO_TIME = timedelta(0)
BUSY = (
    *(("0:00", "0:10"), ("2:00", "2:30"), ("10:30", "10:50"), ("14:00", "14:10")),
    *(("16:00", "16:20"), ("16:40", "16:50"), ("20:00", "20:50")),
)
"""When everybody takes turns a minute apart; else every ten minutes are enough, as all fire times are at full ones."""
FRESH, REPORT, LONELY, LONG, DEADLINE = "تازه", "گزارش شبانه", "بی‌کارگر", "طولانی", "مهلت‌دار"
FRAGILE, QUIET, RESTLESS, ABROAD = "شکننده", "ساکت", "ناآرام", "نیویورک"


def body(schedule: str, at: datetime) -> tuple[timedelta, State]:
    """Return how long the execution for a fire time runs, and how it ends."""
    if schedule == LONG and at == clock_time("14:00"):
        return 40 * MINUTE, State.SUCCEEDED
    if schedule == QUIET and at == clock_time("18:10"):
        return NO_TIME, State.TIMED_OUT
    fails = (
        (schedule == REPORT and between(at, "4:00", "8:00"))
        or (schedule == FRAGILE and between(at, "12:00", "13:00"))
        or (schedule == RESTLESS and at.minute % 8 == 0)
    )
    return NO_TIME, State.FAILED if fails else State.SUCCEEDED


def _schedules(day: Day) -> None:
    add_task(day.scope, "work", max_retries=0)
    kinds: Mapping[str, Mapping[str, Any]] = {
        FRESH: {"every": 10 * MINUTE},
        REPORT: {"cron": "20 * * * *", "timezone": "UTC"},
        LONELY: {"every": 30 * MINUTE, "queue_name": "reports"},
        LONG: {"cron": "0 * * * *"},
        DEADLINE: {"cron": "30 * * * *", "queue_name": "mail", "start_deadline": 10 * MINUTE},
        FRAGILE: {"every": 30 * MINUTE, "pause_after_failures": 2},
        QUIET: {"cron": "10 * * * *"},
        RESTLESS: {
            "cron": "0-40/4 20 * * *",
            "alerts": decode_wishes("alerts", {"failed": True, "failure_rate": False}),
        },
        ABROAD: {"cron": "30 2 * * *", "timezone": "America/New_York"},
    }
    for name, values in kinds.items():
        add_schedule(day.scope, name, task="work", **values)


def _live(day: Day) -> None:
    """Let the day pass, with its faults."""
    default, mail, reports = (Crew(day.store, f"w-{queue}", queue, body) for queue in ("default", "mail", "reports"))
    default.come()
    mail.come()
    while (now := _next(day)) < clock_time("24:00"):
        if not between(now, "2:00", "2:20"):
            day.daemon()
        _people(day, now)
        day.pager_works = not between(now, "16:00", "16:40")
        default.turn()
        if now == clock_time("16:04"):
            mail.leave()
        if now == clock_time("17:00"):
            mail.come()
        if not between(now, "16:04", "17:00"):
            mail.turn(takes=not between(now, "10:25", "11:00"))
        if now == clock_time("22:00"):
            reports.come()
        if now >= clock_time("22:00"):
            reports.turn()
        day.watch()


def _next(day: Day) -> datetime:
    """Let time go by up to the next turn, and return when that is."""
    busy = any(between(day.clock.now(), *one) for one in BUSY)
    day.clock.advance(MINUTE if busy else 10 * MINUTE)
    return day.clock.now()


def _people(day: Day, now: datetime) -> None:
    """What people do at that minute."""
    if now == clock_time("5:00"):
        desk.acknowledge(day.scope, [day.alert(AlertKind.NO_WORKER, "reports")], "می‌دانم")
    if now == clock_time("13:10"):
        control.resume(day.scope, [FRAGILE])
    if now == clock_time("18:00"):
        desk.silence(day.scope, Matchers(subject=QUIET), clock_time("18:40"), "تعمیر")


@pytest.fixture
def store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A fresh store at midnight."""
    with store_at(copy_sqlite(sqlite_template, tmp_path / "store.db"), ManualClock(MIDNIGHT)) as opened:
        yield opened


MAIL = [
    ("00:03", "[critical] no_worker", "reports"),
    ("02:03", "[critical] daemon_down", "daemon"),
    ("02:20", "[resolved] daemon_down", "daemon"),
    ("04:10", "[critical] still no_worker", "reports"),
    ("04:30", "[warning] failure_rate", REPORT),
    ("06:30", "[critical] consecutive_failures", REPORT),
    ("07:10", "[info] dst_ahead", ABROAD),
    ("07:20", "[critical] worse: failure_rate", REPORT),
    ("07:30", "[critical] no_recent_success", REPORT),
    ("08:20", "[resolved] consecutive_failures", REPORT),
    ("08:20", "[resolved] no_recent_success", REPORT),
    ("10:33", "[warning] queued_too_long", DEADLINE),
    ("10:37", "[warning] late_start", DEADLINE),
    ("10:40", "[resolved] queued_too_long", DEADLINE),
    ("10:41", "[critical] expired_in_queue", DEADLINE),
    ("10:42", "[resolved] late_start", DEADLINE),
    ("11:30", "[resolved] expired_in_queue", DEADLINE),
    ("12:40", "[critical] auto_paused", FRAGILE),
    ("13:10", "[resolved] auto_paused", FRAGILE),
    ("14:07", "[warning] too_long", LONG),
    ("14:40", "[resolved] too_long", LONG),
    ("16:06", "[critical] no_worker", "mail"),
    ("16:10", "[critical] channel_failing", "pager"),
    ("16:41", "[resolved] channel_failing", "pager"),
    ("17:00", "[critical] expired_in_queue", DEADLINE),
    ("17:00", "[resolved] no_worker", "mail"),
    ("17:30", "[resolved] expired_in_queue", DEADLINE),
    ("18:40", "[critical] timeout", QUIET),
    ("19:10", "[resolved] timeout", QUIET),
    ("20:01", "[warning] failed", RESTLESS),
    ("20:06", "[resolved] failed", RESTLESS),
    ("20:09", "[warning] failed", RESTLESS),
    ("20:14", "[resolved] failed", RESTLESS),
    ("20:17", "[warning] failed", RESTLESS),
    ("20:22", "[resolved] failed", RESTLESS),
    ("20:25", "[warning] failed", RESTLESS),
    ("20:30", "[resolved] failed", RESTLESS),
    ("20:33", "[warning] failed", RESTLESS),
    ("20:38", "[resolved] failed", RESTLESS),
    ("20:42", "[warning] flapping", RESTLESS),
    ("21:40", "[warning] failed", RESTLESS),
    ("21:40", "[resolved] flapping", RESTLESS),
    ("22:00", "[resolved] no_worker", "reports"),
    ("22:00", "[warning] overlap_skips", LONELY),
]
"""All that the channel for everything is told: when, what, about what."""
PAGER = [
    ("00:03", "[critical] no_worker", "reports"),
    ("02:03", "[critical] daemon_down", "daemon"),
    ("02:20", "[resolved] daemon_down", "daemon"),
    ("04:10", "[critical] still no_worker", "reports"),
    ("06:30", "[critical] consecutive_failures", REPORT),
    ("07:20", "[critical] failure_rate", REPORT),
    ("07:30", "[critical] no_recent_success", REPORT),
    ("08:20", "[resolved] consecutive_failures", REPORT),
    ("08:20", "[resolved] no_recent_success", REPORT),
    ("10:41", "[critical] expired_in_queue", DEADLINE),
    ("11:30", "[resolved] expired_in_queue", DEADLINE),
    ("12:40", "[critical] auto_paused", FRAGILE),
    ("13:10", "[resolved] auto_paused", FRAGILE),
    ("16:40", "[critical] no_worker", "mail"),
    ("17:00", "[critical] expired_in_queue", DEADLINE),
    ("17:00", "[resolved] no_worker", "mail"),
    ("17:30", "[resolved] expired_in_queue", DEADLINE),
    ("18:40", "[critical] timeout", QUIET),
    ("19:10", "[resolved] timeout", QUIET),
    ("22:00", "[resolved] no_worker", "reports"),
]
"""All that the channel for what is critical is told; it fails from 16:00 to 16:40."""


def test_a_day_tells_exactly_what_happened(store: Store) -> None:
    day = Day(store)
    _schedules(day)
    _live(day)
    assert day.arrived == {"mail": MAIL, "pager": PAGER}


def test_a_restart_tells_of_all_that_was_coalesced_in_one_message_to_who_hears_information(store: Store) -> None:
    day = Day(store)
    add_task(day.scope, "work")
    names = [f"برنامه {number}" for number in range(12)]
    for name in names:
        add_schedule(day.scope, name, task="work", every=10 * MINUTE, start_deadline=5 * MINUTE)
    day.daemon()
    day.clock.advance(65 * MINUTE)
    worker = Crew(store, "w", "default", body)
    worker.come()
    for turn in range(4):
        day.daemon()
        worker.turn(takes=turn == 3)
        day.watch()
        day.clock.advance(MINUTE)
    for _ in range(6):
        day.watch()
        day.clock.advance(MINUTE)

    told = {channel: [one for one in said if "missed" in " ".join(one)] for channel, said in day.arrived.items()}
    assert told == {
        "mail": [
            ("01:06", "", '[info] 12 missed on queue "default'),
            ("01:11", "", '[resolved] 12 missed on queue "default'),
        ],
        "pager": [],
    }
