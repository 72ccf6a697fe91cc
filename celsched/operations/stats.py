"""Owns the reports: it asks the store for numbers and composes them into records. It never writes or renders."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from celsched.domain.execution import Cause, State
from celsched.domain.report import DayCount, Outcomes, Window, cut, outcomes, per_day
from celsched.operations.scope import Scope, not_found
from celsched.store import aggregates
from celsched.store.aggregates import Coming, Group, Name, Usage
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


@dataclass(frozen=True, slots=True)
class Subject:
    """A schedule, or a task (its runs without a schedule, or all of them where the report is by task)."""

    kind: str
    name: str
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Failing:
    """A subject with failures in the window."""

    subject: Subject
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Slow:
    """A subject by the mean duration of its runs' last attempts."""

    subject: Subject
    runs: int
    mean: timedelta
    max: timedelta


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
    """What happened in the window, and what is going on now. `causes` counts executions, skips left out."""

    window: Window
    outcomes: Outcomes
    causes: Mapping[Cause, int]
    skipped: Mapping[str, int]
    """Fire times per reason."""
    per_day: tuple[DayCount, ...]
    failing: tuple[Failing, ...]
    slowest: tuple[Slow, ...]
    live: Live
    coming: tuple[Coming, ...]


@dataclass(frozen=True, slots=True)
class Performance:
    """One subject's numbers."""

    subject: Subject
    outcomes: Outcomes
    lengths: Lengths
    usage: Usage
    per_day: tuple[DayCount, ...]


def overview(scope: Scope, wanted: Wanted) -> Overview:
    """Return the numbers of the whole store, or of what is asked for.

    Raises:
        NotFound: no object has, or had, the name.
    """
    return scope.store.read(lambda tx: _overview(_reading(tx), wanted), patience=1.0)


def performance(scope: Scope, wanted: Wanted) -> list[Performance]:
    """Return one record per living schedule (by task: task), and per other subject with numbers, by name.

    Raises:
        NotFound: no object has, or had, the name.
    """
    return scope.store.read(lambda tx: _performance(_reading(tx), wanted), patience=1.0)


def both(scope: Scope, wanted: Wanted) -> tuple[Overview, list[Performance]]:
    """Return both reports, read in one transaction."""
    return scope.store.read(lambda tx: (_overview(_reading(tx), wanted), _performance(tx, wanted)), patience=1.0)


def window(since: datetime, until: datetime, zone_key: str) -> Wanted:
    """Return the wish for everything in a window; see `celsched.domain.report.cut`."""
    return Wanted(cut(since, until, zone_key))


def _reading(tx: Tx) -> Tx:
    aggregates.allow_long_reading(tx)
    return tx


@dataclass(frozen=True, slots=True)
class _Names:
    schedules: Mapping[int, Name]
    tasks: Mapping[int, Name]

    def of(self, key: Key) -> Subject:
        if key.schedule_id is not None:
            return _subject("schedule", self.schedules[key.schedule_id])
        return _subject("task", self.tasks[key.task_id or 0])


def _subject(kind: str, name: Name) -> Subject:
    return Subject(kind, name.name, name.deleted)


def _names(tx: Tx) -> _Names:
    return _Names(aggregates.schedule_names(tx), aggregates.task_names(tx))


def _slice(names: _Names, wanted: Wanted) -> Slice:
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


def _overview(tx: Tx, wanted: Wanted) -> Overview:
    names = _names(tx)
    about = _slice(names, wanted)
    found = aggregates.groups(tx, about)
    cells = [group.cell for group in found]
    return Overview(
        wanted.window,
        outcomes(cells),
        _causes(found),
        _reasons(found),
        per_day(wanted.window, cells),
        _failing(found, names),
        _slowest(found, names),
        _live(aggregates.live_counts(tx, about)),
        tuple(aggregates.coming(tx, about, TOP)),
    )


def _causes(found: Iterable[Group]) -> dict[Cause, int]:
    counts = dict.fromkeys(Cause, 0)
    for group in found:
        if group.cell.state is not State.SKIPPED:
            counts[group.cause] += group.cell.executions
    return counts


def _reasons(found: Iterable[Group]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for group in found:
        if group.cell.state is State.SKIPPED:
            counts[group.reason or "unknown"] += group.cell.fire_times
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _by_key(found: Iterable[Group]) -> dict[Key, list[Group]]:
    kept: dict[Key, list[Group]] = defaultdict(list)
    for group in found:
        kept[group.key].append(group)
    return kept


def _failing(found: Iterable[Group], names: _Names) -> tuple[Failing, ...]:
    subjects = [
        Failing(names.of(key), outcomes(group.cell for group in of_key)) for key, of_key in _by_key(found).items()
    ]
    failing = [subject for subject in subjects if subject.outcomes.failures]
    failing.sort(key=lambda one: (-one.outcomes.failures, one.outcomes.success_rate or 0.0, one.subject.name))
    return tuple(failing[:TOP])


def _slowest(found: Iterable[Group], names: _Names) -> tuple[Slow, ...]:
    subjects = []
    for key, of_key in _by_key(found).items():
        timed = sum(group.timed for group in of_key)
        if timed:
            total = sum((group.duration for group in of_key), timedelta(0))
            subjects.append(Slow(names.of(key), timed, total / timed, max(group.longest for group in of_key)))
    subjects.sort(key=lambda one: (-one.mean, one.subject.name))
    return tuple(subjects[:TOP])


def _live(counts: Mapping[tuple[State, bool], int]) -> Live:
    def of(state: State) -> int:
        return counts.get((state, False), 0)

    waiting = sum(count for (_, waits), count in counts.items() if waits)
    return Live(of(State.RUNNING), of(State.QUEUED), of(State.PENDING), of(State.RETRYING), waiting)


def _performance(tx: Tx, wanted: Wanted) -> list[Performance]:
    names = _names(tx)
    about = _slice(names, wanted)
    found, used = measure(tx, about), aggregates.usage(tx, about)
    records = []
    for key in {**dict.fromkeys(_living(names, about)), **found}:
        measured = found.get(key, Measured())
        days = per_day(wanted.window, measured.cells)
        spent = used.get(key, Usage())
        records.append(Performance(names.of(key), outcomes(measured.cells), measured.lengths, spent, days))
    return sorted(records, key=lambda one: (one.subject.name, one.subject.kind, one.subject.deleted))


def _living(names: _Names, about: Slice) -> list[Key]:
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
