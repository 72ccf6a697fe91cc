"""Owns the check of parameters that a person gives to one execution, against schema and code. It records nothing."""

import sys

from celsched.callables.allow import require_allowed
from celsched.callables.probe import ProbeRequest, Variant, probe
from celsched.errors import InvalidParams
from celsched.operations.checks import CodeRules
from celsched.operations.requests import Target


def require_fitting(target: Target, rules: CodeRules) -> None:
    """Return if the parameters of `target` fit its task.

    Raises:
        InvalidParams: they do not, or the task cannot be imported here. NotPermitted: its path may not run.
    """
    task = target.task.definition
    require_allowed(task.task_path, rules.task_modules)
    if not rules.load:
        return
    (result,) = probe(
        [ProbeRequest(task.name, task.task_path, task.params_schema, [Variant("given", dict(target.params))])],
        python=sys.executable,
        folder=rules.folder,
        python_path=rules.python_path,
        preload=rules.preload,
        timeout=rules.timeout,
    )
    if result.error is not None:
        raise InvalidParams(
            f"the parameters cannot be checked: {result.error}",
            hint=result.hint or "add --no-import where the task's code is not on this machine; the worker checks then",
        )
    if result.misfits:
        first, more = result.misfits[0], len(result.misfits) - 1
        raise InvalidParams(
            f"'{task.name}': {first.message}" + (f" (and {more} more)" if more else ""), hint=first.hint
        )
