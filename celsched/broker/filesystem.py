"""Owns kombu's view of the embedded broker: a virtual transport whose queues are folders.

It never fans out, sorts by priority or redelivers what a dead worker took: the store publishes that again.
"""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils.json import dumps, loads

from celsched.broker.spool import Spool
from celsched.clock import SystemClock

SCHEME = "celsched-fs"
URL = f"{SCHEME}://spool"

TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"

logger = logging.getLogger(__name__)

_LONGEST_DRAIN = 0.25  # seconds


class QoS(virtual.QoS):
    """kombu's count of messages in hand, plus `has_room`: a question asked before each message, set by the worker."""

    has_room: Callable[[], bool] | None = None

    def can_consume(self) -> bool:
        """Whether one more message may be taken now."""
        return (self.has_room is None or self.has_room()) and bool(super().can_consume())  # type: ignore[no-untyped-call]


class Channel(virtual.Channel):
    """A channel on the spool in `transport_options["folder"]`; a queue's routing key is always its name."""

    QoS = QoS
    supports_fanout = False

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)  # type: ignore[no-untyped-call]
        self._spool = Spool(Path(connection.client.transport_options["folder"]), SystemClock())
        self._unlistable: set[str] = set()

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        # kombu keeps bindings in memory; a message must not vanish because this process has not declared its queue.
        return [routing_key]

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        self._spool.put(queue, dumps(message).encode())

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        try:
            message = self._spool.take(queue, self._parse)
        except OSError as error:
            # Raised on, it would be "unrecoverable" for the worker and end the bodies that run.
            if queue not in self._unlistable:
                self._unlistable.add(queue)
                logger.warning("queue %s cannot be read for now: %s", queue, error)
            raise Empty from None
        self._unlistable.discard(queue)
        if message is None:
            raise Empty
        return message

    def _parse(self, raw: bytes) -> dict[str, Any]:
        try:
            message = loads(raw)
            properties = message["properties"]
            self.decode_body(message["body"], properties.get("body_encoding"))  # type: ignore[no-untyped-call]
            well_formed = (
                isinstance(message.get("headers"), dict)
                and isinstance(properties["delivery_tag"], str)
                and isinstance(properties["delivery_info"]["exchange"], str)
                and isinstance(properties["delivery_info"]["routing_key"], str)
            )
        except Exception as error:  # whatever a stranger wrote: kombu's decoder runs type hooks that may raise anything
            raise ValueError(f"{type(error).__name__} while decoding") from error
        if not well_formed:
            raise ValueError("parts of a message are missing")
        return dict(message)

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        self._spool.declare(queue)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return self._spool.exists(queue)

    def _size(self, queue: str) -> int:
        return self._spool.size(queue)

    def _purge(self, queue: str) -> int:
        return self._spool.purge(queue)


class Transport(virtual.Transport):
    """The transport behind `celsched-fs://`."""

    Channel = Channel
    polling_interval = 0.05  # seconds; an empty queue costs one scan of an empty folder
    driver_type = SCHEME
    driver_name = SCHEME
    # Asynchronous, so that Celery takes the pool with a pipe for each child. The other pool has one pipe for all, held
    # by a semaphore: an idle child that is killed takes it along, and the worker never runs anything again.
    implements = virtual.Transport.implements.extend(asynchronous=True, exchange_type=frozenset({"direct", "topic"}))

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Look for messages each `polling_interval` from Celery's event loop."""
        loop.call_repeatedly(self.polling_interval, self._deliver_all)

    def _deliver_all(self) -> None:
        with contextlib.suppress(Empty):
            while self.cycle is not None:
                self.cycle.get(self._deliver, timeout=0)

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Deliver one message, or raise `socket.timeout` after `timeout` seconds, at most a quarter of one.

        Celery's loop asks with 2 s and looks for SIGTERM only between two questions; idle workers stopped after 4 s.
        """
        bounded = None if timeout is None else min(timeout, _LONGEST_DRAIN)
        super().drain_events(connection, timeout=bounded, **kwargs)  # type: ignore[no-untyped-call]

    def driver_version(self) -> str:
        """Return the version that kombu prints."""
        return "1"
