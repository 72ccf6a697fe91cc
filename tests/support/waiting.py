"""Owns the one place where tests may sleep: polling a condition until it holds.

It never waits for a time to pass; a condition that does not come true is a failure that says what was expected.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, timeout: float = 10.0, message: str, every: float = 0.01) -> T:
    """Poll `condition` until it is truthy and return its value.

    `message` says what was waited for; it may not be left out, because a bare time-out helps nobody.

    Raises:
        AssertionError: the condition did not hold within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout} s: {message}")
        time.sleep(every)
