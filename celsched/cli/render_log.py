"""Owns how log lines are written: to a person's terminal with colour, elsewhere plain. It never reads any."""

import csv
import json
import logging
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from celsched.cli import format as human
from celsched.cli.context import CliContext
from celsched.cli.output import OutputMode, to_json, to_text
from celsched.domain.execution import LogLine
from celsched.errors import UsageError
from celsched.timing.instant import format_instant

_COLOURS = {
    logging.WARNING: "\033[33m",
    logging.ERROR: "\033[31m",
    logging.CRITICAL: "\033[1;31m",
    logging.DEBUG: "\033[2m",
}
_PRINTED = {"stdout", "stderr"}


class LogWriter:
    """Writes lines to standard output, in the form asked for; remembers the attempt to show where a new one begins.

    Within its `with` block; only at the end of that is a JSON array whole.
    """

    def __init__(self, cli: CliContext, mode: OutputMode | None) -> None:
        if mode is OutputMode.NAME:
            raise UsageError("log lines have no names", hint="use -o jsonl, json or csv")
        self._cli = cli
        self._begun = False
        self.count = 0
        self._mode = mode
        self._zone = ZoneInfo(cli.settings.timezone)
        self._attempt: int | None = None
        self._colour = cli.terminal and self._wants_colour()

    def _wants_colour(self) -> bool:
        from celsched.cli.render_terminal import console  # rich is loaded only for terminals

        return console(self._cli.stdout).color_system is not None

    def write(self, lines: Iterable[LogLine]) -> None:
        """Write lines in order."""
        for line in lines:
            self.count += 1
            if self._mode in (OutputMode.JSON, OutputMode.JSONL, OutputMode.CSV):
                self._write_record(line)
                self._begun = True
                continue
            if self._cli.terminal and self._attempt is not None and line.attempt != self._attempt:
                self._cli.print(f"--- attempt {line.attempt}")
            self._attempt = line.attempt
            self._cli.print(self._terminal(line) if self._cli.terminal else self._plain(line))
        self._cli.stdout.flush()

    def __enter__(self) -> "LogWriter":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._mode is OutputMode.JSON and (self._begun or error is None):
            self._cli.print("\n]" if self._begun else "[]")

    def _write_record(self, line: LogLine) -> None:
        record = {name: getattr(line, name) for name in LogLine.__slots__}
        record["level"] = logging.getLevelName(line.level)
        if self._mode is OutputMode.CSV:
            writer = csv.writer(self._cli.stdout, lineterminator="\n")
            if not self._begun:
                writer.writerow(record)
            writer.writerow(map(to_text, record.values()))
            return
        text = json.dumps({name: to_json(value) for name, value in record.items()}, ensure_ascii=False)
        if self._mode is OutputMode.JSONL:
            self._cli.print(text)
        else:
            self._cli.stdout.write(f"{',' if self._begun else '['}\n  {text}")

    def _terminal(self, line: LogLine) -> str:
        text = human.printable(line.text)
        where = "" if line.source in _PRINTED else f"{logging.getLevelName(line.level).lower():<8}"
        shown = f"{_wall(line.at, self._zone)}  {where}{text}"
        colour = _COLOURS.get(line.level, "") if self._colour else ""
        return f"{colour}{shown}\033[0m" if colour else shown

    @staticmethod
    def _plain(line: LogLine) -> str:
        level = logging.getLevelName(line.level)
        return "\t".join((format_instant(line.at), str(line.attempt), level, line.source, human.one_line(line.text)))


def _wall(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M:%S}"
