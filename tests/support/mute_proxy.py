"""Owns a TCP proxy that can fall mute: nothing passes and nothing is closed, as where a network loses every packet.

It never changes what passes, and what waited passes when it speaks again. The kernels at its ends acknowledge, so TCP's
own limits see nothing: only a limit of the processes can.
"""

import contextlib
import selectors
import socket
import threading
from typing import Self


class MuteProxy:
    """Listens on a port of its own; one thread serves each connection. `with` it, or `close` it."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._speaks = threading.Event()
        self._speaks.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def mute(self) -> None:
        """From now on nothing passes, neither data nor ends; new connections are held without a word."""
        self._speaks.clear()

    def speak(self) -> None:
        """Let everything pass again, what was held back first."""
        self._speaks.set()

    def close(self) -> None:
        """Close every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._speaks.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._speaks.wait()
        with client, contextlib.suppress(OSError), socket.create_connection(self._target) as server:
            with self._lock:
                self._open |= {client, server}
            try:
                self._pass_on(client, server)
            finally:
                with self._lock:
                    self._open -= {client, server}

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
