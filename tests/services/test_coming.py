"""The fire times to come: order, jitter, clock changes, and what schedules without any say."""

from datetime import UTC, datetime, timedelta

import pytest

from celsched.errors import NotFound
from celsched.operations import control
from celsched.operations.coming import coming
from celsched.operations.scope import Scope
from celsched.operations.standing import Status
from celsched.store.store import Store
from tests.support.actors import execution, scan
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule
from tests.support.stores import START

HOUR = timedelta(hours=1)


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_all_schedules_are_merged_in_order(scope: Scope) -> None:
    add_schedule(scope, "ساعتی", cron="0 * * * *")
    add_schedule(scope, "half", cron="30 */2 * * *")

    found = coming(scope, limit=4)

    assert [(one.schedule, one.fire_time) for one in found.rows] == [
        ("half", at(12, 30)),
        ("ساعتی", at(13)),
        ("ساعتی", at(14)),
        ("half", at(14, 30)),
    ]
    assert found.remarks == []


def test_jitter_moves_the_start_and_not_the_fire_time(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, jitter=timedelta(minutes=10))
    (row,) = coming(scope, "schedule", limit=1).rows
    assert row.fire_time == at(13)
    assert at(13) <= row.starts_at < at(13, 10)
    # It is what the daemon does.
    clock.advance(HOUR)
    scan(store)
    assert execution(store, 1).due_at == row.starts_at


def test_a_clock_change_is_noted(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope, cron="30 2 * * *", timezone="Europe/Berlin")
    rows = coming(scope, "schedule", limit=2, since=datetime(2026, 3, 28, 12, tzinfo=UTC)).rows
    assert rows[0].note is not None
    assert "02:30" in rows[0].note
    assert rows[0].fire_time == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert rows[1].note is None


def test_start_end_and_max_runs_bound_the_list(scope: Scope) -> None:
    add_schedule(scope, "ends", end_at=at(15), start_at=at(14))
    assert [one.fire_time for one in coming(scope, "ends").rows] == [at(14), at(15)]
    add_schedule(scope, "thrice", max_runs=3)
    assert [one.fire_time for one in coming(scope, "thrice").rows] == [at(13), at(14), at(15)]
    assert [one.fire_time for one in coming(scope, "thrice", since=at(15)).rows] == [at(15)]


def test_a_pause_hides_fire_times_until_its_end(scope: Scope) -> None:
    add_schedule(scope)
    control.pause(scope, ["schedule"], until=START + timedelta(hours=3))
    found = coming(scope, "schedule", limit=1)
    assert [one.fire_time for one in found.rows] == [at(16)]
    assert found.remarks[0].status is Status.PAUSED


@pytest.mark.parametrize(
    ("options", "status"), [({"enabled": False}, Status.DISABLED), ({"at": at(12, 10)}, Status.ENDED)]
)
def test_schedules_without_fire_times_say_why(
    scope: Scope, store: Store, clock: ManualClock, options: dict[str, object], status: Status
) -> None:
    add_schedule(scope, **options)  # type: ignore[arg-type]
    clock.advance(HOUR)
    scan(store)
    found = coming(scope, "schedule")
    assert found.rows == []
    assert [one.status for one in found.remarks] == [status]


def test_what_no_daemon_decides_is_said(scope: Scope, clock: ManualClock) -> None:
    add_schedule(scope)
    clock.advance(3 * HOUR)
    found = coming(scope, "schedule", limit=1)
    assert [one.fire_time for one in found.rows] == [at(16)]
    assert found.remarks[0].undecided
    assert found.remarks[0].text.startswith("3 fire times since 2026-03-01 13:00 UTC due and not decided")


def test_an_unknown_name_gets_a_suggestion(scope: Scope) -> None:
    add_schedule(scope, "nightly")
    with pytest.raises(NotFound) as error:
        coming(scope, "nighly")
    assert error.value.hint == "did you mean `nightly`?"
