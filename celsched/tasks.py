"""Owns the public Celery task `celsched.tasks.execute_task`: parse what the caller sent, hand it to the worker.

It keeps the calling form of the application that celsched re-implements, and refuses where celsched is not installed.
"""

import logging
from collections.abc import Mapping
from typing import Any

from celery import Task, shared_task

from celsched.errors import CelschedError, UsageError
from celsched.store import claims
from celsched.store.claims import Claimant, Refusal
from celsched.store.store import Tx
from celsched.worker.execute import execute
from celsched.worker.install import installed
from celsched.worker.request import Wanted, prepare, record_and_claim
from celsched.worker.runtime import Runtime

logger = logging.getLogger("celsched.worker")


class _ToScheduler(Task):  # type: ignore[misc] # Celery carries no types
    """Goes to `scheduler` where its caller names none: Celery 6 ignores a `queue` of the task; 5.7 warns of it."""

    def apply_async(self, args: Any = None, kwargs: Any = None, *rest: Any, **options: Any) -> Any:
        """Send it, as Celery's own does."""
        options.setdefault("queue", "scheduler")
        return super().apply_async(args, kwargs, *rest, **options)


# `throws`: Celery then logs a refusal as one line, without our traceback.
@shared_task(  # type: ignore[untyped-decorator]
    name="celsched.tasks.execute_task",
    bind=True,
    base=_ToScheduler,
    acks_late=False,
    ignore_result=True,
    throws=(CelschedError,),
)
def execute_task(
    self: Any, execution_id: int | str, task_path: str | None = None, params: Mapping[str, Any] | None = None
) -> None:
    """Run an execution.

    An integer `execution_id` is an execution of ours, started if it has not been and its time has come. A text is the
    caller's own id of a request: a manual execution of the task with this `task_path` is recorded under it once, and
    run.

    Raises:
        UsageError: this worker's application never called `celsched.install(app)`, or the arguments make no sense.
        NotFound, InvalidParams: no task has this path, or the parameters do not fit it.
    """
    side = installed(self.app)
    if side is None or side.runtime is None:
        raise UsageError(
            "celsched does not run in this worker, so nothing was started",
            hint="call celsched.install(app) where the Celery application is made, or run `celsched worker`",
        )
    task_id = str(self.request.id)
    if isinstance(execution_id, str):
        _run_requested(side.runtime, Wanted(execution_id, _path(task_path), params or {}), task_id)
    elif isinstance(execution_id, int) and not isinstance(execution_id, bool):
        _run_recorded(side.runtime, execution_id, task_id)
    else:
        raise UsageError(f"execution_id must be a number or a text, not {execution_id!r}")


def _path(task_path: str | None) -> str:
    if not task_path:
        raise UsageError("a request under an id of your own needs `task_path`")
    return task_path


def _run_recorded(runtime: Runtime, execution_id: int, task_id: str) -> None:
    def claim(tx: Tx, by: Claimant) -> Any:
        return claims.claim(tx, execution_id, 1, by, runtime.store.clock.now(), only_due=True)

    execute(runtime, claim, what=f"the request to run execution {execution_id}", task_id=task_id)


def _run_requested(runtime: Runtime, wanted: Wanted, task_id: str) -> None:
    try:
        request = prepare(runtime.store, runtime.settings, wanted, runtime.identity.host)
    except CelschedError as error:
        logger.error("request %s of %s is refused: %s", wanted.request_id, wanted.task_path, error.message)
        raise

    def claim(tx: Tx, by: Claimant) -> Any:
        found = record_and_claim(tx, request, by, runtime.store)
        if isinstance(found, Refusal):
            logger.info("request %s is not run again: %s", wanted.request_id, found)
        return found

    execute(runtime, claim, what=f"request {wanted.request_id}", task_id=task_id)
