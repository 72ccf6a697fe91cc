"""The clock of a database server: it follows what was measured last, and never shows halves of two measures."""

from datetime import UTC, datetime, timedelta

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
