"""Owns requests over HTTP with a deadline for the whole of them. It never follows a redirect, and never retries."""

import http.client
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from celsched.notify.channel import TIMEOUT, SendFailed, scrub
from celsched.version import __version__

_MOST = 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; `url` may carry user and password, which go into the Authorization header.

    `secrets`: what else may not be shown where the answer repeats it.
    """

    url: str = field(repr=False)
    method: str = "POST"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


def check_url(url: str) -> str | None:
    """Return what is wrong with an HTTP URL, in words that show nothing of it."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    return None if good else "is no URL of the form http(s)://host[:port]/path"


def fetch(request: Request, *, timeout: float = TIMEOUT) -> None:
    """Do a request; returned is nothing, because 2xx says all.

    Raises:
        SendFailed: no connection, no answer in time, or another status.
    """
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    keep = (host,)
    connection = _connection(parts.scheme, host, parts.port, timeout)
    late = threading.Event()
    alarm = threading.Timer(timeout, _hang_up, (connection, late))
    alarm.daemon = True
    alarm.start()
    try:
        connection.connect()
        if late.is_set():  # the name was looked up for too long: it was reported as failed, and is not sent after all
            raise TimeoutError
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": f"celsched/{__version__}", **_authorization(parts.username, parts.password)}
        connection.request(request.method, path, request.body or None, {**headers, **request.headers})
        with connection.getresponse() as answer:
            said = answer.read(_MOST).decode("utf-8", "replace")
        if late.is_set():  # what was hung up in the middle reads like a complete answer
            raise TimeoutError
        if not 200 <= answer.status < 300:
            # Masked before it is cut: half a secret would not be found.
            told = scrub(f"{answer.reason}: {said}", request.url, keep=keep, also=request.secrets)
            raise SendFailed(f"{host} answered {answer.status} {told[:200]}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise SendFailed(f"{host} did not answer within {timeout:g} s") from None
        raise SendFailed(scrub(f"{host}: {_reason(error)}", request.url, keep=keep)) from None
    finally:
        alarm.cancel()
        connection.close()


def _connection(scheme: str, host: str, port: int | None, timeout: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=timeout)


def _hang_up(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """End a talk that takes too long, however steadily the other side drips."""
    late.set()
    link = connection.sock
    if link is not None:
        with suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)


def _authorization(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    token = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Authorization": f"Basic {b64encode(token).decode('ascii')}"}


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)
