"""Owns that no message ends a worker: what other programs put into its queues is told and thrown away.

It never decides what a message of ours means; faults of the broker itself pass, since Celery reconnects at them.
"""

import logging
from collections.abc import Callable
from queue import Empty
from typing import Any

from celery import bootsteps

logger = logging.getLogger(__name__)

_SHOWN = 300


class OutliveStrangers(bootsteps.StartStopStep):  # type: ignore[misc] # Celery carries no types
    """A consumer step; without it one odd message is an "unrecoverable error" that ends the worker and its bodies."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Guard the consumer and its new channel; Celery calls this again after each reconnect."""

        def create_task_handler(*args: Any, **kwargs: Any) -> Callable[[Any], None]:
            handle = type(parent).create_task_handler(parent, *args, **kwargs)
            return lambda message: _handled(parent, handle, message)

        parent.create_task_handler = create_task_handler
        # Redis only: there kombu parses a message while it reads it, before anybody who could refuse it is asked.
        handlers = getattr(parent.task_consumer.channel, "handlers", {})
        if "BRPOP" in handlers:
            handlers["BRPOP"] = _guarded(parent, handlers["BRPOP"])


def _handled(parent: Any, handle: Callable[[Any], None], message: Any) -> None:
    try:
        handle(message)
    except _faults(parent):
        raise
    except Exception as error:  # Celery's reading of a message fails in any class, whatever a stranger wrote
        said = repr(message.body)[:_SHOWN]
        logger.warning("a message is no task for a worker (%s: %s); it is left: %s", type(error).__name__, error, said)
        if not message.acknowledged:
            message.reject_log_error(logger, parent.connection_errors)


def _guarded(parent: Any, read: Callable[..., Any]) -> Callable[..., Any]:
    def read_one(**options: Any) -> Any:
        try:
            return read(**options)
        except _faults(parent):
            raise
        except Exception as error:  # as above; the message is off the queue, and no one holds it
            logger.warning("what is no message of Celery's is left: %s: %s", type(error).__name__, error)
            raise Empty from None

    return read_one


def _faults(parent: Any) -> tuple[type[Exception], ...]:
    return (Empty, OSError, *parent.connection_errors, *parent.channel_errors)
