"""Owns how lines are shared out among the panes of the live view. It knows nothing of what they show."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """What a pane needs at `least`, how many lines would show all of it, and how many it gets in one round."""

    least: int
    most: int
    weight: int = 1


def share_out(height: int, wishes: Sequence[Wish], *, rest: int) -> list[int]:
    """Return the lines of each pane, `height` in all: what each needs, then rounds by weight up to what each wants.

    What nobody wants is given to the pane at `rest`. Where there is not enough for what each needs, the last get less.
    """
    given: list[int] = []
    for wish in wishes:
        given.append(max(min(wish.least, height - sum(given)), 0))
    left = height - sum(given)
    while left > 0 and any(lines < wish.most for lines, wish in zip(given, wishes, strict=True)):
        for at in sorted(range(len(wishes)), key=lambda at: -wishes[at].weight):
            more = max(min(wishes[at].weight, wishes[at].most - given[at], left), 0)
            given[at] += more
            left -= more
    given[rest] += max(left, 0)
    return given
