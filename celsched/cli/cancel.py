"""Owns `celsched cancel`: certain before the start; once it runs, its worker stops it.

It never stops a process itself.
"""

from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.cli.outcome import outcome_sentence
from celsched.cli.scope import scope_of
from celsched.domain.execution import State
from celsched.errors import Conflict
from celsched.operations.control import Cancelled
from celsched.operations.control import cancel as ask
from celsched.operations.follow import follow
from celsched.timing.duration import parse_duration


def cancel(
    ctx: typer.Context,
    execution: Annotated[int, typer.Argument(metavar="EXECUTION", autocompletion=live("execution"))],
    force: Annotated[
        bool, typer.Option("--force", help="Kill a running one at once, instead of asking it to stop first.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end of a running one.")] = True,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; `why` and `show` tell it.")
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", metavar="DURATION", help="Wait no longer than this.")] = "30s",
) -> int:
    """Cancel an execution, and tell what really happened."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    give_up = parse_duration(timeout).total_seconds()
    result = ask(scope, execution, force=force, reason=reason)
    match result.outcome:
        case Cancelled.ALREADY_OVER:
            raise Conflict(f"nothing to cancel: {outcome_sentence(result.execution)}")
        case Cancelled.BEFORE_START:
            cli.print(f"execution {execution} of '{result.execution.subject}' is cancelled; it had not started")
            return ExitCode.DONE
    cli.say(f"execution {execution} is running on {result.execution.host}; its worker was told to stop it")
    if not wait:
        return ExitCode.DONE
    *_, seen = follow(scope, execution, cli.clock, give_up=give_up)
    if not seen.over:
        cli.say("its worker has not answered yet; the request stands")
        return ExitCode.TIMEOUT
    cli.print(outcome_sentence(seen.execution))
    return ExitCode.DONE if seen.execution.state is State.CANCELLED else ExitCode.CONFLICT
