"""Owns `celsched ack` and `celsched resolve`. What they mean is decided in `operations.alerts`."""

from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.format import printable
from celsched.cli.scope import scope_of
from celsched.operations import alerts as operations

_FATE = {
    True: "it comes back if it is still so",
    False: "it comes back with another such event",
    None: "the version that knows this kind says whether it comes back",
}
_Ids = Annotated[list[int], typer.Argument(metavar="ID", help="Of alerts; all of them, or none.")]


def ack(
    ctx: typer.Context,
    ids: _Ids,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What you know or do about it.")] = None,
) -> None:
    """Say that somebody looks at open alerts: no message repeats them. They stay open until they are over."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    for alert in operations.acknowledge(scope, ids, note):
        mine = alert.acknowledged_by == scope.by.user
        by = "" if mine else f" (by {alert.acknowledged_by}, before)"
        cli.print(printable(f"acknowledged alert {alert.id}: {alert.kind} of '{alert.subject}'{by}"))


def resolve(
    ctx: typer.Context,
    ids: _Ids,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What was done about it.")],
) -> None:
    """Resolve open alerts by hand.

    One that tells of an event (a failure, a missed fire time) comes back only with another such event. One that tells
    of what is so now comes back at the next look if it is still so; `silence` keeps that quiet.
    """
    cli = CliContext.of(ctx)
    for alert in operations.resolve(scope_of(cli), ids, note):
        fate = _FATE[operations.comes_back(alert)]
        cli.print(printable(f"resolved alert {alert.id}: {alert.kind} of '{alert.subject}'; {fate}"))
