"""Owns the variable behind `celsched.current()` and `celsched.progress()`: what a running task may know of itself.

It never touches the store; the worker puts a value in and reads progress out.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Current:
    """The execution that the calling code belongs to."""

    execution_id: int
    attempt: int
    fire_time: datetime | None
    schedule: str | None
    task: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is, in its own units."""

    done: float
    total: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Frame:
    """What the worker sets around a body: the execution, and where its progress goes."""

    current: Current
    report: Callable[[Progress], None]


frame: ContextVar[Frame | None] = ContextVar("celsched_frame", default=None)


def current() -> Current | None:
    """Return the execution this code runs for, or None outside a celsched execution."""
    active = frame.get()
    return active.current if active else None


def progress(done: float, total: float | None = None, message: str | None = None) -> None:
    """Report how far the task is; shown live by `run-now --wait` and `show execution`.

    Cheap enough for a tight loop (the worker keeps the newest value and stores it about once a second). Outside a
    celsched execution it does nothing, so that the same function can be called from anywhere.
    """
    active = frame.get()
    if active:
        active.report(Progress(done, total, message))
