"""Owns `celsched logs`: the captured lines of an execution.

It never masks anything; that was done before they were stored.
"""

import logging
from enum import StrEnum
from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.outcome import outcome_sentence
from celsched.cli.output import OutputOption
from celsched.cli.render_log import LogWriter
from celsched.cli.scope import scope_of
from celsched.operations.follow import Glimpse, Place, follow, last_lines, look, newest_of
from celsched.operations.scope import Scope


class Level(StrEnum):
    """The mildest level that is shown."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The level as `logging` counts it."""
        return int(logging.getLevelNamesMapping()[self.value.upper()])


def logs(
    ctx: typer.Context,
    of: Annotated[str, typer.Argument(metavar="EXECUTION|SCHEDULE", autocompletion=live("schedule"))],
    follow_: Annotated[bool, typer.Option("-f", "--follow", help="Show lines as they come, until its end.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, metavar="N", help="Begin with the last N lines.")] = None,
    level: Annotated[Level, typer.Option("--level", help="The mildest level that is shown.")] = Level.DEBUG,
    output: OutputOption = None,
) -> None:
    """Show what a task logged and printed; of a schedule, its newest execution."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    execution_id = _execution(scope, of)
    with LogWriter(cli, output) as writer:
        after: Place | None = None
        if tail is not None:
            lines = last_lines(scope, execution_id, tail, level=level.number) if tail else []
            look(scope, execution_id, after=None)  # an unknown id is refused
            writer.write(lines)
            # With lines, go on behind the last of them: what comes between two looks must not be passed over.
            after = (lines[-1].attempt, lines[-1].seq) if lines else None if tail else _end(scope, execution_id)
            if not follow_:
                return
        seen = None
        give_up = None if follow_ else 0.0
        for seen in follow(scope, execution_id, cli.clock, after=after, level=level.number, give_up=give_up):
            writer.write(seen.lines)
    _tell_end(cli, seen, followed=follow_, any_lines=writer.count > 0)


def _tell_end(cli: CliContext, seen: Glimpse | None, *, followed: bool, any_lines: bool) -> None:
    if seen is None:
        return
    if followed:
        cli.say(outcome_sentence(seen.execution))
    elif not any_lines and not seen.over:
        cli.say(f"execution {seen.execution.id} is {seen.execution.state}; -f follows it")
    elif not any_lines:
        cli.say(f"no such lines: {outcome_sentence(seen.execution)}")


def _end(scope: Scope, execution_id: int) -> Place | None:
    newest = last_lines(scope, execution_id, 1)
    return (newest[0].attempt, newest[0].seq) if newest else None


def _execution(scope: Scope, of: str) -> int:
    if of.isdecimal() and of.isascii():
        return int(of)
    return newest_of(scope, of)
