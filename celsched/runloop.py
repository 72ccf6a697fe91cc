"""Owns the skeleton of every background service: a step, again and again, until told to stop.

It never knows what a step does, and never reads the clock itself.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from celsched.clock import Clock

_FIRST_BACKOFF = 0.5
Step = Callable[[], float | None]
"""One turn; returns the seconds until the next, None for at once."""


def run_until_stopped(
    step: Step,
    *,
    stop: threading.Event,
    clock: Clock,
    on_error: Callable[[Exception, float], None],
    wake: Callable[[float], object] | None = None,
    max_backoff: float = 30.0,
) -> None:
    """Call `step` until `stop` is set, which also interrupts the waits between.

    A step that raises cannot end the loop: `on_error` is told the error and the pause that follows, which doubles from
    0.5 s to `max_backoff` and starts anew after a good step. Between good steps `wake(seconds)` waits where it is
    given: it must return when `stop` is set, and may return early when there is work; else the loop waits for `stop`.
    """
    pause = _FIRST_BACKOFF
    while not stop.is_set():
        try:
            seconds = step()
            if seconds and not stop.is_set():
                (wake or (lambda length: clock.wait(stop, length)))(seconds)
            pause = _FIRST_BACKOFF
        except Exception as error:
            on_error(error, pause)
            clock.wait(stop, pause)
            pause = min(pause * 2, max_backoff)


class WakeEvent:
    """A wait that ends early: `set` it from any thread when there is work; give the object to a loop as its `wake`.

    `stop_too` makes stopping end the wait as well: whoever sets `stop` must then call `set`.
    """

    def __init__(self, clock: Clock) -> None:
        self._event = threading.Event()
        self._clock = clock

    def set(self) -> None:
        """End the present wait, or the next one where nobody waits."""
        self._event.set()

    def __call__(self, seconds: float) -> bool:
        """Wait at most `seconds`; return whether somebody called `set` since the last wait."""
        called = self._clock.wait(self._event, seconds)
        self._event.clear()
        return called


@contextmanager
def stop_on_signals(
    stop: threading.Event, *, on_stop: Callable[[], None] | None = None, hurry: Callable[[], None] | None = None
) -> Iterator[None]:
    """Within the block SIGTERM and SIGINT set `stop`, and the former handlers come back at its end.

    `on_stop` is called after the first signal (to end a wait), `hurry` after each further one, both by a thread of
    their own: a handler runs in the midst of other code, another signal's handler too, and whatever takes a lock there
    (`Event.set` does) waits for ever where that code holds it. Only the main thread may enter.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def handle(number: int, frame: FrameType | None) -> None:
        with suppress(BlockingIOError):  # full: there are enough
            os.write(writer, b"!")

    def listen() -> None:
        while os.read(reader, 1):
            call = hurry if stop.is_set() else on_stop
            stop.set()
            if call is not None:
                call()

    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    former = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        os.close(writer)
        listener.join()
        os.close(reader)
