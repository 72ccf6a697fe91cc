"""Owns `celsched delete`: it asks first, and says what was cancelled with it. It decides nothing else."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.format import printable
from celsched.cli.manifest_options import YesOption
from celsched.cli.render_changes import counted
from celsched.cli.scope import scope_of
from celsched.operations import control
from celsched.operations.scope import require_schedule, require_task

_SHOWN = 10


class Deletable(StrEnum):
    """What can be deleted by name."""

    TASK = "task"
    SCHEDULE = "schedule"


def delete(
    ctx: typer.Context,
    kind: Annotated[Deletable, typer.Argument(metavar="task|schedule")],
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=live("either"))],
    cascade: Annotated[bool, typer.Option("--cascade", help="With a task, delete its schedules too.")] = False,
    yes: YesOption = False,
) -> None:
    """Delete a task or a schedule. What has not started is cancelled; executions that were recorded stay."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    require = require_task if kind is Deletable.TASK else require_schedule
    owner = scope.store.read(lambda tx: require(tx, name)).definition.owner
    if not cli.confirm(f"Delete the {kind} '{printable(name)}'{' and its schedules' if cascade else ''}?", yes=yes):
        cli.say("nothing was deleted")
        raise typer.Exit(1)
    if kind is Deletable.TASK:
        cancelled = control.delete_task(scope, name, cascade=cascade)
    else:
        cancelled = control.delete_schedule(scope, name)
    cli.print(f"deleted the {kind} {printable(name)}{_cancelled(cancelled)}")
    if owner is not None:
        cli.warn(
            f"it belonged to the set `{printable(owner)}`; the next `celsched apply` of its manifest makes it again"
        )


def _cancelled(executions: Sequence[int]) -> str:
    if not executions:
        return ""
    shown = ", ".join(map(str, executions[:_SHOWN])) + (", ..." if len(executions) > _SHOWN else "")
    return f"; cancelled {counted(len(executions), 'execution')} that had not started: {shown}"
