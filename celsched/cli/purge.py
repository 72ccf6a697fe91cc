"""Owns `celsched purge`: removing what ended long ago. It never touches what has not ended."""

from datetime import timedelta
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.cli.scope import scope_of
from celsched.operations.upkeep import purge as remove
from celsched.operations.upkeep import purgeable


def purge(
    ctx: typer.Context,
    days: Annotated[
        int | None, typer.Option("--days", min=0, help="Keep so many days; `cleanup_days` if not given.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Remove executions that ended long ago, with their attempts and logs."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    kept = cli.settings.cleanup_days if days is None else days
    keep = timedelta(days=kept)
    count = purgeable(scope, keep)
    if not count:
        cli.say(f"nothing ended more than {kept} days ago")
        return ExitCode.DONE
    if not cli.confirm(f"remove {count} executions that ended more than {kept} days ago?", yes=yes):
        cli.say("nothing was removed")
        return ExitCode.NO
    cli.print(f"removed {remove(scope, keep)} executions")
    return ExitCode.DONE
