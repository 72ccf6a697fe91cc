"""Owns a TCP proxy that can fall mute: nothing passes and nothing is closed, as where a network loses every packet.

It never changes what passes, and what waited passes when it speaks again. The kernels at its ends acknowledge, so TCP's
own limits see nothing: only a limit of the processes can.
"""

import selectors
import socket
import threading

from tests.support.tcp_proxy import TcpProxy


class MuteProxy(TcpProxy):
    """A proxy that passes everything on until `mute`, and again from `speak` on."""

    def __init__(self, port: int) -> None:
        self._speaks = threading.Event()
        self._speaks.set()
        super().__init__(port)

    def mute(self) -> None:
        """From now on nothing passes, neither data nor ends; new connections are held without a word."""
        self._speaks.clear()

    def speak(self) -> None:
        """Let everything pass again, what was held back first."""
        self._speaks.set()

    def close(self) -> None:
        """Close every connection, and let go of the threads that hold something back."""
        super().close()
        self._speaks.set()

    def _serve(self, client: socket.socket) -> None:
        self._speaks.wait()
        super()._serve(client)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    self._speaks.wait()
                    source, target = (server, client) if key.data is client else (client, server)
                    data = source.recv(65536)
                    if not data:
                        return
                    target.sendall(data)
