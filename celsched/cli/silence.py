"""Owns `celsched silence`, `silences` and `unsilence`. What they mean is decided in `operations.alerts`."""

from datetime import datetime
from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.format import printable, wall
from celsched.cli.option_values import LabelOption, labels_of
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.cli.scope import scope_of
from celsched.domain.health.kinds import AlertKind
from celsched.domain.silencing import Matchers, Silence
from celsched.errors import UsageError
from celsched.operations import alerts as operations
from celsched.operations.scope import Scope
from celsched.timing.duration import parse_duration
from celsched.timing.instant import parse_instant

_COLUMNS = (
    Column("id", kind=Kind.WORD),
    Column("status", kind=Kind.WORD),
    Column("matches", least=20),
    Column("reason", least=16),
    Column("author", kind=Kind.WORD, rank=1),
    Column("starts_at", "starts", Kind.TIME, rank=3),
    Column("ends_at", "ends", Kind.TIME),
    Column("kinds", terminal=False),
    Column("schedule", terminal=False),
    Column("queue_name", terminal=False),
    Column("labels", terminal=False),
    Column("host", terminal=False),
    Column("created_at", terminal=False),
)


def silence(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; `silences` and `show alert` tell it.")],
    kind: Annotated[
        list[AlertKind] | None, typer.Option("--kind", metavar="KIND", help="Of this kind; repeatable.")
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule", metavar="PATTERN", help="About this; * and ? fit anything.", autocompletion=live("schedule")
        ),
    ] = None,
    queue: Annotated[str | None, typer.Option("--queue", metavar="QUEUE", help="Of this queue.")] = None,
    label: LabelOption = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From when on: 22:00, +1d. Without: from now on.")
    ] = None,
    length: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="How long: 2h, 3d.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until when: 18:00, +2h.")] = None,
) -> None:
    """Send no messages about what matches all options, for 30 days at most. Alerts still open, and are listed."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    matchers = Matchers(frozenset(kind or ()), schedule, queue, labels_of(label))
    now = scope.now()
    first = now if begin is None else parse_instant(begin, scope.zone, now)
    made, covered = operations.silence(scope, matchers, _end(scope, first, length, until), reason, begin=first)
    during = f"until {wall(made.ends_at, scope.zone)}"
    ahead = first > now
    during = f"from {wall(made.starts_at, scope.zone)} {during}" if ahead else during
    cli.print(printable(f"silence {made.id}: {operations.said(matchers)}, {during}"))
    covers = "no alert that is open" if not covered else f"{covered} open alert{'' if covered == 1 else 's'}"
    cli.say(f"it {'has not begun' if ahead else f'covers {covers}'}; `celsched unsilence {made.id}` ends it")


def _end(scope: Scope, begin: datetime, length: str | None, until: str | None) -> datetime:
    if (length is None) == (until is None):
        said = "a silence needs an end" if length is None else "--for and --until exclude each other"
        raise UsageError(said, hint="give one of --for 2h and --until 18:00")
    if until is not None:
        return parse_instant(until, scope.zone, scope.now())
    try:
        return begin + parse_duration(length or "")
    except OverflowError:
        raise UsageError("a silence ends within 30 days", hint="for example --for 2h") from None


def silences(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    output: OutputOption = None,
) -> None:
    """List silences: what they match, why, by whom, until when."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    found = operations.list_silences(scope, everything=everything)
    rows = [_row(one, scope.now()) for one in found]
    cli.write(Table(_COLUMNS, rows, "id", "nothing is silenced"), output)


def unsilence(ctx: typer.Context, number: Annotated[int, typer.Argument(metavar="ID", help="Of a silence.")]) -> None:
    """End a silence now; what fires that it covered is told again."""
    cli = CliContext.of(ctx)
    ended = operations.unsilence(scope_of(cli), number)
    cli.print(printable(f"ended silence {ended.id}: {operations.said(ended.matchers)}"))


def _row(one: Silence, now: datetime) -> dict[str, object]:
    return {
        "id": one.id,
        "status": "active" if one.active(now) else "ended" if one.ends_at <= now else "to come",
        "matches": operations.said(one.matchers),
        "reason": one.reason,
        "author": one.author,
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "kinds": sorted([*one.matchers.kinds, *one.matchers.strange]),
        "schedule": one.matchers.subject,
        "queue_name": one.matchers.queue,
        "labels": dict(one.matchers.labels),
        "host": one.host,
        "created_at": one.created_at,
    }
