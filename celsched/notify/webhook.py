"""Owns the webhook channel: our JSON, signed where a key is given. It never retries; the queue does."""

import hashlib
import hmac
import json

from celsched.notify.channel import TIMEOUT, Outgoing, Send
from celsched.notify.http import Request, fetch

SIGNATURE = "X-Celsched-Signature"
"""`sha256=` and the HMAC-SHA256 of the body under the channel's key, in hex."""
INCIDENT = "Idempotency-Key"


def webhook(url: str, key: str | None, *, timeout: float = TIMEOUT) -> Send:
    """Return how messages are posted to `url`."""

    def send(message: Outgoing) -> None:
        body = json.dumps(message.payload(), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            INCIDENT: message.incident.encode("ascii", "backslashreplace").decode("ascii"),
        }
        if key:
            headers[SIGNATURE] = f"sha256={hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}"
        fetch(Request(url, body=body, headers=headers), timeout=timeout)

    return send
