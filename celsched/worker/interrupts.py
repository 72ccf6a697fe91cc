"""Owns how a signal interrupts the body of a pool process, and nothing but the body. It never sends one."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

from billiard.exceptions import SoftTimeLimitExceeded

from celsched.worker.body import Interrupted


@contextlib.contextmanager
def interruptible(soft_time_limit: timedelta | None) -> Iterator[Callable[[bool], None]]:
    """Let a body be interrupted: SIGUSR1 is the soft time limit, SIGTERM the request to stop. Yields the switch."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda _: None
        return
    seconds = soft_time_limit.total_seconds() if soft_time_limit else 0.0
    inside = False

    def switch(on: bool) -> None:
        nonlocal inside
        inside = on

    def soft(*_: object) -> None:
        if inside:
            raise SoftTimeLimitExceeded(f"the soft time limit of {seconds:g} s was reached")

    def stop(*_: object) -> None:
        if inside:
            raise Interrupted("asked to stop")

    # A handler and not SIG_IGN, which Celery sets: that would be inherited by every program the body starts.
    handlers = {signal.SIGUSR1: soft, signal.SIGTERM: stop, signal.SIGINT: lambda *_: None}
    former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield switch
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
