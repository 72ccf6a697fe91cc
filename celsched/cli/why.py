"""Owns `celsched why`: the ledger's answer about a fire time. It never decides what the answer is."""

from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.lists import for_eyes, paragraph
from celsched.cli.output import Column, OutputMode, OutputOption, Sheet
from celsched.cli.scope import scope_of
from celsched.operations import why as operation


def why(
    ctx: typer.Context,
    schedule: Annotated[
        str, typer.Argument(metavar="SCHEDULE", help="Whose fire time.", autocompletion=live("schedule"))
    ],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Which: 02:00 is the newest one in its zone. Without: the latest."),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Say what became of a fire time of a schedule, and why."""
    cli = CliContext.of(ctx)
    answer = operation.why(scope_of(cli), schedule, at, heartbeat=cli.settings.heartbeat)
    if output in (None, OutputMode.TABLE):
        for line in (answer.sentence, *answer.details):
            paragraph(cli, line)
        said = " ".join([answer.sentence, *answer.details])
        for words in answer.commands if for_eyes(cli, output) else ():
            if f"`{words}`" not in said:
                cli.say(f"  {words}")
        return
    cli.write_sheet(Sheet([(Column(key), value) for key, value in _fields(answer).items()], "verdict"), output)


def _fields(answer: operation.Answer) -> dict[str, object]:
    row = answer.execution
    return {
        "schedule": answer.schedule,
        "verdict": answer.verdict,
        "sentence": answer.sentence,
        "details": answer.details,
        "fire_time": answer.fire_time,
        "execution_id": row.id if row else None,
        "state": row.state if row else None,
        "reason": row.reason if row else None,
        "range_from": row.fire_time if row and row.until else None,
        "range_until": row.until if row else None,
        "range_count": row.count if row and row.until else None,
        "revision": row.revision if row else None,
        "repeated_by": answer.repeated_by,
        "alerts": answer.alerts,
        "fire_time_before": answer.before,
        "fire_time_after": answer.after,
        "commands": answer.commands,
    }
