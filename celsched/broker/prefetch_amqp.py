"""Owns the rule that a message of RabbitMQ is taken only when a pool child is free to run it.

It never rejects a message: RabbitMQ keeps what we do not ask for, in the order of its priorities. It never waits for an
answer of RabbitMQ either, since it runs in the worker's event loop.
"""

from collections.abc import Callable
from typing import Any

from celery import bootsteps

from celsched.broker.prefetch import has_room


class ConsumeOnlyForFreeChildren(bootsteps.StartStopStep):  # type: ignore[misc] # Celery carries no types
    """A consumer step; without it Celery keeps one more message a child, which waits while another worker idles.

    One message is out at a time, and it counts as such until a child has it. So a consumer that is cancelled when the
    last child is taken has nothing on its way.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._look: Callable[[], None] | None = None

    def start(self, parent: Any) -> None:
        """Bind the new consumer to the rule; Celery calls this again after each reconnect."""
        parent.qos.value = 1
        parent.qos.update()
        consumer, consume = parent.task_consumer, parent.task_consumer.consume

        def consume_for_free_children(*args: Any, **options: Any) -> None:
            if has_room(parent):
                consume(*args, **options)

        consumer.consume = consume_for_free_children

    def register_with_event_loop(self, parent: Any, hub: Any) -> None:
        """Look at each turn of the event loop; a body's end makes one."""
        consumer = parent.task_consumer
        self._forget(hub)

        def look() -> None:
            consumes = bool(consumer._active_tags)
            if has_room(parent) == consumes:
                return
            if consumes:
                _cancel(consumer)
            else:
                for queue in consumer.queues:
                    consumer._basic_consume(queue, no_ack=consumer.no_ack, nowait=True)

        self._look = look
        hub.on_tick.add(look)

    def stop(self, parent: Any) -> None:
        """Leave the event loop: the consumer is going."""
        if parent.hub is not None:
            self._forget(parent.hub)

    def _forget(self, hub: Any) -> None:
        hub.on_tick.discard(self._look)


def _cancel(consumer: Any) -> None:
    for tag in consumer._active_tags.values():
        consumer.channel.basic_cancel(tag, nowait=True)
        consumer.channel._remove_tag(tag)
    consumer._active_tags.clear()
    consumer._active_queue_no_ack.clear()
