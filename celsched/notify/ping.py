"""Owns dead man's pings as healthchecks and its like take them: URL/start, URL, URL/fail. It never decides on one."""

from urllib.parse import urlsplit, urlunsplit

from celsched.notify.channel import TIMEOUT, Outgoing, Send
from celsched.notify.http import Request, fetch

START, SUCCESS, FAIL = "start", "success", "fail"


def ping(url: str, *, timeout: float = TIMEOUT) -> Send:
    """Return how pings are sent: `details["signal"]` says which, the message's body goes along for people."""

    def send(message: Outgoing) -> None:
        signal = str(message.details.get("signal", SUCCESS))
        body = message.body.encode()
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        fetch(Request(signal_url(url, signal), body=body, headers=headers), timeout=timeout)

    return send


def signal_url(url: str, signal: str) -> str:
    """Return the URL of a signal: `start` and `fail` are added to the path, a query stays."""
    if signal == SUCCESS:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{signal}"))
