"""Clock changes both ways in four zones while no daemon runs: what is caught up afterwards, by two other calculators.

It never asks our own rules what is right.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from celsched.domain.execution import Execution, State
from celsched.domain.policy import Misfire, Overlap
from celsched.store.store import Store
from tests.support.actors import all_executions, scan
from tests.support.clock import ManualClock
from tests.support.factories import make_schedule, make_task, scope_of, store_definitions
from tests.support.stores import clock_of, copy_sqlite, make_sqlite_template, store_at
from tests.unit.timing import judge

DOWN = timedelta(hours=30)
"""How long the daemon is down before the change and after it."""
CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    # The last ones, and the day on which there was none any more.
    "Asia/Tehran": ("2022-03-21T20:30", "2022-09-21T19:30", "2023-03-21T20:30"),
}
RULES = (
    "30 2 * * *",
    "0 3 * * *",
    "30 1 * * *",
    "15 0 * * *",
    "15 2 * * 0",
    "0,30 1-3 * * *",
    "*/20 0-3 * * *",
    "*/15 2 * * *",
    "0 */2 * * *",
    "5 * * * *",
)
_WHOLE_HOURS = ("Europe/Berlin", "America/New_York")
"""Where cronsim is right about rules that follow real time, too: whole hours, and not at midnight."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[Store]:
    with store_at(
        copy_sqlite(template, tmp_path / "store.db"), ManualClock(datetime(2020, 1, 1, tzinfo=UTC))
    ) as opened:
        yield opened


@pytest.mark.parametrize(("zone", "change"), [(zone, one) for zone, many in CHANGES.items() for one in many])
def test_a_daemon_that_was_down_over_a_clock_change(store: Store, zone: str, change: str) -> None:
    at = judge.utc(f"{change}Z")
    before, after = at - DOWN, at + DOWN
    clock_of(store).set(before)
    schedules = [
        make_schedule(
            f"{rule} {misfire}",
            cron=rule,
            timezone=zone,
            misfire=misfire,
            overlap=Overlap.ALLOW,
            catch_up_window=timedelta(days=7),
        )
        for rule in RULES
        for misfire in Misfire
    ]
    store_definitions(scope_of(store), make_task(), *schedules)
    clock_of(store).set(after)

    while scan(store).full:
        pass

    rows = all_executions(store)
    for rule in RULES:
        due = judge.fire_times(rule, zone, before, after)
        if zone in _WHOLE_HOURS:
            assert due == _by_cronsim(rule, zone, before, after), rule
        assert due or rule.endswith("0")
        young = [one for one in due if one > after - timedelta(seconds=60)]
        _all_ran([row for row in rows if row.schedule == f"{rule} run_all"], due)
        _newest_ran([row for row in rows if row.schedule == f"{rule} run_latest"], due)
        _none_ran([row for row in rows if row.schedule == f"{rule} skip"], due, young)
    assert scan(store).schedules == 0


def _by_cronsim(rule: str, zone: str, before: datetime, after: datetime) -> list[datetime]:
    found: list[datetime] = []
    for one in CronSim(rule, before.astimezone(ZoneInfo(zone))):
        if one.astimezone(UTC) > after:
            return found
        found.append(one.astimezone(UTC))
    raise AssertionError("cronsim never ends")


def _all_ran(rows: list[Execution], due: list[datetime]) -> None:
    assert len(due) <= 100, "no more than are caught up"
    assert [row.fire_time for row in rows] == due
    assert all(row.state is State.PENDING for row in rows)


def _newest_ran(rows: list[Execution], due: list[datetime]) -> None:
    ran = [row.fire_time for row in rows if row.state is State.PENDING]
    assert ran == due[-1:]
    _are_skipped([row for row in rows if row.state is State.SKIPPED], due[:-1])


def _none_ran(rows: list[Execution], due: list[datetime], young: list[datetime]) -> None:
    assert [row.fire_time for row in rows if row.state is State.PENDING] == young
    _are_skipped([row for row in rows if row.state is State.SKIPPED], due[: len(due) - len(young)])


def _are_skipped(rows: list[Execution], due: list[datetime]) -> None:
    """One row, counted by arithmetic, stands for all of them."""
    told = [(row.fire_time, row.until or row.fire_time, row.count) for row in rows]
    assert told == ([(due[0], due[-1], len(due))] if due else [])
