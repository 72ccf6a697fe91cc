"""Owns the judgement of machines of which one is cut off for a while: the others go on, nothing is missing or doubled.

It never cuts anything, and believes what bodies wrote down on each machine rather than states.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celsched.domain.execution import TERMINAL, Execution, State
from tests.scenarios.fire_times import PATIENCE, covered, rows_of
from tests.scenarios.machines import Fleet
from tests.support.waiting import wait_until


def goes_on(fleet: Fleet, schedule: str) -> None:
    """Wait until fire times from now on are recorded and run."""
    desk = fleet["desk"]
    now = desk.store.clock.now()

    def there() -> bool:
        rows = [row for row in rows_of(desk, schedule) if row.due_at > now]
        return sum(row.state is State.SUCCEEDED for row in rows) >= 2

    wait_until(there, timeout=PATIENCE, every=0.1, message="two fire times from now on ran")


def begun_on(fleet: Fleet, name: str, count: int = 1) -> list[Any]:
    """Wait until so many bodies of this name have begun; return their notes."""

    def there() -> list[Any]:
        found = [note for note in fleet.notes(name) if note["event"] == "begin"]
        return found if len(found) >= count else []

    return wait_until(there, timeout=PATIENCE, message=f"{count} times begin of {name}")


def each_fire_time_once(
    fleet: Fleet, schedule: str, name: str, may_be_lost: Callable[[Execution], bool], *, at_most: int = 4
) -> None:
    """Delete a schedule of each second, and check that one row accounts for each fire time and no body began twice.

    `name` is what its bodies note. Only what ran, or was claimed, where the cable was pulled may be lost.
    """
    desk = fleet["desk"]
    desk.done("delete", "schedule", schedule, "--yes")
    first = rows_of(desk, schedule)[0].schedule_id
    rows = wait_until(
        lambda: _ended([row for row in rows_of(desk, schedule) if row.schedule_id == first]),
        timeout=PATIENCE,
        every=0.1,
        message="whatever was recorded has ended",
    )
    times = covered(rows)
    assert times == [times[0] + timedelta(seconds=number) for number in range(len(times))], "I1"
    begun = Counter(note["execution"] for note in fleet.notes(name) if note["event"] == "begin")
    ended = Counter(note["execution"] for note in fleet.notes(name) if note["event"] == "end")
    assert set(begun.values()) == {1}, "I2"
    for row in rows:
        if row.state is State.SUCCEEDED:
            assert ended[row.id] == 1
        elif row.state is State.LOST:
            assert may_be_lost(row), "only where the cable was pulled"
        else:
            assert row.id not in begun
            assert row.state in {State.CANCELLED, State.SKIPPED}, row
    assert sum(row.state is State.LOST for row in rows) <= at_most, "no more than it had children"


def _ended(rows: list[Execution]) -> list[Execution]:
    return rows if all(row.state in TERMINAL for row in rows) else []
