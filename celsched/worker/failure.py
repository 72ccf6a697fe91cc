"""Owns how an exception of a body is told: type, message and traceback from the user's first frame on. No policy."""

import asyncio
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import celery
from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from celsched.redact import Redactor
from celsched.worker.text import bounded, bounded_end, clean

_LONGEST_MESSAGE = 8 * 1024
_LONGEST_TRACEBACK = 32 * 1024
_NOT_THE_USERS = (
    *(f"{Path(str(module.__file__)).parent}/" for module in (celery, asyncio)),
    f"{Path(__file__).parent.parent}/",
)
_NAME_THEMSELVES = (SoftTimeLimitExceeded.__str__, TimeLimitExceeded.__str__)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is stored of an exception."""

    type: str
    message: str
    traceback: str | None


def describe(error: BaseException, redactor: Redactor) -> Failure:
    """Return the exception as it is stored: clean, redacted, bounded (32 KiB of traceback, its end)."""
    try:
        message = _said(error)
    except Exception:
        message = f"{type(error).__name__} (its message cannot be read)"
    name = type(error).__qualname__
    message = redactor.text(clean(bounded(message, _LONGEST_MESSAGE))) or name
    return Failure(clean(name), message, _traceback(error, redactor))


def _said(error: BaseException) -> str:
    """Return what it says. billiard's own text of a time limit is its name and its arguments as Python writes them."""
    if type(error).__str__ in _NAME_THEMSELVES:
        return " ".join(str(part) for part in error.args)
    return str(error)


def _traceback(error: BaseException, redactor: Redactor) -> str | None:
    try:
        lines = traceback.TracebackException(type(error), error, _from_user_code(error.__traceback__)).format()
        text = "".join(lines)
        if type(error).__str__ in _NAME_THEMSELVES:
            text = text.replace(f": {error}\n", f": {_said(error)}".removesuffix(": ") + "\n")
        return redactor.text(bounded_end(clean(text), _LONGEST_TRACEBACK))
    except Exception:  # an exception whose own methods raise
        return None


def _from_user_code(tb: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of celsched, Celery and asyncio that led to the user's first one."""
    start = tb
    while start is not None and start.tb_frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        start = start.tb_next
    return start
