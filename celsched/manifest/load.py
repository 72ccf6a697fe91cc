"""Owns reading many manifests as one: names across files, references, and the checks that need two objects.

It never writes anything and never reads the store: the names of stored tasks are handed in.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from celsched.domain.changes import Definitions, Kind
from celsched.domain.checks import Fault, check_schedule, check_task
from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.domain.names import suggestion
from celsched.domain.options import Layer
from celsched.errors import InvalidManifest
from celsched.manifest.decode import Manifest, Placed, decode
from celsched.manifest.parse import parse
from celsched.manifest.problem import Problem
from celsched.manifest.source import Source


@dataclass(frozen=True, slots=True)
class Loaded:
    """All manifests that were named, with every problem and warning, in the order of the files and lines."""

    manifests: tuple[Manifest, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    @property
    def definitions(self) -> Definitions:
        """All that the manifests ask for."""
        return Definitions([task.value for task in self.tasks], [schedule.value for schedule in self.schedules])

    @property
    def tasks(self) -> tuple[Placed[TaskDefinition], ...]:
        """The tasks of all manifests that have no problem of their own, with their places."""
        return tuple(task for manifest in self.manifests for task in manifest.tasks if task.sound)

    @property
    def schedules(self) -> tuple[Placed[ScheduleDefinition], ...]:
        """The schedules of all manifests that have no problem of their own, with their places."""
        return tuple(schedule for manifest in self.manifests for schedule in manifest.schedules if schedule.sound)

    @property
    def callables(self) -> Definitions:
        """What code can be checked by, of objects with a problem elsewhere too: all problems come at once."""
        return Definitions(
            [task.value for manifest in self.manifests for task in manifest.tasks if task.callable],
            [one.value for manifest in self.manifests for one in manifest.read_schedules if one.callable],
        )

    @property
    def sets(self) -> frozenset[str]:
        """The sets that the manifests name."""
        return frozenset(manifest.set for manifest in self.manifests if manifest.set is not None)

    def problem_at(self, kind: Kind, name: str, key: str, message: str, hint: str | None = None) -> Problem:
        """Return a problem at a key of an object that was loaded; KeyError for a name that was not."""
        for manifest in self.manifests:
            for placed in manifest.tasks if kind == "task" else manifest.read_schedules:
                if placed.value.name == name and placed.callable:
                    return placed.problem(key, message, hint)
        raise KeyError(name)


def load(sources: Sequence[Source], *, stored_tasks: Collection[str], settings: Layer, now: datetime) -> Loaded:
    """Return what `sources` ask for. Wall times are read in the zone in force; `now` (aware) is for warnings only."""
    manifests: list[Manifest] = []
    found: list[Problem] = []
    whole = True
    for source in sources:
        parsed = parse(source)
        found += parsed.problems
        whole = whole and parsed.whole
        for document in parsed.documents:
            manifest, problems = decode(document, settings, now)
            found += problems
            if manifest:
                manifests.append(manifest)
    found += _twice(manifests)
    # A file that was not read to its end may define what looks unknown.
    if whole:
        found += _dangling(manifests, {*stored_tasks, *_names(manifests, "task")})
    places = {(problem.file, problem.line, problem.column) for problem in found}
    checked = _checked(manifests, settings, now)
    found += [problem for problem in checked if (problem.file, problem.line, problem.column) not in places]
    order = {source.file: index for index, source in enumerate(sources)}
    found.sort(key=lambda problem: (order.get(problem.file, 0), problem.line or 0, problem.column or 0))
    found = list(_one_per_default(found))
    mistakes = tuple(problem for problem in found if not problem.warning)
    return Loaded(tuple(manifests), mistakes, tuple(problem for problem in found if problem.warning))


def require(loaded: Loaded, *, strict: bool = False, more: Iterable[Problem] = ()) -> None:
    """Return if nothing is wrong; `strict` counts warnings too, `more` are problems found by later checks.

    Raises:
        InvalidManifest: with every problem rendered.
    """
    problems = [*loaded.problems, *more, *(loaded.warnings if strict else ())]
    if problems:
        raise InvalidManifest([problem.render() for problem in problems])


def _names(manifests: Iterable[Manifest], kind: Kind) -> Iterator[str]:
    for manifest in manifests:
        yield from manifest.names[kind]


def _twice(manifests: Sequence[Manifest]) -> Iterator[Problem]:
    """Yield the names that two documents define; within one document the decoder has said so."""
    kinds: tuple[Kind, ...] = ("task", "schedule")
    for kind in kinds:
        first: dict[str, str] = {}
        for manifest in manifests:
            for name, path in manifest.names[kind].items():
                if name in first:
                    message = f"the {kind} `{name}` is defined twice, first at {first[name]}"
                    yield manifest.document.problem(path, message, "remove or rename one of the two", at_key=True)
                first.setdefault(name, manifest.document.where(path))


def _one_per_default(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Leave out the repetitions of what is wrong with one key of `defaults`: it is found again in every object."""
    seen: set[tuple[str, int | None, str]] = set()
    for problem in problems:
        where = (problem.file, problem.line, problem.path)
        if not problem.path.startswith("defaults.") or where not in seen:
            yield problem
        seen.add(where)


def _dangling(manifests: Iterable[Manifest], known: Collection[str]) -> Iterator[Problem]:
    for manifest in manifests:
        for path, name in manifest.references.items():
            if name not in known:
                hint = suggestion(name, known) or "define it under `tasks:`, here or in another manifest"
                yield manifest.document.problem(path, f"there is no task `{name}`", hint)


def _checked(manifests: Sequence[Manifest], settings: Layer, now: datetime) -> Iterator[Problem]:
    tasks = {placed.value.name: placed.value for manifest in manifests for placed in manifest.tasks}
    for manifest in manifests:
        for task in manifest.tasks:
            yield from _placed(task, check_task(task.value))
        for schedule in manifest.schedules:
            faults = check_schedule(schedule.value, tasks.get(schedule.value.task), settings, now)
            yield from _placed(schedule, faults)


def _placed(at: Placed[TaskDefinition] | Placed[ScheduleDefinition], faults: Iterable[Fault]) -> Iterator[Problem]:
    for fault in faults:
        yield at.problem(fault.key, fault.message, fault.hint, warning=fault.warning)
