"""Owns the words that findings about schedules share: times, commands, lines of errors. It judges nothing."""

from datetime import UTC, datetime
from shlex import quote

from celsched.errors import InvalidRule
from celsched.timing.zone import zone as known

_LONGEST = 500


def moment(instant: datetime, zone: str) -> str:
    """Return an instant in a schedule's zone; in UTC where the zone is not one any more.

    It reads as in the lines of a message, which hold it beside its own: `2026-11-28 14:06:54 +0330`.
    """
    try:
        local = instant.astimezone(known(zone))
    except InvalidRule:
        local = instant.astimezone(UTC)
    fraction = f".{local:%f}" if local.microsecond else ""
    return f"{local:%Y-%m-%d %H:%M:%S}{fraction} {local:%z}"


def command(word: str, name: str) -> str:
    """Return what to type about a schedule of this name."""
    return f"celsched {word} {quote(name)}"


def error_line(error: str | None) -> str | None:
    """Return the line of an error that names it; the beginning of a long one, which a message has room for.

    That is the first one, or the last of a whole traceback: what follows the first is often a remark, and the last line
    of SQLAlchemy's errors is an address where one may read about them. Quotes are put around tracebacks by billiard.
    """
    lines = [line.strip() for line in (error or "").splitlines() if line.strip(' \t"')]
    if not lines:
        return None
    line = lines[-1 if any(line.startswith("Traceback") for line in lines) else 0]
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
