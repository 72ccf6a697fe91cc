"""Owns that a connection to Redis which Celery gives up lets go of its sockets, whatever Redis says meanwhile.

With kombu 5.7 and Celery 5.7 a Redis that refuses writes leaves four of them open at each of a worker's reconnects, for
as long as the worker lives: closing a channel first deletes its reply queue and fails there, and what fails while the
connection joins the event loop drops it unclosed. It never changes what is sent or received.
"""

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

logger = logging.getLogger(__name__)


def _close(channel: Any, tidily: Any) -> None:
    """Close a channel so that it never raises: the connection's other channels must get their turn."""
    try:
        tidily()
    except (OSError, *channel.connection_errors, *channel.connection.channel_errors) as error:
        logger.debug("Redis would not let a channel be closed tidily: %s", error)
        channel.connection.cycle.discard(channel)
        virtual.Channel.close(channel)
    finally:
        channel._disconnect_pools()
        channel._close_clients()


# kombu carries no types.
_channel: Any = redis.Channel
_sentinel_channel: Any = redis.SentinelChannel
_transport: Any = redis.Transport


class Channel(_channel):  # type: ignore[misc]
    """A channel to one Redis."""

    def close(self) -> None:
        """Close it, whatever Redis answers."""
        _close(self, super().close)


class SentinelChannel(_sentinel_channel):  # type: ignore[misc]
    """A channel to the Redis that a Sentinel names."""

    def close(self) -> None:
        """Close it, whatever Redis answers."""
        _close(self, super().close)


class Transport(_transport):  # type: ignore[misc]
    """kombu's transport; what cannot join the event loop is closed before Celery forgets it."""

    Channel: Any = Channel

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Join the event loop of a worker."""
        try:
            super().register_with_event_loop(connection, loop)
        except Exception:
            self.close_connection(connection)
            raise


class SentinelTransport(Transport):
    """The same for a Sentinel."""

    Channel = SentinelChannel
    default_port = redis.SentinelTransport.default_port


def install() -> None:
    """Let the schemes of Redis mean these; a scheme of our own would show in every URL that Celery logs."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
    TRANSPORT_ALIASES["sentinel"] = f"{__name__}:SentinelTransport"
