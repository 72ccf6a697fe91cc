"""Owns a TCP proxy before PostgreSQL that breaks a connection at a COMMIT: before it, or after it without the reply.

It never changes what passes, and which transaction it breaks is told by the statements that passed in it.
"""

import contextlib
import re
import selectors
import socket
import threading
from dataclasses import dataclass
from typing import Literal, Self

_BEGIN, _COMMIT = re.compile(rb".*(?=BEGIN\0)", re.DOTALL), re.compile(rb"\0?COMMIT\0")
_IDLE = b"Z\0\0\0\5I"  # ReadyForQuery, and no transaction is open
Where = Literal["before", "after"]


@dataclass
class Loss:
    """An order to break the next connections whose transaction holds a statement that matches, at their COMMIT.

    `after`: the server commits, its reply never arrives. `before`: it never hears of the COMMIT and rolls back.
    """

    statement: "re.Pattern[bytes]"
    where: Where
    left: int
    done: int = 0


class CommitProxy:
    """Listens on a port of its own; one thread serves each connection. `with` it, or `close` it."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._orders: list[Loss] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, statement: str, where: Where, count: int = 1) -> Loss:
        """Break the next `count` connections that commit a transaction with a statement like this."""
        order = Loss(re.compile(statement.encode(), re.DOTALL), where, count)
        with self._lock:
            self._orders.append(order)
        return order

    def close(self) -> None:
        """Close every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

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
        with client, contextlib.suppress(OSError), socket.create_connection(self._target) as server:
            with self._lock:
                self._open |= {client, server}
            try:
                self._pass_on(client, server)
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        transaction = b""
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    source, target = (server, client) if key.data is client else (client, server)
                    data = source.recv(65536)
                    if not data:
                        return
                    order = None
                    if source is client:
                        transaction = _BEGIN.sub(b"", transaction + data, count=1)
                        if _COMMIT.search(transaction):
                            order, transaction = self._order(transaction), b""
                    if order is not None:
                        self._break(order, data, server)
                        return
                    target.sendall(data)

    def _break(self, order: Loss, data: bytes, server: socket.socket) -> None:
        if order.where == "after":
            server.sendall(data)
            reply = b""
            while not reply.endswith(_IDLE) and (more := server.recv(65536)):
                reply += more
            assert b"COMMIT\0" in reply, reply
        with self._lock:
            order.done += 1

    def _order(self, transaction: bytes) -> Loss | None:
        with self._lock:
            for order in self._orders:
                if order.left and order.statement.search(transaction):
                    order.left -= 1
                    return order
        return None
