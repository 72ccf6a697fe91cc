"""Owns the judgement of a schedule of the scenarios: each of its fire times ran once, whatever was broken meanwhile.

It never breaks anything, and believes what the bodies wrote down rather than states.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from celsched.domain.execution import Execution, State
from celsched.store import executions
from celsched.store.executions import Filter
from tests.support.project import Project
from tests.support.waiting import wait_until

PATIENCE = 90.0
"""Seconds that a loaded machine may take for what a quiet one does at once."""


def rows_of(project: Project, schedule: str) -> list[Execution]:
    """Return all executions of a schedule by fire time."""
    found = project.store.read(lambda tx: executions.listing(tx, Filter(schedule=schedule), 100_000))
    return sorted(found, key=_fire_time)


def each_ran_once(
    project: Project, schedule: str, *, name: str, every: timedelta = timedelta(seconds=1), timeout: float = PATIENCE
) -> list[Execution]:
    """Wait until all fire times up to now have succeeded, and check that none is missing or began twice.

    `schedule` lets its executions overlap, and its bodies note `name` and no others do. Returns the rows.
    """
    now = project.store.clock.now()

    def through() -> list[Execution] | None:
        rows = [row for row in rows_of(project, schedule) if _fire_time(row) <= now]
        up_to_date = rows and _fire_time(rows[-1]) > now - 2 * every
        return rows if up_to_date and all(map(_well, rows)) else None

    try:
        rows = wait_until(through, timeout=timeout, every=0.1, message=f"each fire time of {schedule!r} has succeeded")
    except AssertionError as error:
        others = [(row.id, row.state.value, row.reason) for row in rows_of(project, schedule) if not _well(row)]
        raise AssertionError(f"{error}; others: {others}\n{project.said()}") from None
    assert rows is not None
    times = [_fire_time(row) for row in rows]
    assert times == [times[0] + number * every for number in range(len(times))]
    begun = Counter(note["execution"] for note in project.notes(name) if note["event"] == "begin")
    assert begun.keys() >= {row.id for row in rows}
    assert set(begun.values()) == {1}
    return rows


def covered(rows: Iterable[Execution], every: timedelta = timedelta(seconds=1)) -> list[datetime]:
    """Return every fire time of a period that some row accounts for, alone or in a range, as often as rows do."""
    return sorted(_fire_time(row) + number * every for row in rows for number in range(row.count))


def all_live(project: Project) -> None:
    """Check that no process of the project ended or fell over an error."""
    for daemon in project.daemons:
        assert daemon.process.poll() is None, daemon.err[-3000:]
        assert "Traceback" not in daemon.err, daemon.err[-5000:]


def begun(project: Project, name: str) -> list[int]:
    """Return the attempts that began bodies of this name, in order."""
    return [note["attempt"] for note in project.notes(name) if note["event"] == "begin"]


def _well(row: Execution) -> bool:
    return row.state is State.SUCCEEDED


def _fire_time(row: Execution) -> datetime:
    assert row.fire_time is not None
    return row.fire_time
