"""Owns the reports: it asks the store for numbers and composes them into records. It never writes or renders."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from celsched.domain.busy import Slot, busiest
from celsched.domain.execution import Cause, State
from celsched.domain.report import DayCount, Outcomes, Window, before, cut, outcomes, per_day
from celsched.operations import breakdown
from celsched.operations.breakdown import Failing, Names, Skipping, Slow, Subject
from celsched.operations.scope import Scope, not_found
from celsched.store import aggregates, slots
from celsched.store.aggregates import Coming, Name, Usage
from celsched.store.lengths import Lengths, Measured, measure
from celsched.store.slices import Key, Slice
from celsched.store.store import Tx

TOP = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is about. Names may be those of deleted objects; every object that had the name is meant."""

    window: Window
    schedule: str | None = None
    task: str | None = None
    by_task: bool = False
    slots: int = 0
    """So many of the busiest minutes."""


@dataclass(frozen=True, slots=True)
class Live:
    """What has not ended, at this moment. `waiting` are those that wait for another to end; none is counted twice."""

    running: int
    queued: int
    pending: int
    retrying: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What happened in the window, and what is going on now. `causes` counts executions, skips left out.

    `previous`: what happened in the window of the same length before. `due`: schedules whose fire time has come and is
    not decided yet, which `coming` leaves out.
    """

    window: Window
    outcomes: Outcomes
    previous_window: Window
    previous: Outcomes
    causes: Mapping[Cause, int]
    skipped: Mapping[str, int]
    """Fire times per reason."""
    per_day: tuple[DayCount, ...]
    tasks: tuple[tuple[Subject, Outcomes], ...]
    queues: tuple[tuple[str, Outcomes], ...]
    failing: tuple[Failing, ...]
    slowest: tuple[Slow, ...]
    skipping: tuple[Skipping, ...]
    slots: tuple[Slot, ...]
    live: Live
    due: int
    coming: tuple[Coming, ...]


@dataclass(frozen=True, slots=True)
class Performance:
    """One subject's numbers."""

    subject: Subject
    outcomes: Outcomes
    previous: Outcomes
    lengths: Lengths
    usage: Usage
    per_day: tuple[DayCount, ...]


def overview(scope: Scope, wanted: Wanted) -> Overview:
    """Return the numbers of the whole store, or of what is asked for.

    Raises:
        NotFound: no object has, or had, the name.
    """
    return scope.store.read(lambda tx: _overview(_reading(tx), wanted, scope.now()), patience=1.0)


def performance(scope: Scope, wanted: Wanted) -> list[Performance]:
    """Return one record per living schedule (by task: task), and per other subject with numbers, by name.

    Raises:
        NotFound: no object has, or had, the name.
    """
    return scope.store.read(lambda tx: _performance(_reading(tx), wanted), patience=1.0)


def both(scope: Scope, wanted: Wanted) -> tuple[Overview, list[Performance]]:
    """Return both reports, read in one transaction."""
    now = scope.now()
    return scope.store.read(lambda tx: (_overview(_reading(tx), wanted, now), _performance(tx, wanted)), patience=1.0)


def window(since: datetime, until: datetime, zone_key: str) -> Wanted:
    """Return the wish for everything in a window; see `celsched.domain.report.cut`."""
    return Wanted(cut(since, until, zone_key))


def _reading(tx: Tx) -> Tx:
    aggregates.allow_long_reading(tx)
    return tx


def _slice(names: Names, wanted: Wanted) -> Slice:
    return Slice(
        wanted.window,
        _ids("schedule", names.schedules, wanted.schedule),
        _ids("task", names.tasks, wanted.task),
        wanted.by_task,
    )


def _ids(kind: str, known: Mapping[int, Name], name: str | None) -> tuple[int, ...] | None:
    if name is None:
        return None
    found = tuple(number for number, stored in known.items() if stored.name == name)
    if not found:
        raise not_found(kind, name, sorted({stored.name for stored in known.values() if not stored.deleted}))
    return found


def _overview(tx: Tx, wanted: Wanted, now: datetime) -> Overview:
    about = _slice(_names(tx), wanted)
    earlier = replace(about, window=before(wanted.window))
    found = aggregates.groups(tx, about)
    names = _names(tx)  # after the numbers: PostgreSQL shows each statement what was committed by then
    cells = [group.cell for group in found]
    return Overview(
        window=wanted.window,
        outcomes=outcomes(cells),
        previous_window=earlier.window,
        previous=outcomes(cell for of_key in aggregates.totals(tx, earlier).values() for cell in of_key),
        causes=breakdown.causes(found),
        skipped=breakdown.reasons(found),
        per_day=per_day(wanted.window, cells),
        tasks=breakdown.by_task(found, names),
        queues=breakdown.by_queue(found),
        failing=breakdown.failing(found, names)[:TOP],
        slowest=breakdown.slowest(found, names)[:TOP],
        skipping=breakdown.skipping(found, names)[:TOP],
        slots=busiest(slots.minutes(tx, about), wanted.window.zone, wanted.slots) if wanted.slots else (),
        live=_live(aggregates.live_counts(tx, about)),
        due=aggregates.due(tx, about, now),
        coming=tuple(aggregates.coming(tx, about, now, TOP)),
    )


def _names(tx: Tx) -> Names:
    return Names(aggregates.schedule_names(tx), aggregates.task_names(tx))


def _live(counts: Mapping[tuple[State, bool], int]) -> Live:
    def of(state: State) -> int:
        return counts.get((state, False), 0)

    waiting = sum(count for (_, waits), count in counts.items() if waits)
    return Live(of(State.RUNNING), of(State.QUEUED), of(State.PENDING), of(State.RETRYING), waiting)


def _performance(tx: Tx, wanted: Wanted) -> list[Performance]:
    about = _slice(_names(tx), wanted)
    found, used = measure(tx, about), aggregates.usage(tx, about)
    earlier = aggregates.totals(tx, replace(about, window=before(wanted.window)))
    names, records = _names(tx), []  # after the numbers
    for key in {**dict.fromkeys(_living(names, about)), **found}:
        measured = found.get(key, Measured())
        days = per_day(wanted.window, measured.cells)
        spent = used.get(key, Usage())
        sums, past = outcomes(measured.cells), outcomes(earlier.get(key, ()))
        records.append(Performance(names.of(key), sums, past, measured.lengths, spent, days))
    return sorted(records, key=lambda one: (one.subject.name, one.subject.kind, one.subject.deleted))


def _living(names: Names, about: Slice) -> list[Key]:
    """Return the subjects that are listed even without numbers: nothing ran is an answer too."""
    if about.by_task and about.schedule_ids is not None:
        return []
    known, asked = (names.tasks, None) if about.by_task else (names.schedules, about.schedule_ids)
    return [
        Key(None, number) if about.by_task else Key(number, None)
        for number, name in known.items()
        if not name.deleted
        and (asked is None or number in asked)
        and (about.task_ids is None or name.task_id in about.task_ids)
    ]
