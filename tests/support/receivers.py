"""Owns real servers that receive messages: HTTP and SMTP, each in a thread of this process. They judge nothing."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """An HTTP server. `statuses` are given out one by one, then 200; while `hangs` is set it answers nothing.

    With `echoes` it answers what it was sent.
    """

    url: str
    requests: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    hangs: threading.Event = field(default_factory=threading.Event)
    drips: bool = False
    echoes: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    def paths(self) -> list[str]:
        """Return the path of every request so far."""
        return [request.path for request in self.requests]


@contextmanager
def http_receiver(port: int = 0) -> Iterator[HttpReceiver]:
    """Serve until the block ends."""
    receiver = HttpReceiver("")

    class Handler(BaseHTTPRequestHandler):
        def _receive(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            received = Received(self.command, self.path, dict(self.headers), body)
            receiver.requests.append(received)
            if receiver.hangs.is_set():
                receiver.over.wait(60)
                return
            if receiver.drips:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not receiver.over.wait(0.05):
                    try:
                        self.wfile.write(b"X-More: of the same\r\n")
                    except OSError:
                        break
                return
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.end_headers()
            self.wfile.write(body if receiver.echoes else b"said by the receiver")

        do_GET = do_POST = _receive

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class SmtpReceiver:
    """An SMTP server with everything that was delivered to it."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuses: bool = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail, or refuse it."""
        if self.refuses:
            return "451 not now"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@contextmanager
def smtp_receiver() -> Iterator[SmtpReceiver]:
    """Serve until the block ends."""
    receiver = SmtpReceiver()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        receiver.port = probe.getsockname()[1]
    loop = asyncio.new_event_loop()
    controller = Controller(receiver, hostname="127.0.0.1", port=receiver.port, loop=loop)
    controller.start()
    try:
        yield receiver
    finally:
        controller.stop()
        loop.close()
