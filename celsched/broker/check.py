"""Owns the question whether a broker answers, and the words for it when it does not.

It never shows a password: what it says goes to terminals and logs.
"""

import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from kombu.connection import Connection

from celsched.broker.app import broker_kind
from celsched.broker.folders import make_private
from celsched.errors import BrokerUnreachable

_PATIENCE = 3.0  # seconds for each step of connecting
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]*(?=@)")
_QUERY_SECRET = re.compile(r"(?i)([?&](?:password|secret|token)=)[^&\s]+")


def check_broker(url: str, *, embedded_folder: Path | None = None) -> str:
    """Connect to the broker and return one sentence about it.

    Raises:
        SettingsError: the URL is not one of Redis or RabbitMQ.
        BrokerUnreachable: it does not answer, does not let us in, or the folder cannot be written.
    """
    if embedded_folder is not None:
        return _check_folder(embedded_folder)
    kind = broker_kind(url)
    try:
        with Connection(url, connect_timeout=_PATIENCE, transport_options=_options(kind)) as connection:
            connection.ensure_connection(max_retries=0)
    except Exception as error:  # every library below has its own family of errors
        raise describe_failure(url, error) from error
    return f"the broker at {masked(url)} answers"


def describe_failure(url: str, error: Exception) -> BrokerUnreachable:
    """Return the error to raise for a broker at `url` that failed with `error`, free of secrets."""
    reason = masked(str(error)) or type(error).__name__
    password = urlsplit(url).password
    if password:
        reason = reason.replace(unquote(password), "***").replace(password, "***")
    return BrokerUnreachable(
        f"the broker at {masked(url)} does not accept messages: {reason}",
        hint="is it running, and is broker_url right? Fire times are recorded meanwhile and sent when it is back",
    )


def masked(text: str) -> str:
    """Return `text` with the passwords of all URLs in it replaced by stars."""
    return _QUERY_SECRET.sub(r"\1***", _PASSWORD.sub(r"\1:***", text))


def _options(kind: str) -> dict[str, Any]:
    if kind == "redis":
        return {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
    return {"read_timeout": _PATIENCE, "write_timeout": _PATIENCE} if kind == "amqp" else {}


def _check_folder(folder: Path) -> str:
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        make_private(folder)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BrokerUnreachable(
            f"the embedded broker's folder {folder} cannot be written: {error.strerror or error}",
            hint="give its owner write permission and free space, or set broker_url to a Redis",
        ) from error
    return f"the embedded broker can write to {folder}"
