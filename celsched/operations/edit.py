"""Owns changing one definition by hand: check it, its code and its parameters, then write it like any other change.

It never decides what the new definition is: the caller makes it from the stored one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from celsched.callables.allow import require_allowed
from celsched.domain.changes import Definitions
from celsched.domain.checks import Fault, check_schedule, check_task
from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.errors import InvalidDefinition
from celsched.operations.apply import Preview, Wanted, apply, preview
from celsched.operations.checks import CodeRules, check_code
from celsched.operations.manifests import stored_definitions
from celsched.operations.scope import Scope, not_found


@dataclass(frozen=True, slots=True)
class Edited:
    """What was done. `owner` is the set whose manifest now says something else than the store."""

    preview: Preview
    warnings: tuple[str, ...]
    owner: str | None


def edit_task(
    scope: Scope, rules: CodeRules, name: str, make: Callable[[TaskDefinition | None], TaskDefinition]
) -> Edited:
    """Store what `make` makes of the task of this name (None: there is none yet).

    Raises:
        InvalidDefinition: it is not acceptable, or a schedule of it would not be any more.
        NotPermitted: its path is outside `task_modules`. Conflict: somebody else changed it at the same time.
    """
    stored = scope.store.read(stored_definitions)
    new = make(next((task for task in stored.tasks if task.name == name), None))
    faults = list(check_task(new))
    for schedule in stored.schedules:
        if schedule.task == name and not faults:
            found = check_schedule(schedule, new, scope.settings, scope.now())
            faults += [
                Fault(one.key, f"its schedule '{schedule.name}': {one.message}", one.hint)
                for one in found
                if not one.warning
            ]
    return _write(scope, rules, Definitions([new]), stored, faults)


def edit_schedule(
    scope: Scope, rules: CodeRules, name: str, make: Callable[[ScheduleDefinition | None], ScheduleDefinition]
) -> Edited:
    """Store what `make` makes of the schedule of this name (None: there is none yet).

    Raises:
        NotFound: its task is not stored. InvalidDefinition: it is not acceptable.
        Conflict: somebody else changed it at the same time.
    """
    stored = scope.store.read(stored_definitions)
    old = next((schedule for schedule in stored.schedules if schedule.name == name), None)
    new = make(old)
    task = next((task for task in stored.tasks if task.name == new.task), None)
    if task is None:
        raise not_found("task", new.task, [task.name for task in stored.tasks])
    faults = check_schedule(new, task, scope.settings, scope.now())
    if old is not None and old.rule == new.rule:
        faults = [fault for fault in faults if not fault.warning]  # said when the rule was new
    return _write(scope, rules, Definitions((), [new]), stored, faults)


def _write(scope: Scope, rules: CodeRules, wanted: Definitions, stored: Definitions, faults: Sequence[Fault]) -> Edited:
    _refuse(fault for fault in faults if not fault.warning)
    for task in wanted.tasks:
        require_allowed(task.task_path, rules.task_modules)
    code = check_code(wanted, stored, rules)
    _refuse(Fault(fault.key, fault.message, fault.hint) for fault in code.faults)
    asked = Wanted(wanted, by_hand=True)
    seen = preview(scope, asked)
    apply(scope, asked, seen, checked=code.checked)
    warnings = tuple(fault.message for fault in faults if fault.warning)
    owners = [change.desired.owner for change in seen.changes.made if change.desired is not None]
    return Edited(seen, warnings, owners[0] if owners else None)


def _refuse(faults: Iterable[Fault]) -> None:
    """Raise InvalidDefinition with all of them, if there is any."""
    found = list(faults)
    if found:
        hints = [fault.hint for fault in found if fault.hint]
        message = "; ".join(fault.message for fault in found)
        raise InvalidDefinition(message, key=found[0].key, hint=hints[0] if hints else None)
