"""Owns executions made directly in a store, for tests of what comes after dispatch.

It never goes through operations or the daemon.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from celsched.domain.compose import recipe_of
from celsched.domain.definition import TaskDefinition, effective
from celsched.domain.execution import Attempt, Cause, Execution, Requester
from celsched.domain.policy import RetryPolicy
from celsched.store import definitions, logs, requests
from celsched.store import executions as stored_executions
from celsched.store.requests import Request
from celsched.store.store import Store, Tx

NO_DELAY = RetryPolicy(delay=timedelta(0), factor=1.0, max_delay=timedelta(milliseconds=1), jitter=False)


def add_task(store: Store, task_path: str, **options: Any) -> str:
    """Define a task with options as layers hold them; return its name."""
    schema = options.pop("params_schema", None)
    name, defaults = options.pop("name", f"task {uuid4().hex[:8]}"), options.pop("default_params", {})
    definition = TaskDefinition(
        name=name, task_path=task_path, default_params=defaults, params_schema=schema, options=options
    )
    store.write(lambda tx: definitions.insert_task(tx, definition, store.clock.now(), checked=False))
    return str(name)


def add_execution(store: Store, task_path: str, params: Mapping[str, Any] | None = None, **options: Any) -> int:
    """Define a task of its own for this path and record a manual execution of it; return the execution's id."""
    name = add_task(store, task_path, **{"max_retries": 0, "queue_name": "default", **options})

    def record(tx: Tx) -> int:
        task = definitions.find_task(tx, name)
        assert task is not None
        recipe = recipe_of(task.definition, None, effective(task.definition, None, {}), params=params)
        request = Request(Cause.MANUAL, uuid4().hex, task, None, recipe, Requester("tester", "here"))
        return requests.record(tx, request, store.clock.now())[0]

    return store.write(record)


def execution_of(store: Store, execution_id: int) -> Execution:
    """Return an execution that must exist."""
    found = store.read(lambda tx: stored_executions.find(tx, execution_id))
    assert found is not None
    return found


def attempts_of(store: Store, execution_id: int) -> list[Attempt]:
    """Return the attempts of an execution, oldest first."""
    return store.read(lambda tx: stored_executions.attempts_of(tx, execution_id))


def texts_of(store: Store, execution_id: int) -> list[tuple[str, str]]:
    """Return source and text of every captured line, in order."""
    lines = store.read(lambda tx: logs.read(tx, execution_id, limit=50_000))
    return [(line.source, line.text) for line in lines]
