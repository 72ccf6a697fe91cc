"""Owns which columns of a table fit beside each other on a terminal, and how wide each is. Pure; it draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2
"""Cells between two columns."""
_EXTRA = 5
"""The rank from which on a column is shown only where the others keep their ease."""
_NARROWEST = 4
"""Cells to which a text is squeezed where not even its least fits."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a column asks for, in cells: `whole` shows all of it, and it reads well from `least` on.

    `breaks` False: it is never broken, so its `least` is all of it.
    """

    rank: int
    least: int
    whole: int
    breaks: bool = True

    @property
    def ease(self) -> int:
        """What it gets before any other is shown as a whole."""
        return min(self.whole, 2 * self.least)


def widths(needs: Sequence[Need], width: int) -> dict[int, int]:
    """Return the width of each column that is shown, by its place."""
    found = {place: needs[place].least for place in _shown(needs, width)}
    _grow(found, needs, width - _taken(found), [need.ease for need in needs])
    _grow(found, needs, width - _taken(found), [need.whole for need in needs])
    while _taken(found) > width:
        place = max((one for one in found if needs[one].breaks), key=lambda one: found[one], default=None)
        if place is None or found[place] <= _NARROWEST:
            break  # as narrow as can be; the terminal crops the rest
        found[place] -= 1
    return found


def _shown(needs: Sequence[Need], width: int) -> list[int]:
    """Return the places of the columns that fit: those of rank 0, then one after the other until one does not."""
    shown: list[int] = []
    for place in sorted(range(len(needs)), key=lambda place: (needs[place].rank, place)):
        rank = needs[place].rank
        kept = {one: needs[one].ease if rank >= _EXTRA else needs[one].least for one in shown}
        if rank and _taken({**kept, place: needs[place].least}) > width:
            break
        shown.append(place)
    return sorted(shown)


def _grow(found: dict[int, int], needs: Sequence[Need], room: int, wanted: Sequence[int]) -> None:
    """Share the room out: cell by cell to the narrowest of those that want more, the lower ranks before the others."""
    while room > 0:
        short = [place for place in found if found[place] < wanted[place]]
        if not short:
            return
        place = min(short, key=lambda one: (needs[one].rank, found[one]))
        found[place] += 1
        room -= 1


def _taken(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)
