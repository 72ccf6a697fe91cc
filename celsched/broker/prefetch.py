"""Owns the rule that a message of the embedded broker is taken only when a pool child is free to run it.

It never touches other transports: for Redis, Celery's own `worker_disable_prefetch` does the same, for RabbitMQ
`prefetch_amqp`.
"""

from typing import Any

from celery import bootsteps
from celery.worker import state


class TakeOnlyForFreeChildren(bootsteps.StartStopStep):  # type: ignore[misc] # Celery carries no types
    """A consumer step; without it an acknowledged message waits behind a busy child while another worker idles."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Give the new channel its question; Celery calls this again after each reconnect."""
        parent.task_consumer.channel.qos.has_room = lambda: has_room(parent)


def has_room(parent: Any) -> bool:
    """Whether a child of the worker of this consumer has nothing to do."""
    limit = getattr(parent.controller, "max_concurrency", None) or parent.pool.num_processes
    return len(state.reserved_requests) < int(limit)
