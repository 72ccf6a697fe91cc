"""Owns how a resolved callable is called: plain, coroutine, or a Celery task object with a request of its own.

It never decides what its exceptions mean.
"""

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

from celery.app.trace import task_has_custom

from celsched.callables.resolve import Kind, Resolved


def call(resolved: Resolved, params: Mapping[str, Any], *, task_id: str, attempt: int) -> Any:
    """Call it with keyword arguments and return what it returns; an awaitable is run to its end."""
    if resolved.kind is Kind.CELERY_TASK:
        value = _call_celery_task(resolved.target, params, task_id, attempt)
    else:
        value = resolved.target(**params)
    return asyncio.run(_finished(value)) if inspect.isawaitable(value) else value


async def _finished(value: Any) -> Any:
    return await value


def _call_celery_task(task: Any, params: Mapping[str, Any], task_id: str, attempt: int) -> Any:
    # `called_directly` stays true: `self.retry()` then raises and sends nothing, so that the retry is ours.
    task.push_request(id=task_id, root_id=task_id, args=(), kwargs=dict(params), retries=attempt - 1)
    try:
        # Celery's own rule: a class with its own __call__ (as one that opens an application context) wants that.
        return (task if task_has_custom(task, "__call__") else task.run)(**params)
    finally:
        task.pop_request()
