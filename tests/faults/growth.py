"""Owns the judgement of what must stay flat over a long run: memory, open files, connections, keys, the WAL.

It is pure; whoever looks hands it one number per look.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Series = Mapping[str, Sequence[float]]
"""By name, ending in the unit, what was seen at each look."""

_LEAST = 50
"""Looks below which nothing is said: growth until everything is warm is none."""

_SLACK = {"MB": 8.0, "files": 8.0, "connections": 4.0, "keys": 20.0}
"""What the middle may rise by, besides a tenth, for each unit."""


@dataclass(frozen=True, slots=True)
class Course:
    """The course of one number: the middle of its second fifth, of its last fifth, and the most."""

    early: float
    late: float
    most: float

    def grows(self, unit: str) -> bool:
        """Whether it rose by more than chance would have it."""
        return self.late > self.early * 1.1 + _SLACK[unit]


def courses(series: Series) -> dict[str, Course]:
    """Return the course of everything that was looked at often enough to have one."""
    found = {}
    for name, values in series.items():
        if len(values) >= _LEAST:
            fifth = len(values) // 5
            early, late = values[fifth : 2 * fifth], values[-fifth:]
            found[name] = Course(statistics.median(early), statistics.median(late), max(values))
    return found


def growing(series: Series) -> Iterator[tuple[str, str]]:
    """Yield what grew, as findings."""
    for name, course in courses(series).items():
        if course.grows(name.rpartition(" ")[2]):
            yield "grows", f"{name}: {course.early:.0f} early, {course.late:.0f} in the end, {course.most:.0f} at most"
