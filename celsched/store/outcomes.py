"""Owns the last outcomes that a schedule's state keeps, as letters in a ring. It never says what they mean."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, Text, func, literal

from celsched.domain.execution import Reason, State
from celsched.domain.health import watched
from celsched.domain.health.watched import RECENT
from celsched.domain.plan import Skip
from celsched.store.tables import states

_LETTERS = {
    State.SUCCEEDED: watched.SUCCEEDED,
    State.FAILED: watched.FAILED,
    State.TIMED_OUT: watched.TIMED_OUT,
    State.LOST: watched.LOST,
    State.EXPIRED: watched.EXPIRED,
}


def letter_of(state: State) -> str:
    """Return the letter of an end; nothing for ends that say nothing of the schedule (cancelled, skipped)."""
    return _LETTERS.get(state, "")


def letters_of(skips: Iterable[Skip]) -> str:
    """Return the letters of fire times that one plan skipped, at most as many as are kept: only overlap has one."""
    return watched.OVERLAPPED * min(RECENT, sum(skip.count for skip in skips if skip.reason is Reason.OVERLAP))


def with_letters(tx: Connection, letters: str | ColumnElement[str]) -> ColumnElement[str]:
    """Return the new value of `schedule_states.recent`: these letters at its end, the oldest fallen off."""
    joined = states.c.recent.op("||")(literal(letters, Text()) if isinstance(letters, str) else letters)
    cut = func.substr(joined, -RECENT) if tx.dialect.name == "sqlite" else func.right(joined, RECENT)
    return cut
