"""Owns how a text is broken or cut to so many cells of a terminal. It knows nothing of tables and panes."""

from rich.cells import cell_len, chop_cells
from rich.text import Text


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines of at most `width` cells: broken between words, in a word only where it is longer."""
    found = [""]
    for word in text.split(" "):
        joined = f"{found[-1]} {word}" if found[-1] else word
        if cell_len(joined) <= width:
            found[-1] = joined
            continue
        parts = chop_cells(word, max(width, 2))
        found = [*found[: -1 if not found[-1] else None], *parts]
    return found


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` cells, with an ellipsis where something is missing."""
    shown = Text(text, no_wrap=True)
    shown.truncate(width, overflow="ellipsis")
    return shown.plain


def squeezed(name: str, width: int) -> str:
    """Return a name of at most `width` cells, an ellipsis in its middle: names often differ only at their ends."""
    if cell_len(name) <= width:
        return name
    tail = name
    while cell_len(tail) > width // 3:
        tail = tail[1:]
    return cut(name, width - cell_len(tail)) + tail


def at_most(text: str, width: int, lines: int) -> str:
    """Return a text as at most so many lines of `width` cells, with an ellipsis where something is missing."""
    found = [line for part in text.split("\n") for line in wrapped(part, width)]
    if len(found) <= lines:
        return "\n".join(found)
    return "\n".join([*found[: lines - 1], cut(" ".join(found[lines - 1 : lines + 1]), width)])
