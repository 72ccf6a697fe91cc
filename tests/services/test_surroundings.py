"""What a watcher sees besides the store: steps of a clock, and a service asked in a thread that may hang."""

import threading
from datetime import datetime, timedelta

import pytest

from celsched.domain.health.machine_facts import Answer, ClockReading
from celsched.errors import BrokerUnreachable
from celsched.monitor.clocks import ClockWatch
from celsched.monitor.probe import Probe
from tests.support.clock import ManualClock
from tests.support.stores import START
from tests.support.waiting import wait_until

SECOND = timedelta(seconds=1)


def test_only_a_step_of_the_clock_is_a_step() -> None:
    clock = ManualClock(START)
    watch = ClockWatch(clock, clock)
    watch.read()
    clock.advance(3600 * SECOND)

    assert watch.read() == ClockReading()
    clock.set(clock.now() - 5 * SECOND)
    clock.advance(10 * SECOND)
    assert watch.read().moved == -5 * SECOND


def test_a_step_is_told_until_it_was_judged() -> None:
    clock = ManualClock(START)
    watch = ClockWatch(clock, clock)
    watch.read()
    clock.set(START + 60 * SECOND)

    assert [watch.read().moved for _ in range(2)] == [60 * SECOND] * 2
    watch.told()
    assert watch.read().moved == timedelta(0)


def test_the_machines_clock_is_compared_with_the_stores() -> None:
    machine, store = ManualClock(START + 7 * SECOND), ManualClock(START)

    assert ClockWatch(machine, store).read().ahead == 7 * SECOND
    assert ClockWatch(machine, machine).read().ahead is None


class _HeldUp(ManualClock):
    """A clock that is read slowly: half a second passes with each reading of the wall clock."""

    def now(self) -> datetime:
        seen = super().now()
        self.advance(SECOND / 2)
        return seen


def test_a_process_that_was_held_up_between_two_readings_knows_nothing() -> None:
    clock = _HeldUp(START)
    watch = ClockWatch(clock, clock)
    watch.read()
    clock.set(START + 60 * SECOND)

    assert watch.read().moved == timedelta(0)


class _Service:
    """A service that answers, refuses, or hangs until it is let go."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0
        self.free = threading.Event()
        self.free.set()

    def ask(self) -> None:
        self.asked += 1
        error = self.error
        assert self.free.wait(60)
        if error:
            raise error


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def service() -> _Service:
    return _Service()


def _heard(probe: Probe, times: int, service: _Service) -> Answer:
    """Return what is known once the service has answered so often."""
    found: list[Answer] = []

    def answered() -> bool:
        answer = probe.answer()
        if answer is not None and service.asked >= times:
            found.append(answer)
        return bool(found) and not any(thread.name == "probe-broker" for thread in threading.enumerate())

    wait_until(answered, timeout=60, message="the probe has an answer")
    final = probe.answer()
    assert final is not None
    return final


def test_an_answer_lasts_until_it_changes(clock: ManualClock, service: _Service) -> None:
    probe = Probe("broker", service.ask, clock)
    assert probe.answer() is None

    assert _heard(probe, 1, service) == Answer(None, timedelta(0))
    clock.advance(14 * SECOND)
    assert probe.answer() == Answer(None, 14 * SECOND)
    clock.advance(SECOND)
    assert _heard(probe, 2, service) == Answer(None, 15 * SECOND)
    service.error = BrokerUnreachable("the broker refuses")
    clock.advance(15 * SECOND)
    assert _heard(probe, 3, service) == Answer("the broker refuses", timedelta(0))
    service.error = OSError("secret of the library")
    clock.advance(15 * SECOND)
    assert _heard(probe, 4, service) == Answer("the broker does not answer: OSError", 15 * SECOND)
    service.error = None
    clock.advance(15 * SECOND)
    assert _heard(probe, 5, service) == Answer(None, timedelta(0))


def test_a_service_that_hangs_does_not_answer_and_is_asked_only_once(clock: ManualClock, service: _Service) -> None:
    probe = Probe("broker", service.ask, clock)
    service.free.clear()
    assert probe.answer() is None
    wait_until(lambda: service.asked == 1, timeout=60, message="the question is on its way")

    clock.advance(10 * SECOND)
    assert probe.answer() is None
    clock.advance(SECOND)
    assert probe.answer() == Answer("the broker does not answer", 11 * SECOND)
    clock.advance(60 * SECOND)
    assert probe.answer() == Answer("the broker does not answer", 71 * SECOND)
    assert service.asked == 1

    service.free.set()
    assert _heard(probe, 1, service) == Answer(None, timedelta(0))


def test_who_looks_only_once_waits_for_the_answer(clock: ManualClock, service: _Service) -> None:
    def refuse() -> None:
        raise BrokerUnreachable("nobody listens")

    probe = Probe("broker", refuse, clock)
    probe.hear()
    assert probe.answer() == Answer("nobody listens", timedelta(0))
