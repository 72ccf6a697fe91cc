"""Owns the forms of every list and every single thing: table, json, jsonl, csv, name. It never queries.

On a terminal a table is for eyes; anywhere else rows are tab-separated, whole, and times are RFC 3339.
"""

import csv
import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, TextIO

import typer

from celsched.cli import format as human
from celsched.cli.table import Column, Face, Kind, Sheet, Table, to_json, to_text

__all__ = [
    "Column",
    "Face",
    "Kind",
    "OutputMode",
    "OutputOption",
    "Sheet",
    "Table",
    "to_json",
    "to_text",
    "write_sheet",
    "write_table",
]


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
