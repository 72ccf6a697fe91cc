"""Checks that the tasks of the store may run and can be found. It imports no user code into this process."""

from collections.abc import Sequence

from celsched.callables.allow import require_allowed
from celsched.domain.changes import Definitions
from celsched.domain.definition import TaskDefinition
from celsched.domain.health import AlertKind
from celsched.errors import CelschedError, NotPermitted
from celsched.operations.checks import CodeRules, check_code
from celsched.operations.checkup import Found, failed, listed, passed, skipped, warned
from celsched.operations.doctor_facts import Facts
from celsched.operations.wording import command, times

_LOOK = "celsched config task_modules"
"""It tells which file the setting comes from, or is missing in."""


def allowed(facts: Facts, rules: CodeRules) -> Found:
    """Check that a pattern of `task_modules` matches every task path, and that there is one: else nothing ever runs."""
    if not facts.tasks and not rules.task_modules:
        return warned("`task_modules` is empty: no task may run until it has a pattern, such as tasks.*", _LOOK)
    if not facts.tasks:
        return skipped("no task is defined")
    refused = [task.definition for task in facts.tasks if not _may_run(task.definition, rules)]
    if not refused:
        return passed(f"{times(len(facts.tasks), 'task path')} allowed by `task_modules`")
    paths = ", ".join(sorted({task.task_path for task in refused})[:3])
    empty = "" if rules.task_modules else ", which is empty"
    names = listed([task.name for task in refused])
    return failed(f"not allowed by `task_modules`{empty}: {names} ({paths})", _LOOK)


def resolvable(facts: Facts, rules: CodeRules) -> Found:
    """Check that every task path can be imported and takes its parameters: as workers found it, else tried here."""
    unknown = [alert for alert in facts.firing if alert.kind is AlertKind.UNKNOWN_TASK]
    if unknown:
        others = listed([alert.subject for alert in unknown[1:]])
        seen = unknown[0].summary + (f"; likewise {others}" if others else "")
        return failed(seen, "celsched executions --status failed")
    tasks = [task.definition for task in facts.tasks if _may_run(task.definition, rules)]
    if not tasks:
        return skipped("no task may run" if facts.tasks else "no task is defined")
    if not rules.load:
        return skipped("nothing was imported (--no-import); no worker reported a task that it cannot find")
    return _probed(tasks, rules)


def _probed(tasks: Sequence[TaskDefinition], rules: CodeRules) -> Found:
    try:
        faults = check_code(Definitions(tuple(tasks), ()), Definitions(), rules).faults
    except CelschedError as error:
        return failed(error.message, "celsched doctor --no-import")
    if not faults:
        return passed(f"{times(len(tasks), 'task path')} imported here, and the default parameters fit")
    names = listed(list(dict.fromkeys(fault.name for fault in faults)))
    hint = f" ({faults[0].hint})" if faults[0].hint else ""
    return failed(f"{names}: {faults[0].message}{hint}", command("show", "task", faults[0].name))


def _may_run(task: TaskDefinition, rules: CodeRules) -> bool:
    try:
        require_allowed(task.task_path, rules.task_modules)
    except NotPermitted:
        return False
    return True
