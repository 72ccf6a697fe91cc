"""The loop under errors, stops and wake-ups, on a clock turned by hand."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from celsched.clock import SystemClock
from celsched.runloop import WakeEvent, run_until_stopped, stop_on_signals
from tests.support.clock import ManualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Script:
    """A step that plays a list of outcomes, then stops the loop."""

    def __init__(self, stop: threading.Event, *outcomes: float | Exception | None) -> None:
        self.stop = stop
        self.outcomes = list(outcomes)
        self.turns = 0

    def __call__(self) -> float | None:
        self.turns += 1
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def _run(*outcomes: float | Exception | None, max_backoff: float = 4.0) -> tuple[ManualClock, list[float]]:
    stop, clock, pauses = threading.Event(), ManualClock(START, auto_advance=True), list[float]()
    run_until_stopped(
        Script(stop, *outcomes),
        stop=stop,
        clock=clock,
        on_error=lambda error, pause: pauses.append(pause),
        max_backoff=max_backoff,
    )
    return clock, pauses


def test_waits_what_each_step_asks_for() -> None:
    clock, pauses = _run(1.0, None, 0.0, 2.5, 99.0)
    assert clock.monotonic() == 3.5
    assert pauses == []


def test_errors_back_off_up_to_the_cap_and_a_good_step_resets_it() -> None:
    bad = ValueError("broken")
    _, pauses = _run(bad, bad, bad, bad, bad, 0.0, bad, None)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0, 0.5]


def test_a_stopped_loop_does_not_begin() -> None:
    stop = threading.Event()
    stop.set()
    step = Script(stop, None)
    run_until_stopped(step, stop=stop, clock=ManualClock(START), on_error=lambda error, pause: None)
    assert step.turns == 0


def test_a_failing_wake_is_fenced_like_a_step() -> None:
    stop, seen = threading.Event(), list[str]()

    def wake(seconds: float) -> None:
        raise OSError("database gone")

    run_until_stopped(
        Script(stop, 1.0, None),
        stop=stop,
        clock=ManualClock(START),
        on_error=lambda error, pause: seen.append(str(error)),
        wake=wake,
    )
    assert seen == ["database gone"]


def test_wake_event_ends_a_wait_once() -> None:
    wake = WakeEvent(SystemClock())
    wake.set()
    assert wake(60.0) is True
    assert wake(0.0) is False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_stops_and_further_ones_hurry(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop, calls = threading.Event(), list[str]()
    with stop_on_signals(stop, on_stop=lambda: calls.append("stop"), hurry=lambda: calls.append("hurry")):
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert calls == ["stop", "hurry", "hurry"]
    assert signal.getsignal(number) is before


_INTERRUPTED = """
import os, signal, threading
from celsched.runloop import stop_on_signals

stop = threading.Event()
with stop_on_signals(stop):
    with stop._cond:  # as for a moment in each wait
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.wait(5)
"""


def test_a_signal_in_the_midst_of_a_wait_does_not_lock_the_process_up() -> None:
    subprocess.run([sys.executable, "-c", _INTERRUPTED], check=True, timeout=20)
