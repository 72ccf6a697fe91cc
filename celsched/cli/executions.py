"""Owns `celsched executions`: executions, newest first, page by page. It never explains one (`why` does)."""

from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.execution_row import COLUMNS, EYES, row_of
from celsched.cli.lists import for_eyes, instant_option
from celsched.cli.output import OutputOption, Table
from celsched.cli.scope import scope_of
from celsched.domain.execution import Cause, State
from celsched.domain.names import as_stored
from celsched.operations import browse
from celsched.store.executions import Filter

TaskFilter = Annotated[
    str | None, typer.Option("--task", metavar="TASK", help="Only of this task.", autocompletion=live("task"))
]
ScheduleOption = Annotated[
    str | None,
    typer.Option("--schedule", metavar="SCHEDULE", help="Only of this schedule.", autocompletion=live("schedule")),
]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="From then on: 2h ago, 7d, today, a date.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then.")]
Skipped = Annotated[bool, typer.Option("--skipped/--no-skipped", help="With or without skipped fire times.")]


def executions(  # noqa: PLR0913  its options
    ctx: typer.Context,
    status: Annotated[
        list[State] | None,
        typer.Option("--status", metavar="STATE", help=f"Only in this state: {', '.join(State)}; repeatable."),
    ] = None,
    task: TaskFilter = None,
    schedule: ScheduleOption = None,
    cause: Annotated[
        list[Cause] | None,
        typer.Option("--cause", metavar="CAUSE", help=f"Only of this cause: {', '.join(Cause)}; repeatable."),
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 50,
    before: Annotated[int | None, typer.Option("--before", metavar="ID", help="Only older ones than this.")] = None,
    skipped: Skipped = True,
    output: OutputOption = None,
) -> None:
    """List executions, newest first. A row of skipped fire times may stand for many of them."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    wanted = Filter(
        states=frozenset(status or ()),
        task=task and as_stored(task),
        schedule=schedule and as_stored(schedule),
        since=instant_option(since, "--since", scope.zone, scope.now()),
        until=instant_option(until, "--until", scope.zone, scope.now()),
        before_id=before,
        with_skips=skipped,
        causes=frozenset(cause or ()),
    )
    page = browse.list_executions(scope, wanted, limit)
    columns = EYES if for_eyes(cli, output) else COLUMNS
    empty = "no execution yet" if wanted == Filter() else "no execution fits"
    cli.write(Table(columns, [row_of(one) for one in page.rows], name_key="id", empty=empty), output)
    if page.before is not None:
        cli.say(f"older ones: add --before {page.before}")
