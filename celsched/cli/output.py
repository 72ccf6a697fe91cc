"""Owns the forms of every list and every single thing: table, json, jsonl, csv, name. It never queries.

On a terminal a table is for eyes; anywhere else rows are tab-separated, whole, and times are RFC 3339.
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from celsched.cli import format as human
from celsched.timing.instant import format_instant


class OutputMode(StrEnum):
    """The forms of `-o`."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    NAME = "name"


OutputOption = Annotated[
    OutputMode | None,
    typer.Option(
        "-o",
        "--output",
        help="Form of the result. Without it: a table on a terminal, elsewhere tab-separated rows with no header.",
        show_default=False,
    ),
]
"""Write `output: OutputOption = None` in a command, and hand it on."""


class Kind(Enum):
    """How a column reads on a terminal; its values decide it elsewhere."""

    TEXT = "text"
    """As it is; long ones wrap."""
    WORD = "word"
    """Short text that is never broken: ids, states, queues."""
    TIME = "time"
    """A datetime, told from now."""
    WALL = "wall"
    """A datetime, as wall time in the zone of the settings."""
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
    out of terminals altogether. `least` is the width in cells below which a text is not squeezed. `style` names the
    rich style of a value.
    """

    key: str
    title: str | None = None
    kind: Kind = Kind.TEXT
    rank: int = 0
    terminal: bool = True
    least: int = 12
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


def write_table(table: Table, mode: OutputMode | None, face: Face) -> None:
    """Write the table in the form asked for (None: the one that fits the stream)."""
    if mode is OutputMode.JSON:
        _write_json_array(table, face.stream)
        return
    if mode in (None, OutputMode.TABLE) and face.terminal:
        # Rich is loaded only where a terminal looks at it: a tenth of a second that pipes do not pay.
        from celsched.cli.render_terminal import draw_table

        draw_table(table, face)
        return
    writer = _row_writer(table, mode, face.stream)
    count = 0
    for row in table.rows:
        writer(row)
        count += 1
    if not count and table.empty:
        face.say(table.empty)


def write_sheet(sheet: Sheet, mode: OutputMode | None, face: Face) -> None:
    """Write one thing: fields under each other, or one JSON object, or a table of one row."""
    row = {column.key: value for column, value in sheet.fields}
    if mode is OutputMode.JSON:
        face.stream.write(json.dumps(to_json(row), ensure_ascii=False, indent=2) + "\n")
    elif mode in (None, OutputMode.TABLE) and face.terminal:
        from celsched.cli.render_terminal import draw_sheet

        draw_sheet(sheet, face)
    elif mode in (None, OutputMode.TABLE):
        for column, value in sheet.fields:
            face.stream.write(f"{column.key}\t{human.one_line(to_text(value))}\n")
    else:
        write_table(Table([column for column, _ in sheet.fields], [row], sheet.name_key), mode, face)


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


def _row_writer(table: Table, mode: OutputMode | None, stream: TextIO) -> Callable[[Mapping[str, Any]], object]:
    keys = [column.key for column in table.columns]
    if mode is OutputMode.JSONL:
        return lambda row: stream.write(
            json.dumps(to_json({key: row.get(key) for key in keys}), ensure_ascii=False) + "\n"
        )
    if mode is OutputMode.NAME:
        return lambda row: stream.write(human.one_line(to_text(row[table.name_key])) + "\n")
    if mode is OutputMode.CSV:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(keys)
        return lambda row: writer.writerow([to_text(row.get(key)) for key in keys])
    if mode is OutputMode.TABLE:  # asked for by name, where no terminal is: the header helps who reads it later
        stream.write("\t".join(keys) + "\n")
    return lambda row: stream.write("\t".join(human.one_line(to_text(row.get(key))) for key in keys) + "\n")


def _write_json_array(table: Table, stream: TextIO) -> None:
    """Write the array row by row, so that a long list needs no memory."""
    keys = [column.key for column in table.columns]
    separator = "[\n  "
    for row in table.rows:
        text = json.dumps(to_json({key: row.get(key) for key in keys}), ensure_ascii=False, indent=2)
        stream.write(separator + text.replace("\n", "\n  "))
        separator = ",\n  "
    stream.write("[]\n" if separator.startswith("[") else "\n]\n")
