"""Owns the talk with systemd: one datagram to $NOTIFY_SOCKET. It never decides when to say what."""

import logging
import socket
from contextlib import suppress

log = logging.getLogger(__name__)


class ServiceManager:
    """Speaks sd_notify; silent where nobody listens (`address` None)."""

    def __init__(self, address: str | None) -> None:
        self._ready = False
        self._address = None if not address else "\0" + address[1:] if address.startswith("@") else address

    def say(self, *words: str) -> None:
        """Send assignments such as READY=1 in one datagram; a manager that is gone is no error of ours."""
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(self._address)
            channel.sendall("\n".join(words).encode())

    def ready(self) -> None:
        """Say, once, that the first turn is done and that we are in service."""
        if not self._ready:
            self._ready = True
            self.say("READY=1")

    def alive(self, status: str) -> None:
        """Say that a scan has just succeeded or failed fast, and what it saw."""
        self.say("WATCHDOG=1", f"STATUS={status}")

    def stopping(self) -> None:
        """Say that a stop was asked for."""
        self.say("STOPPING=1")
