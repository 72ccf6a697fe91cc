"""Owns the way of manifests into the store: read, check, compare; `operations.apply` then writes what was shown.

It never writes, never prints, and never opens a file: sources are handed in, so that the web can bring its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from celsched.domain.changes import Definitions
from celsched.domain.definition import ScheduleType
from celsched.domain.names import suggestion
from celsched.domain.options import Layer
from celsched.errors import UsageError
from celsched.manifest.load import Loaded, load, require
from celsched.manifest.problem import Problem, dotted
from celsched.manifest.source import Source
from celsched.operations.apply import Preview, Wanted, preview
from celsched.operations.checks import CodeRules, check_code
from celsched.operations.scope import Scope
from celsched.store import definitions
from celsched.store.store import Tx


class Part(StrEnum):
    """How much of the manifests is meant."""

    ALL = "all"
    TASKS = "tasks"
    SCHEDULES = "schedules"


@dataclass(frozen=True, slots=True)
class Terms:
    """How manifests are to be taken: the flags of `diff` and `apply`."""

    part: Part = Part.ALL
    strict: bool = False
    prune: bool = False
    adopt: bool = False
    allow_prune: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """Manifests in which nothing is wrong; `tasks` names those whose code was imported."""

    loaded: Loaded
    definitions: Definitions
    warnings: tuple[Problem, ...]
    tasks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What manifests ask for, and what applying it would do. `operations.apply.apply` takes the parts."""

    checked: Checked
    wanted: Wanted
    preview: Preview


def stored_definitions(tx: Tx) -> Definitions:
    """Return all that is stored."""
    return Definitions(
        [task.definition for task in definitions.all_tasks(tx)],
        [schedule.definition for schedule in definitions.all_schedules(tx)],
    )


def check(
    sources: Sequence[Source], stored: Definitions, rules: CodeRules, layer: Layer, now: datetime, terms: Terms
) -> Checked:
    """Return the manifests with their warnings; `layer` is that of the settings.

    Raises:
        InvalidManifest: with every problem, that of user code too; with `strict` every warning is one.
        SettingsError: `preload` cannot be imported.
    """
    loaded = load(sources, stored_tasks=[task.name for task in stored.tasks], settings=layer, now=now)
    wanted = _part(loaded.definitions, terms.part)
    code = check_code(_part(loaded.callables, terms.part), stored, rules)
    later = [loaded.problem_at(fault.kind, fault.name, fault.key, fault.message, fault.hint) for fault in code.faults]
    if terms.part is Part.SCHEDULES:
        later += _not_stored(loaded, stored)
    old = set(_known_onces(loaded, stored))
    concerned = Loaded(
        loaded.manifests,
        _in_order([*(one for one in loaded.problems if _concerns(one, terms.part)), *later], sources),
        tuple(one for one in loaded.warnings if _concerns(one, terms.part) and (one.file, one.path) not in old),
    )
    require(concerned, strict=terms.strict)
    return Checked(loaded, wanted, concerned.warnings, code.checked)


def plan(scope: Scope, sources: Sequence[Source], rules: CodeRules, terms: Terms) -> Plan:
    """Return what applying the manifests would do now; nothing is written.

    Raises:
        InvalidManifest, SettingsError: as `check`. UsageError: pruning without a `set`.
    """
    stored = scope.store.read(stored_definitions)
    checked = check(sources, stored, rules, scope.settings, scope.now(), terms)
    if terms.prune:
        _require_sets(checked.loaded)
    wanted = Wanted(
        checked.definitions,
        sets=checked.loaded.sets,
        prune=terms.prune,
        adopt=terms.adopt,
        allow_prune=terms.allow_prune,
    )
    return Plan(checked, wanted, preview(scope, wanted))


def _part(wanted: Definitions, part: Part) -> Definitions:
    return Definitions(
        () if part is Part.SCHEDULES else wanted.tasks,
        () if part is Part.TASKS else wanted.schedules,
    )


def _concerns(problem: Problem, part: Part) -> bool:
    """Return whether a problem has to do with a part; what is wrong with the file as a whole always does."""
    section = problem.path.partition(".")[0]
    others = {Part.TASKS: Part.SCHEDULES, Part.SCHEDULES: Part.TASKS}
    return section != others.get(part)


def _not_stored(loaded: Loaded, stored: Definitions) -> Iterator[Problem]:
    """Yield the tasks that only the manifest knows, where only its schedules are to be applied."""
    known = {task.name for task in stored.tasks}
    for schedule in loaded.schedules:
        name = schedule.value.task
        if name not in known and any(task.value.name == name for task in loaded.tasks):
            hint = suggestion(name, known) or "apply the whole manifest, or `celsched define -f` it first"
            yield schedule.problem("task", f"the task `{name}` is not stored yet", hint)


def _known_onces(loaded: Loaded, stored: Definitions) -> Iterator[tuple[str, str]]:
    """Yield file and path of each stored, unchanged `at`: that it is past by now deserves no warning any more."""
    rules = {schedule.name: schedule.rule for schedule in stored.schedules}
    for placed in loaded.schedules:
        rule = placed.value.rule
        if rule.type is ScheduleType.ONCE and rules.get(placed.value.name) == rule and placed.rule_key:
            yield placed.document.file, dotted((*placed.path, placed.rule_key))


def _in_order(problems: Sequence[Problem], sources: Sequence[Source]) -> tuple[Problem, ...]:
    order = {source.file: index for index, source in enumerate(sources)}
    return tuple(sorted(problems, key=lambda one: (order.get(one.file, 0), one.line or 0, one.column or 0)))


def _require_sets(loaded: Loaded) -> None:
    for manifest in loaded.manifests:
        if manifest.set is None:
            raise UsageError(
                f"{manifest.file} has no `set`, so it owns nothing that --prune could remove",
                hint="give the manifest a `set:`, or leave out --prune",
            )
