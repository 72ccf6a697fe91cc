"""Owns the webhook channel: our JSON, or what a template makes of it, signed with a key. It never retries."""

import hashlib
import hmac
import json

from celsched.domain.message_template import MessageTemplate, TemplateMistake
from celsched.notify.channel import TIMEOUT, Outgoing, Send, SendFailed
from celsched.notify.http import Request, fetch

SIGNATURE = "X-Celsched-Signature"
"""`sha256=` and the HMAC-SHA256 of the body, as it is sent, under the channel's key, in hex."""
INCIDENT = "Idempotency-Key"


def webhook(url: str, key: str | None, template: MessageTemplate | None = None, *, timeout: float = TIMEOUT) -> Send:
    """Return how messages are posted to `url`."""
    secrets = template.own_words() if template else frozenset()

    def send(message: Outgoing) -> None:
        body = _body(message, template)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            INCIDENT: message.incident.encode("ascii", "backslashreplace").decode("ascii"),
        }
        if key:
            headers[SIGNATURE] = f"sha256={hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}"
        fetch(Request(url, body=body, headers=headers, secrets=secrets), timeout=timeout)

    return send


def _body(message: Outgoing, template: MessageTemplate | None) -> bytes:
    if template is None:
        return json.dumps(message.payload(), ensure_ascii=False).encode()
    try:
        return template.render(message.payload())
    except TemplateMistake as mistake:
        raise SendFailed(f"its template {mistake.message}") from None
