"""Owns `celsched run-now`: a manual execution, watched if wanted. It never runs the task in this process."""

from enum import StrEnum
from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.cli.option_values import ParamOption, params_of
from celsched.cli.output import Column, Kind, OutputOption, Sheet
from celsched.cli.scope import scope_of
from celsched.cli.waiting import wait_for
from celsched.domain.policy import Overlap
from celsched.operations.checks import CodeRules
from celsched.operations.code import require_fitting
from celsched.operations.liveness import daemon_lives
from celsched.operations.requests import RunNow, target_of
from celsched.operations.requests import run_now as record
from celsched.timing.duration import parse_duration

WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for its end; the exit code tells its outcome.")]
FollowOption = Annotated[bool, typer.Option("--follow", help="With --wait: show its log as it comes.")]
TimeoutOption = Annotated[
    str | None, typer.Option("--timeout", metavar="DURATION", help="Wait no longer than this; then exit with 124.")
]
OverlapOption = Annotated[
    Overlap | None, typer.Option("--overlap", help="Instead of the schedule's own overlap policy.")
]


class NameKind(StrEnum):
    """What a name is that both a task and a schedule have."""

    TASK = "task"
    SCHEDULE = "schedule"


def run_now(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TASK|SCHEDULE", autocompletion=live("either"))],
    param: ParamOption = None,
    overlap: OverlapOption = None,
    kind: Annotated[NameKind | None, typer.Option("--kind", help="Where both have the name.")] = None,
    wait: WaitOption = False,
    follow: FollowOption = False,
    timeout: TimeoutOption = None,
    no_import: Annotated[bool, typer.Option("--no-import", help="Do not check --param against the code here.")] = False,
    output: OutputOption = None,
) -> int:
    """Run a task or a schedule once, now.

    A schedule obeys its overlap policy; a task has none.
    """
    cli = CliContext.of(ctx)
    give_up = parse_duration(timeout).total_seconds() if timeout else None
    scope = scope_of(cli)
    wish = RunNow(name, kind=kind, params=params_of(param), overlap=overlap)
    if wish.params:
        require_fitting(target_of(scope, wish), CodeRules.of(cli.settings, load=not no_import))
    return recorded(cli, record(scope, wish), wait=wait or follow, follow=follow, give_up=give_up, output=output)


def recorded(
    cli: CliContext, execution_id: int, *, wait: bool, follow: bool, give_up: float | None, output: OutputOption
) -> int:
    """Tell the id of a recorded execution and, if wanted, wait for its end."""
    if not daemon_lives(scope_of(cli), cli.settings.heartbeat):
        cli.warn("recorded, but no daemon is running: it starts when one does (`celsched run`)")
    if not follow:
        cli.write_sheet(Sheet([(Column("execution", kind=Kind.WORD), execution_id)], "execution"), output)
        cli.stdout.flush()
    else:
        cli.say(f"execution {execution_id}")
    if not wait:
        return ExitCode.DONE
    return wait_for(cli, execution_id, show_log=follow, give_up=give_up)
