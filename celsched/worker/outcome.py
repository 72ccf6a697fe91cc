"""Owns the one line that a worker logs for each outcome. It never decides anything."""

import logging
from datetime import datetime

from celsched.domain.execution import State
from celsched.store.endings import Ended, Ending

logger = logging.getLogger("celsched.worker")

_LEVELS = {State.SUCCEEDED: logging.INFO, State.CANCELLED: logging.INFO}


def tell(
    execution_id: int, attempt: int, ended: Ended | None, ending: Ending, seconds: float | None, now: datetime
) -> None:
    """Log what became of an attempt; `ended` None means that the store no longer took it from us.

    The next attempt is told by the wait from `now` on, which reads the same in every zone.
    """
    took = "" if seconds is None else f" in {seconds:.2f} s"
    why = f": {(ending.error or '').splitlines()[0][:200]}" if ending.error else ""
    if ended is None:
        logger.warning("execution %d.%d %s%s, but its claim was gone", execution_id, attempt, ending.outcome, took)
        return
    level = _LEVELS.get(ended.state, logging.WARNING)
    again = "" if ended.next_attempt_at is None else f", next attempt in {_wait(ended.next_attempt_at, now):.1f} s"
    state = ending.outcome if ended.next_attempt_at else ended.state
    logger.log(level, "execution %d.%d (%s) %s%s%s%s", execution_id, attempt, ended.subject, state, took, again, why)


def _wait(until: datetime, now: datetime) -> float:
    return max(0.0, (until - now).total_seconds())
