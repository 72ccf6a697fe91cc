"""Owns lines of exactly so many cells: texts cut and padded, panes side by side. It knows nothing of what they say."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from celsched.cli.format import one_line


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of `width` cells (None: what is left), at the right edge where `right`; `plain`: escaped already."""

    text: str
    width: int | None = None
    style: str = ""
    right: bool = False
    plain: bool = False


def line(width: int, *cells: Cell, mark: bool = False) -> Text:
    """Return one line of exactly `width` cells; of the cells without a width the first takes what is left.

    A line that is too narrow for its cells loses the last ones. `mark` shows it as selected.
    """
    fixed = sum(cell.width for cell in cells if cell.width is not None) + max(len(cells) - 1, 0)
    rest = max(width - fixed, 0)
    found = Text(no_wrap=True, end="")
    for number, cell in enumerate(cells):
        if number:
            found.append(" ")
        found.append_text(_cell(cell, rest if cell.width is None else cell.width))
    found.truncate(width, overflow="crop", pad=True)
    if mark:
        found.stylize("reverse")
    return found


def _cell(cell: Cell, width: int) -> Text:
    found = Text(cell.text if cell.plain else one_line(cell.text), style=cell.style, no_wrap=True)
    if found.cell_len > width:
        found.truncate(width, overflow="ellipsis")
    found.align("right" if cell.right else "left", width)
    return found


def blank(width: int) -> Text:
    """Return a line of spaces."""
    return Text(" " * width, no_wrap=True, end="")


def high(lines: Sequence[Text], height: int, width: int) -> list[Text]:
    """Return exactly `height` lines: the first ones, or blank ones after them."""
    return [*lines[:height], *(blank(width) for _ in range(height - len(lines)))]


def beside(left: Sequence[Text], right: Sequence[Text]) -> list[Text]:
    """Return two panes of the same height as one, with a column between them."""
    return [Text.assemble(one, " ", other, no_wrap=True, end="") for one, other in zip(left, right, strict=True)]


def window(count: int, place: int | None, height: int) -> range:
    """Return which of `count` rows are shown in `height` lines, so that the selected one is among them."""
    start = 0 if place is None else min(max(place - height + 1, 0), max(count - height, 0))
    return range(start, min(start + height, count))


def bar(share: float | None, width: int, *, reported: bool) -> str:
    """Return a progress bar: full blocks where the task reported it, shaded ones where it is a guess."""
    if share is None:
        return "·" * width
    done = min(int(share * width), width)
    return ("█" if reported else "▒") * done + "·" * (width - done)
