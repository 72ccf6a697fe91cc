"""Owns `celsched show task|schedule|execution|alert`. It never puts together what the operations do not say."""

from typing import Annotated

import typer

from celsched.cli.alert_messages import message_remarks, messages_table
from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.lazy import new_typer
from celsched.cli.lists import for_eyes
from celsched.cli.output import Column, Kind, OutputOption, Sheet
from celsched.cli.scope import scope_of
from celsched.cli.show_alert import alert_fields, known_fields
from celsched.cli.show_definition import schedule_fields, task_fields
from celsched.cli.show_execution import attempts_table, execution_fields, for_programs, log_lines
from celsched.operations import alerts as alert_operations
from celsched.operations import detail
from celsched.redact import Redactor

app = new_typer(no_args_is_help=True, help="Show one thing, with every value in force and where it came from.")


@app.command()
def task(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The task.", autocompletion=live("task"))],
    output: OutputOption = None,
) -> None:
    """Show a task. Its definition, each option in force with its origin, its schedules."""
    cli = CliContext.of(ctx)
    found = detail.task_detail(scope_of(cli), name)
    fields, origins = task_fields(found, eyes=for_eyes(cli, output))
    cli.write_sheet(Sheet(fields, remarks=origins), output)


@app.command()
def schedule(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The schedule.", autocompletion=live("schedule"))],
    output: OutputOption = None,
) -> None:
    """Show a schedule. Rule, state, streaks, next fire times, each option in force with its origin."""
    cli = CliContext.of(ctx)
    found = detail.schedule_detail(scope_of(cli), name)
    fields, origins = schedule_fields(found, eyes=for_eyes(cli, output))
    cli.write_sheet(Sheet(fields, remarks=origins), output)


@app.command()
def execution(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="Its id.", autocompletion=live("execution"))],
    output: OutputOption = None,
) -> None:
    """Show an execution. Its fate, attempts, parameters, result, the end of its log."""
    cli = CliContext.of(ctx)
    found = detail.execution_detail(scope_of(cli), number, Redactor(cli.settings.redact))
    if not for_eyes(cli, output):
        fields = [(Column(key, kind=Kind.TEXT), value) for key, value in for_programs(found).items()]
        cli.write_sheet(Sheet(fields, "id"), output)
        return
    cli.write_sheet(Sheet(execution_fields(found), "id"), output)
    if found.attempts:
        cli.print()
        cli.write(attempts_table(found), output)
    for line in log_lines(found):
        cli.print(line)


@app.command()
def alert(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="Its id.")],
    output: OutputOption = None,
) -> None:
    """Show an alert. What is wrong and since when, what is known, who was told or did what, the next command."""
    cli = CliContext.of(ctx)
    found = alert_operations.detail(scope_of(cli), number)
    if not for_eyes(cli, output):
        cli.write_sheet(Sheet(alert_fields(found), "id"), output)
        return
    cli.write_sheet(Sheet(known_fields(found), "id"), output)
    cli.print()
    if found.told.messages:
        cli.write(messages_table(found), output)
    for line in message_remarks(found, _channels(cli)):
        cli.print(line)


def _channels(cli: CliContext) -> dict[str, bool]:
    """Return each channel that is set, and whether it is pushed to."""
    if not cli.settings.notify:
        return {}
    from celsched.notify import Address  # with it comes what sends, which no other look needs

    return {target.name: Address(target.name, target.url.reveal()).pushes for target in cli.settings.notify}
