"""Owns the check of user code before it is defined: allowed, importable, callable, and given parameters that fit.

It never imports user code into this process, and never says where in a file a fault stands.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from celsched.callables.allow import require_allowed
from celsched.callables.probe import ProbeRequest, ProbeResult, Variant, probe
from celsched.domain.changes import Definitions, Kind
from celsched.domain.checks import split_task_path
from celsched.domain.definition import ScheduleDefinition, TaskDefinition, merged_params
from celsched.errors import NotPermitted
from celsched.settings import Settings

_DEFAULT = "default"
_SCHEDULE = "schedule:"


@dataclass(frozen=True, slots=True)
class CodeRules:
    """Where user code is and which of it may run, as a worker has it. `load` False imports nothing (`--no-import`).

    `timeout` is in seconds, for each task.
    """

    task_modules: Sequence[str]
    folder: str
    python_path: Sequence[str]
    preload: Sequence[str]
    load: bool = True
    timeout: float = 30.0

    @classmethod
    def of(cls, settings: Settings, *, load: bool = True) -> "CodeRules":
        """Return the rules that the settings make."""
        path = tuple(str(folder) for folder in settings.python_path)
        return cls(settings.task_modules, str(settings.project_folder), path, settings.preload, load)


@dataclass(frozen=True, slots=True)
class CodeFault:
    """What is wrong at `key` of a wanted task or schedule."""

    kind: Kind
    name: str
    key: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """What a check found, and the names of the wanted tasks whose code was imported and fits."""

    faults: tuple[CodeFault, ...] = ()
    checked: frozenset[str] = frozenset()


def check_code(wanted: Definitions, stored: Definitions, rules: CodeRules) -> CodeCheck:
    """Check every wanted task, every stored one that a wanted schedule names, and all parameters they get.

    Raises:
        SettingsError: `preload` cannot be imported.
    """
    faults: list[CodeFault] = []
    subjects = []
    for subject in _subjects(wanted, stored):
        refusal = _refusal(subject.task, rules.task_modules)
        if refusal is not None:
            faults += subject.of_task("task_path", refusal.message, refusal.hint)
        elif split_task_path(subject.task.task_path):
            subjects.append(subject)
    if not rules.load or not subjects:
        return CodeCheck(tuple(faults))
    results = probe(
        [subject.request() for subject in subjects],
        python=sys.executable,
        folder=rules.folder,
        python_path=rules.python_path,
        preload=rules.preload,
        timeout=rules.timeout,
    )
    checked = set()
    for subject, result in zip(subjects, results, strict=True):
        found = list(subject.faults(result))
        faults += found
        if not found and subject.wanted:
            checked.add(subject.task.name)
    return CodeCheck(tuple(faults), frozenset(checked))


@dataclass(frozen=True, slots=True)
class _Subject:
    """A task with the schedules that hand it parameters; `own` are the wanted ones among them."""

    task: TaskDefinition
    wanted: bool
    schedules: Mapping[str, ScheduleDefinition]
    own: Collection[str]

    def request(self) -> ProbeRequest:
        """Return what is asked of the child process."""
        defaults = self.task.default_params
        variants = [Variant(_DEFAULT, dict(defaults), partial=True)]
        variants += [
            Variant(f"{_SCHEDULE}{name}", merged_params(defaults, schedule.params))
            for name, schedule in self.schedules.items()
        ]
        return ProbeRequest(self.task.name, self.task.task_path, self.task.params_schema, variants)

    def faults(self, result: ProbeResult) -> Iterator[CodeFault]:
        """Yield what the child found, at the key of a wanted object that has to do with it."""
        if result.error is not None:
            yield from self.of_task(result.key, result.error, result.hint)
            return
        of_defaults = {misfit.message for misfit in result.misfits if misfit.label == _DEFAULT}
        for misfit in result.misfits:
            name = misfit.label.removeprefix(_SCHEDULE)
            if misfit.label == _DEFAULT:
                yield from self.of_task("default_params", misfit.message, misfit.hint)
            elif misfit.message in of_defaults:
                continue  # said once, at the task
            elif name in self.own:
                yield CodeFault("schedule", name, "params", misfit.message, misfit.hint)
            elif self.wanted:
                message = f"the stored schedule `{name}` would no longer fit: {misfit.message}"
                yield CodeFault("task", self.task.name, "task_path", message, misfit.hint)

    def of_task(self, key: str, message: str, hint: str | None) -> Iterator[CodeFault]:
        """Yield what is wrong with the task: at its key, or where wanted schedules name it."""
        if self.wanted:
            yield CodeFault("task", self.task.name, key, message, hint)
            return
        for name in self.own:
            yield CodeFault("schedule", name, "task", f"the stored task `{self.task.name}`: {message}", hint)


def _subjects(wanted: Definitions, stored: Definitions) -> list[_Subject]:
    own = {schedule.name: schedule for schedule in wanted.schedules}
    others = {schedule.name: schedule for schedule in stored.schedules if schedule.name not in own}
    users = _by_task([*own.values(), *others.values()])
    named = {schedule.task for schedule in own.values()}
    mine = {task.name: task for task in wanted.tasks}
    tasks = [*mine.values(), *(task for task in stored.tasks if task.name in named and task.name not in mine)]
    return [
        _Subject(
            task,
            task.name in mine,
            {one.name: one for one in users.get(task.name, ()) if task.name in mine or one.name in own},
            [one.name for one in users.get(task.name, ()) if one.name in own],
        )
        for task in tasks
    ]


def _by_task(schedules: Iterable[ScheduleDefinition]) -> dict[str, list[ScheduleDefinition]]:
    found: dict[str, list[ScheduleDefinition]] = {}
    for schedule in schedules:
        found.setdefault(schedule.task, []).append(schedule)
    return found


def _refusal(task: TaskDefinition, patterns: Sequence[str]) -> NotPermitted | None:
    try:
        require_allowed(task.task_path, patterns)
    except NotPermitted as error:
        return error
    return None
