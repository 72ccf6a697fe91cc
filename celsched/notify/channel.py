"""Owns what every channel is given and how it fails. It never sends by itself.

What a channel says of a failure is stored and shown: it holds no part of a URL but what cannot be a secret.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from celsched.redact import Redactor

TIMEOUT = 20.0
"""Seconds for one send, whatever the other side does."""
MASK = "***"
_PIECE = re.compile(r"[/:@?&=,;#+%\s]+")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as channels get it. `severity` is info, warning or critical; `details` is JSON for programs.

    `incident` stays the same when it is sent again, so that a program can drop the second one.
    """

    incident: str
    severity: str
    title: str
    body: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def resolved(self) -> bool:
        """Whether it says only that something is over."""
        return not self.details.get("firing", 1)

    def payload(self) -> dict[str, Any]:
        """Return it for programs: what a webhook posts and a command reads."""
        return {
            "incident": self.incident,
            "severity": self.severity,
            "resolved": self.resolved,
            "title": self.title,
            "body": self.body,
            **self.details,
        }


Send = Callable[[Outgoing], None]
"""Sends one message and returns once it was accepted; raises `SendFailed`, after `TIMEOUT` at the latest."""


class SendFailed(Exception):
    """A channel did not take a message; the text says why, without secrets, in one line."""

    def __init__(self, reason: str) -> None:
        line = " ".join(Redactor().text(reason).split())
        super().__init__(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…")


def scrub(text: str, url: str, *, keep: tuple[str, ...] = (), also: Iterable[str] = ()) -> str:
    """Return the text with every part of the URL masked, but those of `keep`, and words too short for a secret.

    `also` are texts of which every word is masked like them. A server may show what it was asked as the URL means it,
    `%2F` as `/`.
    """
    _, _, rest = url.partition("://")
    pieces = {piece for whole in (rest, unquote(rest), *also) for piece in (whole, *_PIECE.split(whole))}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) > 3 and piece not in keep:
            text = text.replace(piece, MASK)
    return text
