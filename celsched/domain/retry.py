"""Decides whether and when a further attempt is made. It never draws a random number: that is handed in."""

from datetime import timedelta

from celsched.domain.execution import State
from celsched.domain.policy import RetryPolicy


def backoff(policy: RetryPolicy, failures: int, random: float) -> timedelta:
    """Return the delay before the next attempt after `failures` (at least 1) failed ones; `random` is in [0, 1).

    With jitter it is full jitter: uniform between nothing and the capped exponential delay.
    """
    ceiling = policy.max_delay.total_seconds()
    if not policy.delay:
        return timedelta(0)
    try:
        delay = min(policy.delay.total_seconds() * policy.factor ** max(0, failures - 1), ceiling)
    except OverflowError:
        delay = ceiling
    return timedelta(seconds=round(delay * random if policy.jitter else delay, 6))


def goes_on(outcome: State, *, failures: int, max_retries: int, losses: int, retry_on_lost: int) -> bool:
    """Return whether another attempt follows an attempt that ended as `outcome`; counts include that attempt."""
    if outcome is State.LOST:
        return losses <= retry_on_lost
    return outcome in (State.FAILED, State.TIMED_OUT) and failures <= max_retries
