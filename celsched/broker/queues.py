"""Owns how queues are declared on RabbitMQ: with priorities where that is possible.

It never fights over a queue that exists: RabbitMQ refuses a declaration with other arguments, so it is used as it is.
"""

from typing import Any

from celery.app.amqp import AMQP, Queues
from kombu.entity import Exchange, Queue

MAX_PRIORITY = 9
_NOT_FOUND = 404


class PriorityQueue(Queue):
    """A queue that is declared with `x-max-priority: 9`, unless one of its name is there already."""

    def queue_declare(self, nowait: bool = False, passive: bool = False, channel: Any = None) -> Any:
        """Declare the queue and return RabbitMQ's answer."""
        used = channel or self.channel
        if not passive and _exists(self, used):
            passive = True
        return super().queue_declare(nowait=nowait, passive=passive, channel=used)  # type: ignore[no-untyped-call]


class PriorityQueues(Queues):  # type: ignore[misc] # Celery carries no types
    """Celery's table of queues, in which all are `PriorityQueue`."""

    def add(self, queue: Any, **options: Any) -> Any:
        """Add a queue. The default one is made by Celery: as it comes, it has no priorities and others are refused."""
        return super().add(direct_queue(queue.name) if type(queue) is Queue else queue, **options)

    def new_missing(self, name: str) -> PriorityQueue:
        """Return the declaration of a queue that nobody has described."""
        return direct_queue(name)


class PriorityAMQP(AMQP):  # type: ignore[misc] # Celery carries no types
    """Celery's AMQP face with our table of queues."""

    queues_cls = PriorityQueues


def direct_queue(name: str) -> PriorityQueue:
    """Return the queue of this name on a direct exchange of the same name, as Celery itself would make it."""
    return PriorityQueue(  # type: ignore[no-untyped-call]
        name, Exchange(name, type="direct"), routing_key=name, queue_arguments={"x-max-priority": MAX_PRIORITY}
    )


def _exists(queue: PriorityQueue, channel: Any) -> bool:
    # RabbitMQ closes the channel on which it says no, so the question gets a channel of its own.
    connection = channel.connection
    scratch = connection.channel()
    try:
        Queue.queue_declare(queue, passive=True, channel=scratch)
    except connection.channel_errors as error:
        if getattr(error, "reply_code", None) != _NOT_FOUND:
            raise
        return False
    scratch.close()
    return True
