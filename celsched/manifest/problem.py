"""Owns what a mistake in a manifest looks like to its author: place, sentence, the line itself, the next step.

It never reads a file and never decides what a mistake is.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_WIDEST = 110
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `line` and `column` count characters from 1; both are None where it is about the file as a whole."""

    file: str
    line: int | None
    column: int | None
    path: str
    message: str
    hint: str | None = None
    source_line: str | None = None
    warning: bool = False

    @property
    def head(self) -> str:
        """The first line: `file:line:column: path: message`, without what is not known."""
        place = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        kind = "warning: " if self.warning else ""
        return _safe(f"{place}: {self.path + ': ' if self.path else ''}{kind}{self.message}")

    def render(self) -> str:
        """Return the head, the offending line with a caret under the place, and the hint; without a last newline."""
        lines = [self.head]
        if self.source_line is not None and self.column is not None:
            lines += _excerpt(self.source_line, self.column - 1)
        if self.hint:
            lines.append(f"  hint: {_safe(self.hint)}")
        return "\n".join(lines)


def dotted(path: Sequence[str | int]) -> str:
    """Return a path for people: `schedules.nightly.params.hours`, `labels[2]`; parts that hold a dot are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = f'"{part}"' if "." in part or part != part.strip() or not part else part
            text += f".{shown}" if text else shown
    return text


def _excerpt(line: str, at: int) -> list[str]:
    """Return the part of `line` around character `at`, and the line with the caret, both indented."""
    start = max(0, at - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = _safe(line[start : start + _WIDEST])
    before, after = "…" if start else "", "…" if start + _WIDEST < len(line) else ""
    indent = sum(map(_cells, shown[: at - start])) + len(before)
    return [f"    {before}{shown.rstrip()}{after}", f"    {' ' * indent}^"]


def _safe(text: str) -> str:
    """Return `text` without what a file must not send to a terminal; a tab, too, would move the caret."""
    return "".join(c if c.isprintable() or c in _JOINERS else " " for c in text)


def _cells(character: str) -> int:
    """Return how many cells of a terminal a character takes."""
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
