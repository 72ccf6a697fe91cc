"""Owns sending: one connection to the broker that is thrown away and made anew after any error.

It never retries and never uses Celery's pool, which after one forced close refuses every later publish.
"""

import contextlib
from typing import Any, Protocol

from kombu.exceptions import EncodeError

from celsched.broker.app import BrokerApp, Kind
from celsched.broker.check import describe_failure
from celsched.broker.errors import PublishRefused
from celsched.broker.message import TASK_EXECUTE, Message
from celsched.broker.queues import direct_queue
from celsched.broker.refusal import refuses_one_queue

_LONGEST_QUEUE_NAME = 255  # bytes, RabbitMQ's limit
_MOST_URGENT = 9


class MessagePublisher(Protocol):
    """What the dispatcher needs of a broker; tests hand in a recording one."""

    def publish(self, message: Message, *, task_id: str, queue: str, priority: int) -> None:
        """Hand one message to the broker, or raise BrokerUnreachable or PublishRefused."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Publisher:
    """Sends messages through `app`; for use by one thread, connecting at the first message and after each error."""

    def __init__(self, app: BrokerApp) -> None:
        self._app = app
        self._connection: Any = None
        self._producer: Any = None

    def publish(self, message: Message, *, task_id: str, queue: str, priority: int) -> None:
        """Send `message` to `queue`; `priority` is 0 to 9, 9 most urgent. When it returns, the broker has the message.

        It may block for some multiples of the socket timeout (5 s): never call it in the due scan.

        Raises:
            BrokerUnreachable: not sent, or it is not known; the next call connects anew.
            PublishRefused: this message cannot be sent, while others may: it is malformed, or its queue is refused.
        """
        _check_queue_name(queue)
        if not 0 <= priority <= _MOST_URGENT:
            raise PublishRefused(f"priority {priority} is outside 0 to {_MOST_URGENT}")
        try:
            self._send(message, task_id, queue, priority)
        except EncodeError as error:
            raise PublishRefused(f"the message of {task_id} cannot be encoded: {error}") from error
        except Exception as error:  # Redis, AMQP and operating system fail in dozens of classes; none may pass
            self.close()
            failure = describe_failure(self._app.url, error)
            if refuses_one_queue(error):
                raise PublishRefused(f"the queue {queue!r} is refused: {failure.message}") from error
            raise failure from error

    def close(self) -> None:
        """Let go of the connection; a later `publish` makes a new one."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is None:
            return
        # It is being thrown away, and an error that led here is on its way up. Not close(): that would talk to a peer
        # which may be dead.
        with contextlib.suppress(Exception):
            connection.collect(socket_timeout=1)

    def _send(self, message: Message, task_id: str, queue: str, priority: int) -> None:
        producer = self._producer or self._connect()
        self._app.send_task(
            TASK_EXECUTE,
            kwargs=message.to_kwargs(),
            task_id=task_id,
            producer=producer,
            queue=direct_queue(queue),
            # The default exchange leads to the queue of that name by itself: no binding that a flushed Redis forgets.
            exchange="",
            routing_key=queue,
            retry=False,
            ignore_result=self._app.conf.task_ignore_result,
            add_to_parent=False,
            **_on_the_wire(self._app.kind, queue, priority),
        )

    def _connect(self) -> Any:
        self._connection = self._app.connection_for_write(self._app.url)
        # One try: kombu's default waits 2 s and tries again, and the dispatcher has its own pace.
        self._connection.ensure_connection(max_retries=0)
        self._producer = self._app.amqp.Producer(self._connection.channel())
        return self._producer


def _on_the_wire(kind: Kind, queue: str, priority: int) -> dict[str, Any]:
    """Turn our priority into the broker's: Redis serves 0 first (in four levels), RabbitMQ 9, the spool knows none."""
    if kind == "redis":
        return {"declare": [], "priority": _MOST_URGENT - priority}
    if kind == "amqp":
        # Mandatory: else RabbitMQ confirms a message that no queue took, as when somebody deleted ours meanwhile.
        return {"declare": [direct_queue(queue)], "priority": priority, "mandatory": True}
    return {"declare": []}


def _check_queue_name(queue: str) -> None:
    try:
        length = len(queue.encode())
    except UnicodeEncodeError:
        raise PublishRefused(f"the queue name {queue!r} is not valid Unicode") from None
    if not 0 < length <= _LONGEST_QUEUE_NAME:
        raise PublishRefused(f"the queue name {queue[:40]!r} must have 1 to {_LONGEST_QUEUE_NAME} bytes, not {length}")
