"""Breaks a report's groups down: by task, by queue, the worst of each sort. It never reads the store."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from celsched.domain.execution import Cause, State
from celsched.domain.report import Outcomes, outcomes
from celsched.store.aggregates import Group, Name
from celsched.store.slices import Key

K = TypeVar("K", bound=Hashable)


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
class Skipping:
    """A subject with fire times that were skipped, and for which reasons."""

    subject: Subject
    skipped: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Names:
    """The names of schedules and tasks by id."""

    schedules: Mapping[int, Name]
    tasks: Mapping[int, Name]

    def of(self, key: Key) -> Subject:
        """Return whose numbers these are."""
        if key.schedule_id is not None:
            return _subject("schedule", self.schedules[key.schedule_id])
        return self.task(key.task_id or 0)

    def task(self, number: int) -> Subject:
        """Return a task."""
        return _subject("task", self.tasks[number])


def _subject(kind: str, name: Name) -> Subject:
    return Subject(kind, name.name, name.deleted)


def causes(found: Iterable[Group]) -> dict[Cause, int]:
    """Return how many executions there were of each cause."""
    counts = dict.fromkeys(Cause, 0)
    for group in found:
        if group.cell.state is not State.SKIPPED:
            counts[group.cause] += group.cell.executions
    return counts


def reasons(found: Iterable[Group]) -> dict[str, int]:
    """Return how many fire times were skipped for each reason, the most first."""
    counts: dict[str, int] = defaultdict(int)
    for group in found:
        if group.cell.state is State.SKIPPED:
            counts[group.reason or "unknown"] += group.cell.fire_times
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def by_task(found: Iterable[Group], names: Names) -> tuple[tuple[Subject, Outcomes], ...]:
    """Return the outcomes of each task, whatever asked for it, the busiest first."""
    parts = [
        (names.task(task_id), outcomes(group.cell for group in of_task))
        for task_id, of_task in _by(found, lambda group: group.task_id).items()
    ]
    return tuple(sorted(parts, key=lambda part: (-part[1].runs, part[0].name)))


def by_queue(found: Iterable[Group]) -> tuple[tuple[str, Outcomes], ...]:
    """Return the outcomes of each queue, the busiest first; a fire time that was skipped went into none."""
    parts = [
        (queue, outcomes(group.cell for group in of_queue))
        for queue, of_queue in _by(found, lambda group: group.queue).items()
        if queue is not None
    ]
    return tuple(sorted(parts, key=lambda part: (-part[1].runs, part[0])))


def failing(found: Iterable[Group], names: Names) -> tuple[Failing, ...]:
    """Return who failed, the most failures first."""
    subjects = [Failing(names.of(key), outcomes(group.cell for group in of_key)) for key, of_key in _keyed(found)]
    bad = [subject for subject in subjects if subject.outcomes.failures]
    return tuple(
        sorted(bad, key=lambda one: (-one.outcomes.failures, one.outcomes.success_rate or 0.0, one.subject.name))
    )


def slowest(found: Iterable[Group], names: Names) -> tuple[Slow, ...]:
    """Return who ran, the longest mean first."""
    subjects = []
    for key, of_key in _keyed(found):
        timed = sum(group.timed for group in of_key)
        if timed:
            total = sum((group.duration for group in of_key), timedelta(0))
            subjects.append(Slow(names.of(key), timed, total / timed, max(group.longest for group in of_key)))
    return tuple(sorted(subjects, key=lambda one: (-one.mean, one.subject.name)))


def skipping(found: Iterable[Group], names: Names) -> tuple[Skipping, ...]:
    """Return whose fire times were skipped, the most first."""
    subjects = []
    for key, of_key in _keyed(found):
        of_reasons = reasons(of_key)
        if of_reasons:
            subjects.append(Skipping(names.of(key), sum(of_reasons.values()), of_reasons))
    return tuple(sorted(subjects, key=lambda one: (-one.skipped, one.subject.name)))


def _keyed(found: Iterable[Group]) -> Iterable[tuple[Key, list[Group]]]:
    return _by(found, lambda group: group.key).items()


def _by(found: Iterable[Group], key: Callable[[Group], K]) -> dict[K, list[Group]]:
    kept: dict[K, list[Group]] = defaultdict(list)
    for group in found:
        kept[key(group)].append(group)
    return kept
