"""Owns the contract between publisher and worker: the task's name, its three arguments and the form of its id.

It never carries anything else: path, parameters and limits are read from the store by the worker.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from celsched.broker.errors import ForeignMessage

TASK_EXECUTE = "celsched.execute"

_TASK_ID = re.compile(r"celsched-([A-Za-z0-9_]+)-([0-9]{1,19})\.([0-9]{1,9})\.([0-9]{1,9})", re.ASCII)
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Message:
    """What the worker is told: which store, which execution, which attempt (counted from 1)."""

    store: str
    execution_id: int
    attempt: int

    def to_kwargs(self) -> dict[str, str | int]:
        """Return the keyword arguments of the Celery message."""
        return {"store": self.store, "execution_id": self.execution_id, "attempt": self.attempt}

    @classmethod
    def from_kwargs(cls, kwargs: Mapping[str, Any]) -> "Message":
        """Read the keyword arguments of a Celery message; keys that a newer celsched may add are ignored.

        Raises:
            ForeignMessage: a key is missing, or a value has the wrong type or range.
        """
        store = kwargs.get("store")
        if not isinstance(store, str) or not store:
            raise _foreign("store", store)
        return cls(
            store=store,
            execution_id=_positive("execution_id", kwargs.get("execution_id")),
            attempt=_positive("attempt", kwargs.get("attempt")),
        )


class TaskId(NamedTuple):
    """The parts of a Celery task id of ours."""

    store: str
    execution_id: int
    attempt: int
    publishes: int


def task_id(store_word: str, execution_id: int, attempt: int, publishes: int) -> str:
    """Return the Celery task id of one publish; it differs for each, since workers discard a revoked id for ever."""
    return f"celsched-{store_word}-{execution_id}.{attempt}.{publishes}"


def parse_task_id(text: str) -> TaskId:
    """Take a Celery task id of ours apart.

    Raises:
        ForeignMessage: `text` does not have the form that `task_id` makes.
    """
    match = _TASK_ID.fullmatch(text)
    if match is None:
        raise ForeignMessage(f"{text!r} is not a task id of celsched")
    store, *numbers = match.groups()
    return TaskId(store, *(int(number) for number in numbers))


def _positive(name: str, value: object) -> int:
    # bool is an int in Python, and JSON's `true` is no attempt number.
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST_ID:
        raise _foreign(name, value)
    return value


def _foreign(name: str, value: object) -> ForeignMessage:
    return ForeignMessage(
        f"a message for {TASK_EXECUTE} has {name} = {repr(value)[:80]}, which celsched never sends",
        hint="look for another program that publishes to this queue",
    )
