"""Owns how tables and sheets are drawn on a terminal, fitted to its width. It never runs where there is none."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from celsched.cli import format as human
from celsched.cli.column_widths import GAP, Need, widths
from celsched.cli.table import Column, Face, Kind, Sheet, Table, to_text
from celsched.cli.wrapping import at_most

_RIGHT = {Kind.NUMBER, Kind.PERCENT, Kind.SIZE, Kind.DURATION}


def console(stream: TextIO) -> Console:
    """Return a console that guesses nothing about words in the text; it honours NO_COLOR and TERM=dumb itself."""
    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False)


def draw_table(table: Table, face: Face) -> None:
    """Draw the rows; where they cannot fit, leave out columns of high rank and wrap texts."""
    rows = list(table.rows)
    if not rows:
        if table.empty:
            face.say(table.empty)
        return
    out = console(face.stream)
    cells = [{column.key: cell(column, row.get(column.key), face) for column in table.columns} for row in rows]
    columns = [column for column in table.columns if column.terminal]
    shared = widths([_need(column, cells) for column in columns], out.width)
    drawn = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    for place, cells_wide in shared.items():
        column = columns[place]
        drawn.add_column(
            column.heading,
            justify="right" if column.kind in _RIGHT else "left",
            no_wrap=column.kind is not Kind.TEXT,
            overflow="fold",
            width=cells_wide,
        )
    for row_cells in cells:
        drawn.add_row(*(_shortened(row_cells[columns[place].key], columns[place], shared[place]) for place in shared))
    out.print(drawn)


def draw_sheet(sheet: Sheet, face: Face) -> None:
    """Draw the fields under each other, titles left, values wrapped to the right of them, remarks dimmed."""
    drawn = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=False, show_edge=False)
    drawn.add_column(no_wrap=True, style="bold")
    drawn.add_column(overflow="fold")
    for column, value in sheet.fields:
        shown = cell(column, value, face)
        remark = sheet.remarks.get(column.key)
        drawn.add_row(
            (column.title or column.key.replace("_", " ")),
            Text.assemble(shown, (f"  {remark}", "dim")) if remark else shown,
        )
    console(face.stream).print(drawn)


def cell(column: Column, value: Any, face: Face) -> Text:
    """Return the value as its column reads, styled."""
    style = column.style(value) if column.style is not None else None
    return Text(human.printable(_read(column.kind, value, face)), style=style or ("dim" if value is None else ""))


def _read(kind: Kind, value: Any, face: Face) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return _instant(kind, value, face)
    if isinstance(value, timedelta):
        return human.duration(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind is Kind.PERCENT:
        return human.percent(value)
    if kind is Kind.SIZE:
        return human.size(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str | Enum | int) for item in value):
        return ", ".join(to_text(item) for item in value) or "-"
    return to_text(value)


def _instant(kind: Kind, value: datetime, face: Face) -> str:
    wall, told = human.wall(value, face.zone()), human.relative(value, face.now(), face.zone())
    if kind is Kind.BOTH:
        return wall if wall.startswith(told) else f"{wall} ({told})"  # one far away is told as its date
    if kind is Kind.DUE and told.endswith("ago"):
        return f"due {told}"
    return wall if kind is Kind.WALL else told


def _shortened(text: Text, column: Column, width: int) -> Text:
    """Return the value in no more lines than its column has; the command for one thing shows all of it."""
    return text if column.most_lines is None else Text(at_most(text.plain, width, column.most_lines), style=text.style)


def _need(column: Column, cells: Sequence[Mapping[str, Text]]) -> Need:
    """Return the cells that a column asks for: all of a word, a readable part of a text at least."""
    heading = cell_len(column.heading)
    whole = max(heading, *(cell_len(line) for row in cells for line in row[column.key].plain.split("\n")))
    if column.kind is not Kind.TEXT:
        return Need(column.rank, whole, whole, breaks=False)
    return Need(column.rank, max(heading, min(whole, column.least)), whole)
