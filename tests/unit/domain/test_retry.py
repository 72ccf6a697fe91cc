"""Whether and when another attempt follows."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celsched.domain.execution import State
from celsched.domain.policy import RetryPolicy
from celsched.domain.retry import backoff, goes_on

STEADY = RetryPolicy(jitter=False)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (50, 600), (100_000, 600), (0, 10)]
)
def test_the_delay_doubles_up_to_its_cap(failures: int, seconds: float) -> None:
    assert backoff(STEADY, failures, 0.5) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("random", "seconds"), [(0.0, 0), (0.25, 5), (0.5, 10), (0.999, 19.98)])
def test_jitter_takes_a_part_of_the_delay(random: float, seconds: float) -> None:
    assert backoff(RetryPolicy(), 2, random) == timedelta(seconds=seconds)


@pytest.mark.parametrize("failures", [1, 5, 100_000])
def test_no_delay_stays_no_delay(failures: int) -> None:
    assert backoff(RetryPolicy(delay=timedelta(0)), failures, 0.9) == timedelta(0)


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True), st.floats(1, 100))
def test_the_delay_lies_between_nothing_and_the_cap(failures: int, random: float, factor: float) -> None:
    policy = RetryPolicy(factor=factor)

    assert timedelta(0) <= backoff(policy, failures, random) <= policy.max_delay


@pytest.mark.parametrize(
    ("outcome", "failures", "losses", "expected"),
    [
        (State.FAILED, 1, 0, True),
        (State.FAILED, 2, 0, True),
        (State.FAILED, 3, 0, False),
        (State.TIMED_OUT, 2, 0, True),
        (State.TIMED_OUT, 3, 0, False),
        (State.LOST, 0, 1, True),
        (State.LOST, 0, 2, False),
        # The two budgets are apart: failures do not use up losses, nor the other way round.
        (State.LOST, 9, 1, True),
        (State.FAILED, 1, 9, True),
        (State.SUCCEEDED, 0, 0, False),
        (State.CANCELLED, 0, 0, False),
        (State.EXPIRED, 0, 0, False),
    ],
)
def test_attempts_go_on_while_their_budget_lasts(outcome: State, failures: int, losses: int, expected: bool) -> None:
    assert goes_on(outcome, failures=failures, max_retries=2, losses=losses, retry_on_lost=1) is expected


@pytest.mark.parametrize("outcome", [State.FAILED, State.TIMED_OUT, State.LOST])
def test_without_retries_nothing_follows(outcome: State) -> None:
    assert not goes_on(outcome, failures=1, max_retries=0, losses=1, retry_on_lost=0)
