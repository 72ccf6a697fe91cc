"""Owns one YAML document as plain data, with the place of every key and value.

It never knows what a key means; problems are made from paths, so that whoever finds one needs no marks.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from celsched.manifest.problem import Problem, dotted

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """The data of one document. `broken` holds the paths whose value could not be read: a problem is known there."""

    file: str
    lines: Sequence[str]
    data: Any
    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]
    broken: AbstractSet[Path]

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Return where the value (or the key) of `path` begins; else the key of the nearest path above that exists."""
        if path in self.values and not at_key:
            return self.values[path]
        for length in range(len(path), 0, -1):
            found = self.keys.get(path[:length]) or self.values.get(path[:length])
            if found:
                return found
        return self.values[()]

    def where(self, path: Path) -> str:
        """Return `file:line:column` of the key of `path`, to be named in another problem."""
        place = self.place(path, at_key=True)
        return f"{self.file}:{place.line}:{place.column}"

    def problem(
        self, path: Path, message: str, hint: str | None = None, *, at_key: bool = False, warning: bool = False
    ) -> Problem:
        """Return a problem at the value (or key) of `path`."""
        place = self.place(path, at_key=at_key)
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else None
        return Problem(self.file, place.line, place.column, dotted(path), message, hint, line, warning)
