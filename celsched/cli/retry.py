"""Owns `celsched retry`: an ended execution again. It never changes the execution that ended."""

from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.output import OutputOption
from celsched.cli.run_now import FollowOption, OverlapOption, TimeoutOption, WaitOption, recorded
from celsched.cli.scope import scope_of
from celsched.operations.requests import retry as record
from celsched.timing.duration import parse_duration


def retry(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    execution: Annotated[int, typer.Argument(metavar="EXECUTION", autocompletion=live("execution"))],
    overlap: OverlapOption = None,
    wait: WaitOption = False,
    follow: FollowOption = False,
    timeout: TimeoutOption = None,
    output: OutputOption = None,
) -> int:
    """Run an ended execution again, with its parameters, as a new execution."""
    cli = CliContext.of(ctx)
    give_up = parse_duration(timeout).total_seconds() if timeout else None
    made = record(scope_of(cli), execution, overlap=overlap)
    return recorded(cli, made, wait=wait or follow, follow=follow, give_up=give_up, output=output)
