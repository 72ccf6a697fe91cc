"""Owns `celsched export`: the store as manifests. It never writes a file; standard output is one."""

from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.render_changes import counted
from celsched.cli.scope import scope_of
from celsched.manifest.encode import dump
from celsched.operations import export as operation


def export(
    ctx: typer.Context,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="SET", help="Only what this set owns; repeatable.")
    ] = None,
) -> None:
    """Print what is stored as a manifest; applying it changes nothing."""
    cli = CliContext.of(ctx)
    found = operation.export(scope_of(cli), sets or ())
    cli.stdout.write(dump(found.tasks, found.schedules))
    cli.say(f"{counted(len(found.tasks), 'task')}, {counted(len(found.schedules), 'schedule')}")
