"""Owns the records that a command hands over to be shown, and their values as JSON and as text. It writes nothing."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TextIO

from celsched.timing.instant import format_instant


class Kind(Enum):
    """How a column reads on a terminal; its values decide it elsewhere."""

    TEXT = "text"
    """As it is; long ones wrap."""
    WORD = "word"
    """Short text that is never broken: ids, states, queues."""
    TIME = "time"
    """A datetime, told from now."""
    DUE = "due"
    """A datetime to come, told from now; one that is past is due."""
    WALL = "wall"
    """A datetime, as wall time in the zone of the settings."""
    BOTH = "both"
    """A datetime, as wall time and told from now."""
    DURATION = "duration"
    NUMBER = "number"
    PERCENT = "percent"
    """A share of 1."""
    SIZE = "size"
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the key of its values, its title (the key in words where None), and how it reads.

    `rank` 0 is always shown; on a terminal that is too narrow the highest rank goes first. `terminal` False keeps it
    out of terminals altogether. `least` is the width in cells below which a text is not squeezed; one of
    rank 5 and more is shown only where the others have twice that, or all they need. `style` names the rich style of a
    value. A text has at most `most_lines` on a terminal: so long a one is not what a list is read for.
    """

    key: str
    title: str | None = None
    kind: Kind = Kind.TEXT
    rank: int = 0
    terminal: bool = True
    least: int = 12
    most_lines: int | None = None
    style: Callable[[Any], str | None] | None = None

    @property
    def heading(self) -> str:
        """What stands above it on a terminal."""
        return (self.title or self.key.replace("_", " ")).upper()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; a row is a mapping from the columns' keys to Python values, None where there is none.

    `name_key` is what `-o name` prints. `empty` is said on standard error where there is no row.
    """

    columns: Sequence[Column]
    rows: Iterable[Mapping[str, Any]]
    name_key: str = "name"
    empty: str | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One thing: its fields in order as (column, value), with an optional remark (such as an origin) for each key."""

    fields: Sequence[tuple[Column, Any]]
    name_key: str = "name"
    remarks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Face:
    """Where output goes: the stream, whether it is a terminal, and what times are told from and in."""

    stream: TextIO
    terminal: bool
    now: Callable[[], datetime]
    zone: Callable[[], str]
    say: Callable[[str], None] = lambda text: None
    """Takes a remark for standard error."""


def to_json(value: Any) -> Any:
    """Return the value as JSON's contract has it: UTC times as RFC 3339, lengths as seconds, words of enums."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, timedelta):
        return _seconds(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(to_json(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def to_text(value: Any) -> str:
    """Return the value for a cell of csv or tab-separated text; nothing for None."""
    plain = to_json(value)
    if plain is None:
        return ""
    if isinstance(plain, str):
        return plain
    return json.dumps(plain, ensure_ascii=False)


def _seconds(length: timedelta) -> int | float:
    seconds = length.total_seconds()
    return int(seconds) if seconds == int(seconds) else seconds
