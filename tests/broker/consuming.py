"""Owns a consumer as plain as can be: what a worker would be handed, without a worker.

It never runs a task.
"""

import contextlib
import time
from dataclasses import dataclass
from typing import Any

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.messaging import Consumer

from celsched.broker.app import BrokerApp
from celsched.broker.message import Message


@dataclass(frozen=True)
class Delivery:
    """One message as it came out of the broker."""

    task: str
    task_id: str
    message: Message


def consume(app: BrokerApp, queue: str, count: int, *, patience: float = 10.0) -> list[Delivery]:
    """Take `count` messages of `queue` one by one, in the order in which a worker gets them; fewer if none comes."""
    with app.connection_for_read() as connection:
        return consume_on(connection, queue, count, patience=patience)


def consume_on(connection: Connection, queue: str, count: int, *, patience: float) -> list[Delivery]:
    """As `consume`, on a connection that the caller holds open."""
    found: list[Delivery] = []
    silent_since = time.monotonic()

    def receive(body: Any, message: Any) -> None:
        message.ack()
        nonlocal silent_since
        silent_since = time.monotonic()
        found.append(Delivery(message.headers["task"], message.headers["id"], Message.from_kwargs(body[1])))

    channel = connection.channel()
    # RabbitMQ refuses a declaration that differs from that of the queue.
    taken = Queue(queue, no_declare=connection.transport.driver_type == "amqp")
    consumer = Consumer(channel, [taken], callbacks=[receive], accept=["json"], prefetch_count=1)
    with consumer:
        while len(found) < count and time.monotonic() - silent_since < patience:
            with contextlib.suppress(TimeoutError):  # the spool's comes sooner than asked for
                connection.drain_events(timeout=patience)
    channel.close()
    return found
