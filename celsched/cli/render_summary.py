"""Owns the table that ends `celsched run --for`. It never counts."""

from collections.abc import Sequence

from celsched.cli.context import CliContext
from celsched.cli.output import Column, Kind, Table
from celsched.operations.summary import Line

_COLUMNS = (
    Column("subject", "schedule or task"),
    Column("succeeded", kind=Kind.NUMBER),
    Column("failed", kind=Kind.NUMBER),
    Column("retries", kind=Kind.NUMBER),
    Column("skipped", kind=Kind.NUMBER),
    Column("other", "cancelled, expired", kind=Kind.NUMBER, rank=2),
    Column("open", "not ended", kind=Kind.NUMBER),
    Column("next_fire_time", "next", Kind.WALL),
)


def summary_table(cli: CliContext, lines: Sequence[Line]) -> None:
    """Write what ran, what failed and was retried, what was skipped, and what comes next."""
    keys = [column.key for column in _COLUMNS]
    cli.write(Table(_COLUMNS, [{key: getattr(line, key) for key in keys} for line in lines], name_key="subject"), None)
    left = [identifier for line in lines for identifier in line.open_ids]
    if left:
        shown = ", ".join(map(str, left[:10])) + (" ..." if len(left) > 10 else "")
        cli.say(f"{len(left)} not ended yet (the next `celsched run` goes on with them): {shown}")
