"""Owns questions to running workers, asked over the broker.

It never orders anything: cancelling goes through the store, since a broadcast has no memory.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from celsched.broker.app import BrokerApp
from celsched.broker.check import describe_failure


def inspect_task(app: BrokerApp, task_id: str, timeout: float) -> str | None:
    """Return what workers say of the Celery task, as `active on celery@host`, or None where none knows it.

    Silence proves nothing: a busy worker may answer after `timeout` seconds. The embedded broker cannot be asked: None.

    Raises:
        BrokerUnreachable: the question could not be sent.
    """
    with _inspector(app, timeout) as inspector:
        replies: Mapping[str, Mapping[str, Any]] = (inspector and inspector.query_task(task_id)) or {}
    found = [f"{known[task_id][0]} on {worker}" for worker, known in sorted(replies.items()) if task_id in known]
    return ", ".join(found) or None


def ping(app: BrokerApp, timeout: float) -> tuple[str, ...]:
    """Return the names of the workers that answered within `timeout` seconds; none on the embedded broker.

    Raises:
        BrokerUnreachable: the question could not be sent.
    """
    with _inspector(app, timeout) as inspector:
        return tuple(sorted((inspector and inspector.ping()) or ()))


def backend_state(app: BrokerApp, task_id: str) -> str:
    """Return the state that the result backend holds for a Celery task; PENDING there means "not known"."""
    try:
        state: str = app.AsyncResult(task_id).state
    except Exception as error:  # every backend has its own family of errors
        return f"not known: {type(error).__name__}"
    return state


@contextlib.contextmanager
def _inspector(app: BrokerApp, timeout: float) -> Iterator[Any]:
    if not app.conf.worker_enable_remote_control:
        yield None
        return
    try:
        with app.connection_for_write(app.url) as connection:
            connection.ensure_connection(max_retries=0)
            yield app.control.inspect(timeout=timeout, connection=connection)
    except Exception as error:  # every library below has its own family of errors
        raise describe_failure(app.url, error) from error
