"""Owns a TCP proxy before PostgreSQL that breaks a connection at a COMMIT: before it, or after it without the reply.

It never changes what passes, and which transaction it breaks is told by the statements that passed in it.
"""

import re
import selectors
import socket
from dataclasses import dataclass
from typing import Literal

from tests.support.tcp_proxy import TcpProxy

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


class CommitProxy(TcpProxy):
    """A proxy that passes everything on but the commits it was told to `lose`."""

    def __init__(self, port: int) -> None:
        self._orders: list[Loss] = []
        super().__init__(port)

    def lose(self, statement: str, where: Where, count: int = 1) -> Loss:
        """Break the next `count` connections that commit a transaction with a statement like this."""
        order = Loss(re.compile(statement.encode(), re.DOTALL), where, count)
        with self._lock:
            self._orders.append(order)
        return order

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
