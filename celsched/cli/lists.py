"""Owns what the commands that look share: instants from words, colours of states, options of lists. Never queries."""

from datetime import datetime

from celsched.cli.context import CliContext
from celsched.cli.format import one_line, printable
from celsched.cli.output import OutputMode
from celsched.errors import InvalidRule
from celsched.timing.duration import parse_duration
from celsched.timing.instant import parse_instant

_COLOURS = {
    "succeeded": "green",
    "active": "green",
    "alive": "green",
    "running": "cyan",
    "queued": "cyan",
    "retrying": "yellow",
    "paused": "yellow",
    "silent": "red",
    "failed": "red",
    "timed_out": "red",
    "lost": "red",
    "broken": "red",
    "expired": "magenta",
    "cancelled": "magenta",
    "skipped": "dim",
    "disabled": "dim",
    "ended": "dim",
    "stopped": "dim",
}


def state_style(value: object) -> str | None:
    """Return the style of a state or status; `skipped (overlap)` counts as `skipped`."""
    return _COLOURS.get(str(value).split(" ")[0])


def for_eyes(cli: CliContext, output: OutputMode | None) -> bool:
    """Return whether a person will see a drawn table, where columns may be put together for reading."""
    return cli.terminal and output in (None, OutputMode.TABLE)


def instant_option(text: str | None, flag: str, zone: str, now: datetime) -> datetime | None:
    """Return the instant that an option names; a bare duration such as `7d` is so long ago.

    Raises:
        InvalidRule: it is neither.
    """
    if text is None:
        return None
    try:
        return parse_instant(text, zone, now)
    except InvalidRule as error:
        try:
            return now - parse_duration(text)
        except (InvalidRule, OverflowError):
            raise InvalidRule(f"{flag}: {error.message}", field=error.field, hint=error.hint) from None


def paragraph(cli: CliContext, text: str) -> None:
    """Write a sentence of a result; on a terminal wrapped between words."""
    if not cli.terminal:
        cli.print(one_line(text))
        return
    # Rich is loaded only where a terminal looks at it.
    from rich.text import Text

    from celsched.cli.render_terminal import console

    console(cli.stdout).print(Text(printable(text)))
