"""Owns `celsched backfill`: a schedule's past fire times. It never works out fire times; operations do."""

from itertools import zip_longest
from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.cli.run_now import OverlapOption
from celsched.cli.scope import scope_of
from celsched.operations.liveness import daemon_lives
from celsched.operations.requests import BACKFILL_LIMIT, Backfill
from celsched.operations.requests import backfill as record
from celsched.operations.scope import zone_of
from celsched.timing.instant import parse_instant

_COLUMNS = (Column("execution", kind=Kind.WORD), Column("fire_time", kind=Kind.WALL))


def backfill(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    schedule: Annotated[str, typer.Argument(metavar="SCHEDULE", autocompletion=live("schedule"))],
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="The first instant of the range.")],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="The end of the range, not part of it.")] = "now",
    overlap: OverlapOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Also fire times that have succeeded or are active.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Refuse more than so many.")] = BACKFILL_LIMIT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would run.")] = False,
    output: OutputOption = None,
) -> None:
    """Run a schedule for its fire times in a past range, one after the other."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    now = scope.now()
    # As in `why`: a time without an offset is one of the schedule's own clock.
    zone = zone_of(scope, schedule)
    wish = Backfill(
        schedule,
        parse_instant(since, zone, now),
        parse_instant(until, zone, now),
        overlap=overlap,
        every=all_,
        limit=limit,
    )
    result = record(scope, wish, dry_run=dry_run)
    pairs = zip_longest(result.executions, result.fire_times)  # a dry run has no executions
    rows = [{"execution": one, "fire_time": at} for one, at in pairs]
    cli.write(Table(_COLUMNS, rows, "execution" if result.executions else "fire_time"), output)
    verb = "would be run" if dry_run else "recorded"
    left_out = f"; {result.left_out} left out because they have succeeded or are active" if result.left_out else ""
    cli.say(f"{len(rows)} fire time{'' if len(rows) == 1 else 's'} {verb}{left_out}")
    if rows and not dry_run and not daemon_lives(scope, cli.settings.heartbeat):
        cli.warn("no daemon is running: they start when one does (`celsched run`)")
