"""Owns `celsched resume`. What resuming means is decided in `operations.control`."""

from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.format import printable, wall
from celsched.cli.scope import scope_of
from celsched.operations import control


def resume(
    ctx: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="SCHEDULE", help="All of them, or none.", autocompletion=live("schedule"))
    ],
) -> None:
    """Resume paused schedules. Fire times of the pause stay skipped."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    for name, coming in control.resume(scope, names).items():
        shown = f"next fire time {wall(coming, scope.zone)}" if coming else "no fire time to come"
        cli.print(f"resumed {printable(name)}: {shown}")
