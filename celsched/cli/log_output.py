"""Owns how daemons log: one line per event on standard error. It never decides what is worth a line."""

import logging
from datetime import UTC, datetime
from typing import TextIO
from zoneinfo import ZoneInfo

from celsched.cli.format import printable
from celsched.cli.render_terminal import console
from celsched.redact import Redactor

_COLOURS = {logging.WARNING: "\033[33m", logging.ERROR: "\033[31m", logging.CRITICAL: "\033[31m"}


class LineFormatter(logging.Formatter):
    """On a terminal wall time and the sentence, colour for what is wrong; elsewhere RFC 3339, level, logger."""

    def __init__(self, *, terminal: bool, colour: bool, zone: str) -> None:
        super().__init__()
        self._terminal = terminal
        self._colour = colour
        self._zone = ZoneInfo(zone)
        self._redactor = Redactor()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback, where there is one, follows below it."""
        moment = datetime.fromtimestamp(record.created, UTC)
        text = printable(self._redactor.text(record.getMessage())).replace("\n", "\n    ")
        if self._terminal:
            line = f"{moment.astimezone(self._zone):%H:%M:%S}  {text}"
        else:
            stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            line = f"{stamp} {record.levelname.lower()} {record.name}: {text}"
        if record.exc_info:
            line += "\n" + printable(self._redactor.text(self.formatException(record.exc_info)))
        colour = _COLOURS.get(record.levelno, "") if self._colour else ""
        return f"{colour}{line}\033[0m" if colour else line


def formatter_for(stream: TextIO, zone: str) -> LineFormatter:
    """Return the form of lines for this stream: colour only on a terminal that wants it (NO_COLOR, TERM=dumb)."""
    terminal = stream.isatty()
    return LineFormatter(terminal=terminal, colour=terminal and console(stream).color_system is not None, zone=zone)


def log_to(stream: TextIO, *, verbosity: int, zone: str) -> None:
    """Send our log records to `stream`: warnings with --quiet, events without, details with -v."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter_for(stream, zone))
    ours = logging.getLogger("celsched")
    ours.handlers[:] = [handler]
    ours.propagate = False
    ours.setLevel(level_of(verbosity))


def level_of(verbosity: int) -> int:
    """Return the log level of -q, nothing, -v."""
    return logging.WARNING if verbosity < 0 else logging.DEBUG if verbosity > 0 else logging.INFO
