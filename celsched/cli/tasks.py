"""Owns `celsched tasks`: the list of task definitions. It never counts; the operation does."""

from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.cli.scope import scope_of
from celsched.operations import browse
from celsched.operations.browse import ListedTask

_COLUMNS = (
    Column("name", least=20),
    Column("task_path", least=24),
    Column("task_type", "type", rank=2),
    Column("queue_name", "queue", rank=1),
    Column("schedules", kind=Kind.NUMBER),
    Column("set", rank=3),
    Column("checked", rank=5, kind=Kind.WORD),
    Column("updated_at", "changed", Kind.TIME, rank=6),
    Column("description", rank=4, least=30),
)


def tasks(
    ctx: typer.Context,
    task_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only tasks of this type.")] = None,
    owner: Annotated[str | None, typer.Option("--set", metavar="SET", help="Only tasks of this set.")] = None,
    output: OutputOption = None,
) -> None:
    """List task definitions: what may be run, where, and how many schedules name it."""
    cli = CliContext.of(ctx)
    found = browse.tasks(scope_of(cli), task_type=task_type, owner=owner)
    empty = "no task fits" if task_type or owner else "no tasks; `celsched define` or `celsched apply` makes them"
    cli.write(Table(_COLUMNS, [_row(one) for one in found], empty=empty), output)


def _row(one: ListedTask) -> dict[str, object]:
    definition = one.task.definition
    return {
        "name": definition.name,
        "task_path": definition.task_path,
        "task_type": definition.task_type,
        "queue_name": one.queue_name,
        "schedules": one.schedules,
        "set": definition.owner,
        "checked": one.task.checked,
        "updated_at": one.task.updated_at,
        "description": definition.description,
    }
