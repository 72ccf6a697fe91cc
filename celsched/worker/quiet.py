"""Owns how a worker of ours logs: one line per outcome with its ids, and Celery's voice only where something is wrong.

It never touches the logging of an application that only called `install`.
"""

import logging
import os
from dataclasses import dataclass, field
from typing import Any

from celery import signals

from celsched.context import frame
from celsched.service import ServiceManager

_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
_OURS = "celsched"
_AGAIN = 30.0
"""Seconds until the same trouble with the broker is told again."""


class Outcomes(logging.Filter):
    """Lets through our own lines, and warnings of others.

    Not what a body logs (that is in the store, redacted), nor Celery's tracebacks about dead children (told by us),
    nor its news of a broker that stays away more than now and then: it tries several times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is told; those about the broker lose their tracebacks."""
        if record.name.startswith(_OURS):
            return True
        if record.levelno < logging.WARNING or frame.get() is not None:
            return False
        if record.name.startswith(("celery.worker.consumer", "kombu")) or _is_unsaid(record):
            return self._is_news(record)
        if record.name == "py.warnings":
            return "CPendingDeprecationWarning" not in record.getMessage()  # of Celery's own settings, at each loss
        return not (record.name == "celery.worker.request" and "WorkerLostError" in record.getMessage())

    def _is_news(self, record: logging.LogRecord) -> bool:
        record.exc_info, record.exc_text = None, None
        kind = str(record.msg)
        if record.created - self._said.get(kind, -_AGAIN) < _AGAIN:
            return False
        self._said[kind] = record.created
        return True


def _is_unsaid(record: logging.LogRecord) -> bool:
    """Return whether it says that the broker was not told of a message's fate: it sends it again, and we refuse it."""
    return record.name == "celery.worker.request" and str(record.msg).startswith("Couldn't ")


@dataclass(frozen=True, slots=True)
class Voice:
    """How a worker speaks: the form of its own log lines, the mildest level it says, and to which service manager."""

    form: logging.Formatter | None = None
    level: int = logging.INFO
    service: ServiceManager = field(default_factory=lambda: ServiceManager(None))


def log_quietly(voice: Voice) -> None:
    """Send this process's log to its standard error, and keep Celery from configuring logging itself."""
    # A copy of the descriptor: while a body runs, its process's standard error is the body's.
    stream = open(os.dup(2), "w", encoding="utf-8", errors="replace", buffering=1)  # noqa: SIM115 # until exit
    handler = logging.StreamHandler(stream)
    handler.setFormatter(voice.form or logging.Formatter(_FORMAT, datefmt="%Y-%m-%dT%H:%M:%S%z"))
    handler.addFilter(Outcomes())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(voice.level)
    # Billiard's logger has no handler and no parent; its news of dead children are ours already.
    logging.getLogger("multiprocessing").addHandler(logging.NullHandler())
    signals.setup_logging.connect(_nothing, weak=False)


def _nothing(**_: Any) -> None:
    """Stand for Celery's own configuration, which a receiver of this signal replaces."""
