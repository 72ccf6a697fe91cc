"""Owns `celsched pause`. What pausing means is decided in `operations.control`."""

from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.format import printable, wall
from celsched.cli.scope import scope_of
from celsched.operations import control
from celsched.timing.instant import parse_instant


def pause(
    ctx: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="SCHEDULE", help="All of them, or none.", autocompletion=live("schedule"))
    ],
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; `why` and `show` tell it.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Resume by itself then: +2h, 2026-12-01 09:00.")
    ] = None,
) -> None:
    """Pause schedules: no new fire times. What is recorded already goes on, and `run-now` still works."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    end = parse_instant(until, scope.zone, scope.now()) if until is not None else None
    control.pause(scope, names, reason=reason, until=end)
    for name in names:
        cli.print(f"paused {printable(name)}" + (f" until {wall(end, scope.zone)}" if end else ""))
