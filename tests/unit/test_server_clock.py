"""The clock of a database server: it follows what was measured last, and never shows halves of two measures."""

from datetime import UTC, datetime, timedelta

import pytest

from celsched.clock import ServerClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Watched(ServerClock):
    """A server clock that another thread reads whenever anything of it changes."""

    seen: list[datetime]

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name != "seen" and hasattr(self, "seen"):
            self.seen.append(self.now())


def test_a_reader_never_gets_the_halves_of_two_measures() -> None:
    server = iter((START, START + timedelta(hours=1)))
    clock = Watched(lambda: next(server), every=0.0)
    clock.seen = []
    clock.refresh()
    assert len(clock.seen) == 2, "the try is noted, then the measure is in force: in one step"
    first, second = (one - START for one in clock.seen)
    assert first < timedelta(minutes=1)
    assert timedelta(hours=1) <= second < timedelta(hours=1, minutes=1)


class Wire:
    """A server of which the clock goes right, over a wire that takes the given seconds before it answers, each way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *trips: tuple[float, float]) -> None:
        self.present = 100.0
        self.ahead = timedelta(0)
        self._trips = iter(trips)
        monkeypatch.setattr("celsched.clock.time.monotonic", lambda: self.present)

    def true(self) -> datetime:
        return START + timedelta(seconds=self.present) + self.ahead

    def ask(self) -> datetime:
        there, back = next(self._trips)
        self.present += there
        answer = self.true()
        self.present += back
        return answer


def _off(clock: ServerClock, wire: Wire) -> float:
    return round((clock.now() - wire.true()).total_seconds(), 3)


def test_of_the_first_tries_the_most_precise_counts_and_a_poor_one_is_soon_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = Wire(monkeypatch, (0.5, 0), (0.12, 0), (0.3, 0), (0.004, 0))
    clock = ServerClock(wire.ask)
    assert _off(clock, wire) == 0.06
    wire.present += 1
    clock.refresh()
    assert _off(clock, wire) == 0.002
    clock.refresh()  # not before 30 s have passed: the wire would refuse


def test_a_slow_answer_moves_no_precise_clock_but_one_that_was_set_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(monkeypatch, (0.001, 0.001), (0.54, 0), (0, 0.54), (0.54, 0), (0.54, 0))
    clock = ServerClock(wire.ask)
    for _ in range(2):
        wire.present += 31
        clock.refresh()
        assert _off(clock, wire) == 0, "half of the way would be early, or late, by 0.27 s"
    for step, left in ((timedelta(hours=1), 0.27), (timedelta(hours=-1), 0.27)):
        wire.ahead += step
        wire.present += 31
        clock.refresh()
        assert _off(clock, wire) == left
