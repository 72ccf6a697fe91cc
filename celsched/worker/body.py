"""Owns the steps from an execution to its ending: resolve, check, call, judge. It never touches the store.

Whatever user code raises ends here, SystemExit and KeyboardInterrupt too.
"""

from collections.abc import Callable
from dataclasses import dataclass

from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import Ignore, Reject, Retry

from celsched.callables import allow, resolve, signature
from celsched.callables.resolve import Resolved
from celsched.domain.execution import Execution, Recipe, State
from celsched.errors import CelschedError
from celsched.redact import Redactor
from celsched.store.endings import Ending
from celsched.worker.call import call
from celsched.worker.failure import describe
from celsched.worker.result import storable


class Interrupted(SystemExit):
    """SIGTERM reached the process of a body, and not by its worker's main process: whoever stops a whole control group
    sends it to everybody."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What bodies are run by: the patterns of task paths that may run, and what is masked."""

    task_modules: tuple[str, ...]
    redactor: Redactor


def perform(
    execution: Execution, recipe: Recipe, rules: Rules, *, task_id: str, stoppable: Callable[[bool], None]
) -> Ending:
    """Run the body and return what became of it.

    `stoppable` is told True right before user code is called and False right after: only between may a soft time
    limit interrupt.
    """
    try:
        resolved = _prepare(recipe, rules)
    except CelschedError as error:
        return _refused(error, rules.redactor)
    except BaseException as error:
        return _failed(error, rules.redactor, retryable=False)
    try:
        stoppable(True)
        try:
            value = call(resolved, recipe.params, task_id=task_id, attempt=execution.attempt)
        finally:
            stoppable(False)
    except BaseException as error:
        return _judge(error, rules.redactor)
    return Ending(State.SUCCEEDED, result=storable(value, rules.redactor))


def _prepare(recipe: Recipe, rules: Rules) -> Resolved:
    allow.require_allowed(recipe.task_path, rules.task_modules)
    resolved = resolve.resolve(recipe.task_path)
    signature.check_params(resolved, recipe.params, recipe.params_schema)
    return resolved


def _refused(error: CelschedError, redactor: Redactor) -> Ending:
    """A task that cannot run as defined: trying again would not help, and our own traceback helps nobody."""
    said = f"{error.message} ({error.hint})" if error.hint else error.message
    return Ending(State.FAILED, error_type=type(error).__name__, error=redactor.text(said), retryable=False)


def _judge(error: BaseException, redactor: Redactor) -> Ending:
    if isinstance(error, Interrupted):
        said = "stopped: its process was told to end (SIGTERM), as at the shutdown of its worker"
        return Ending(State.LOST, error=said, reason="worker_shutdown")
    if isinstance(error, Ignore):
        return Ending(State.SUCCEEDED)
    if isinstance(error, SoftTimeLimitExceeded):
        return _failed(error, redactor, outcome=State.TIMED_OUT, reason="soft_time_limit")
    if isinstance(error, Reject):
        return _failed(error, redactor, retryable=False)
    if isinstance(error, Retry):
        return _failed(error.exc if isinstance(error.exc, BaseException) else error, redactor)
    return _failed(error, redactor)


def _failed(
    error: BaseException,
    redactor: Redactor,
    *,
    outcome: State = State.FAILED,
    reason: str | None = None,
    retryable: bool = True,
) -> Ending:
    told = describe(error, redactor)
    return Ending(
        outcome,
        error_type=told.type,
        error=told.message,
        traceback=told.traceback,
        reason=reason,
        retryable=retryable,
    )
