"""Owns the last outcomes that a schedule's state keeps, as letters in a ring. It never says what they mean."""

from sqlalchemy import ColumnElement, Connection, Text, func, literal

from celsched.domain.execution import State
from celsched.domain.health import watched
from celsched.domain.health.watched import RECENT
from celsched.domain.plan import Plan
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


def letter_of_plan(plan: Plan) -> str:
    """Return the letter of what one plan skipped: only overlap has one, and many fire times at once count as one.

    Where many are decided together the daemon was late, as after an outage: that says nothing of how long runs take.
    """
    return watched.OVERLAPPED if plan.overlapped else ""


def with_letters(tx: Connection, letters: str | ColumnElement[str]) -> ColumnElement[str]:
    """Return the new value of `schedule_states.recent`: these letters at its end, the oldest fallen off."""
    joined = states.c.recent.op("||")(literal(letters, Text()) if isinstance(letters, str) else letters)
    cut = func.substr(joined, -RECENT) if tx.dialect.name == "sqlite" else func.right(joined, RECENT)
    return cut
