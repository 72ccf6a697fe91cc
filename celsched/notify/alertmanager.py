"""Owns the push to an Alertmanager (API v2): every alert with labels and times. It never groups or silences there."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from celsched.clock import Clock
from celsched.notify.channel import TIMEOUT, Outgoing, Send
from celsched.notify.http import Request, fetch

_PATH = "/api/v2/alerts"
LASTS = timedelta(minutes=5)
"""How long Alertmanager believes one push; the next comes after a minute, so that four may be lost."""


def alertmanager(url: str, clock: Clock, *, timeout: float = TIMEOUT) -> Send:
    """Return how messages are pushed; `url` is that of the server, without the path of its API."""
    target = url.rstrip("/") + _PATH

    def send(message: Outgoing) -> None:
        alerts = [_entry(alert, clock.now()) for alert in message.details.get("alerts", ())]
        body = json.dumps(alerts or [_plain(message, clock.now())], ensure_ascii=False).encode()
        fetch(Request(target, body=body, headers={"Content-Type": "application/json"}), timeout=timeout)

    return send


def _entry(alert: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    evidence = alert.get("evidence", {})
    told = {
        "summary": alert["summary"],
        "command": alert.get("command"),
        "fire_time": evidence.get("fire_time"),
        "last_success_at": evidence.get("last_success_at"),
        "error": evidence.get("error"),
        "runbook_url": evidence.get("runbook"),
    }
    own = {f"label_{_safe(name)}": value for name, value in alert.get("labels", {}).items()}
    labels = own | {
        "alertname": alert["kind"],
        "severity": alert["severity"],
        "subject": alert["subject"],
        "fingerprint": alert["fingerprint"],
        "source": "celsched",
    }
    if alert.get("queue"):
        labels["queue"] = alert["queue"]
    ends = now + LASTS if alert["status"] == "firing" else datetime.fromisoformat(alert["resolved_at"])
    starts = datetime.fromisoformat(alert.get("opened_at") or alert["since"])
    return {
        # The labels are its identity: severity is among them, as Prometheus' own rules have it.
        "labels": labels,
        "annotations": {name: str(value) for name, value in told.items() if value},
        "startsAt": min(starts, ends).isoformat(),
        "endsAt": ends.isoformat(),
    }


def _plain(message: Outgoing, now: datetime) -> dict[str, Any]:
    """Return a message about no alert, such as that of `alerts test`, as an alert that ends by itself."""
    return {
        "labels": {"alertname": "celsched", "severity": message.severity, "source": "celsched"},
        "annotations": {"summary": message.title, "description": message.body},
        "startsAt": now.isoformat(),
        "endsAt": (now + LASTS).isoformat(),
    }


def _safe(name: str) -> str:
    """Return a label's name as Prometheus allows it: ASCII letters, digits, `_`; anything else by its code point."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign == "_") else f"_{ord(sign):x}_" for sign in name)
