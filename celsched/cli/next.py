"""Owns `celsched next`: the fire times to come. It never plans; the operation asks the planner."""

from collections.abc import Sequence
from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.lists import for_eyes, instant_option
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.cli.scope import scope_of
from celsched.operations import coming
from celsched.operations.wording import moment, span

_MOST = 20
_FULL = tuple(Column(key) for key in ("schedule", "task", "fire_time", "starts_at", "zone", "local_time", "note"))
_EYES = (
    Column("schedule", least=16),
    Column("fire_time", "next", Kind.TIME),
    Column("local_time", "wall time", Kind.WORD),
    Column("jitter", kind=Kind.WORD, rank=1),
    Column("note", "clock change", rank=2, least=16),
    Column("zone", kind=Kind.WORD, rank=3),
    Column("task", rank=4, least=16),
)


def next_(
    ctx: typer.Context,
    schedule: Annotated[
        str | None, typer.Argument(metavar="[SCHEDULE]", help="Only this one.", autocompletion=live("schedule"))
    ] = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, max=100_000, help="How many.")] = 10,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="From then on, instead of now.")] = None,
    output: OutputOption = None,
) -> None:
    """Show coming fire times, of one schedule or of all in order: wall time in its zone, jitter, clock changes."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    start = instant_option(since, "--since", scope.zone, scope.now())
    found = coming.coming(scope, schedule, limit=number, since=start)
    rows = [_row(one) for one in found.rows]
    cli.write(Table(_EYES if for_eyes(cli, output) else _FULL, rows, "schedule", "no fire time is to come"), output)
    _say(cli, found.remarks)


def _say(cli: CliContext, remarks: Sequence[coming.Remark]) -> None:
    """Say why schedules are not in the list, and once where no daemon seems to run."""
    undecided = [remark for remark in remarks if remark.undecided]
    others = [remark for remark in remarks if not remark.undecided]
    if len(undecided) > 1:
        cli.say(f"{len(undecided)} schedules have due fire times that no daemon decides: is one running?")
    for remark in (others if len(undecided) > 1 else [*others, *undecided])[:_MOST]:
        cli.say(f"{remark.schedule}: {remark.text}")
    if len(others) > _MOST:
        cli.say(f"and {len(others) - _MOST} more; `celsched schedules` shows how each stands")


def _row(one: coming.Coming) -> dict[str, object]:
    delay = one.starts_at - one.fire_time
    return {
        "schedule": one.schedule,
        "task": one.task,
        "fire_time": one.fire_time,
        "starts_at": one.starts_at,
        "zone": one.zone,
        "local_time": moment(one.fire_time, one.zone),
        "jitter": f"+{span(delay)}" if delay else None,
        "note": one.note,
    }
