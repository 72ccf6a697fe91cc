"""Owns a small good history made by hand, and its parts: tests break it in one way after the other."""

from dataclasses import replace

from tests.faults.checker import check
from tests.faults.history import SECOND, Event, History, Limits, Mark, Planned, Row, Try

BASE = 1_800_000_000 * SECOND + 250_001
PLANNED = Planned("نمونه", "short", "interval", 10 * SECOND, BASE, BASE + 20 * SECOND, "skip", 1, 1)


def row(number: int, state: str = "succeeded", **changes: object) -> Row:
    fire = BASE + (number - 1) * 10 * SECOND
    found = Row(number, PLANNED.name, state, None, fire, None, 1, 1, 1, fire + 1000, fire + 2 * SECOND)
    return replace(found, **changes)  # type: ignore[arg-type]


def event(number: int, mark: Mark, after: float, attempt: int = 1, **changes: object) -> Event:
    fire = BASE + (number - 1) * 10 * SECOND
    found = Event(mark, number, attempt, PLANNED.name, fire, 100 + number, 50, fire + int(after * SECOND))
    return replace(found, **changes)  # type: ignore[arg-type]


def tried(number: int, state: str = "succeeded", attempt: int = 1, end: float = 2.0, begin: float = 0.5) -> Try:
    fire = BASE + (number - 1) * 10 * SECOND
    return Try(number, attempt, state, 100 + number, 50, fire + int(begin * SECOND), fire + int(end * SECOND))


def good() -> History:
    events = [event(n, mark, at) for n in (1, 2, 3) for mark, at in (("start", 0.5), ("alive", 1.0), ("end", 1.9))]  # type: ignore[arg-type]
    return History(
        [PLANNED], events, [row(1), row(2), row(3)], [tried(1), tried(2), tried(3)], limits=Limits(), least_fires=3
    )


def kinds(history: History) -> set[str]:
    return {one.kind for one in check(history)}
