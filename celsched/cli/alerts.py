"""Owns `celsched alerts`: what is wrong as a list or counted, and a test message through a channel. It never judges."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from celsched.cli.alert_list import EYES, alert_row, busy, eyes_row, severity_style
from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.cli.lazy import new_typer
from celsched.cli.lists import for_eyes, instant_option
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.cli.scope import scope_of
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.names import as_stored, suggestion
from celsched.errors import NotFound
from celsched.operations import alerts as operations
from celsched.operations.scope import Scope
from celsched.store.alert_desk import AlertFilter
from celsched.store.alerts import OPEN, PENDING, RESOLVED, StoredAlert

app = new_typer(invoke_without_command=True)


class AlertState(StrEnum):
    """What `--state` takes."""

    OPEN = OPEN
    PENDING = PENDING
    RESOLVED = RESOLVED
    LIVING = "living"
    """Open or pending."""
    ALL = "all"


_STATES = {AlertState.LIVING: (OPEN, PENDING), AlertState.ALL: ()}
_PLAIN = AlertFilter((OPEN,))
"""What is listed where nothing is asked for."""
_FULL = tuple(Column(key) for key in (
    "id", "kind", "severity", "state", "subject", "summary", "since", "opened_at", "seen_at", "resolved_at",
    "resolved_by", "acknowledged_at", "acknowledged_by", "note", "silence_id", "muted_by", "queue_name", "labels",
    "execution_id", "fire_time", "last_success_at", "error", "count", "command", "runbook", "fingerprint",
))  # fmt: skip
_COUNTS = (
    Column("kind", kind=Kind.WORD),
    Column("severity", kind=Kind.WORD, style=severity_style),
    Column("open", kind=Kind.NUMBER),
    Column("acknowledged", "ack", kind=Kind.NUMBER),
    *(Column(key, kind=Kind.NUMBER) for key in ("quiet", "pending", "resolved")),
    Column("oldest", kind=Kind.TIME),
)
_MAY_BE_IDLE = frozenset({"acknowledged", "quiet", "pending", "resolved"})
"""Columns that eyes get only where there is something in them."""


@app.callback()
def alerts(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    state: Annotated[AlertState, typer.Option("--state", help="Pending: not yet for as long as its kind asks.")] = (
        AlertState.OPEN
    ),
    kind: Annotated[
        list[AlertKind] | None, typer.Option("--kind", metavar="KIND", help="Only of this kind; repeatable.")
    ] = None,
    severity: Annotated[Severity, typer.Option("--severity", help="The mildest to show.")] = Severity.INFO,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="NAME", help="Only about this subject.", autocompletion=live("schedule")),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Alive at or after this time: 24h, 7d, today, a date.")
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="At most so many, the newest.")] = 100,
    summary: Annotated[bool, typer.Option("--summary", help="Count them by kind.")] = False,
    output: OutputOption = None,
) -> None:
    """List open alerts, newest first. `alerts test CHANNEL` sends a test message."""
    if ctx.invoked_subcommand is not None:
        return
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    begin = instant_option(since, "--since", scope.zone, scope.now())
    subject = schedule and as_stored(schedule)
    wanted = AlertFilter(_STATES.get(state, (state.value,)), kind or (), severity, subject, begin)
    if summary:
        cli.write(_counts(scope, wanted, eyes=for_eyes(cli, output)), output)
        return
    found = operations.listing(scope, wanted, limit)
    cli.write(_listed(found, wanted, eyes=for_eyes(cli, output)), output)
    if len(found) == limit and (more := operations.count(scope, wanted) - limit) > 0:
        cli.say(f"{more} more fit: add --limit {more + limit}")


def _counts(scope: Scope, wanted: AlertFilter, *, eyes: bool) -> Table:
    keys = [column.key for column in _COUNTS]
    rows = [{key: getattr(one, key) for key in keys} for one in operations.summary(scope, wanted)]
    return Table(busy(_COUNTS, rows, _MAY_BE_IDLE) if eyes else _COUNTS, rows, "kind", "nothing is wrong")


def _listed(found: Sequence[StoredAlert], wanted: AlertFilter, *, eyes: bool) -> Table:
    rows = [eyes_row(one) if eyes else alert_row(one) for one in found]
    empty = "no alert is open" if wanted == _PLAIN else "no alert fits"
    return Table(busy(EYES, rows, {"marks"}) if eyes else _FULL, rows, "id", empty)


@app.command("test")
def test(
    ctx: typer.Context,
    channel: Annotated[
        str, typer.Argument(metavar="CHANNEL", help="Its name in `notify`; `celsched config` shows them.")
    ],
) -> int:
    """Send a test message through a channel. At once; it says whether it was accepted."""
    # Who only lists alerts loads no senders.
    from celsched.cli.delivery_parts import sender
    from celsched.notify import Outgoing, SendFailed

    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    targets = {target.name: target for target in cli.settings.notify}
    if channel not in targets:
        hint = suggestion(channel, targets) or f"known are: {', '.join(targets) or 'none; `notify` is empty'}"
        raise NotFound(f"there is no channel {channel!r}", hint=hint)
    send = sender(cli.settings, targets[channel], scope.clock)
    body = f"{scope.by.user} at {scope.by.host} asked for it, to see that messages of celsched arrive. سلام"
    incident = f"test#{scope.now():%Y%m%d%H%M%S%f}"
    details = {"firing": 1, "test": True}
    try:
        send(Outgoing(incident, Severity.INFO.value, "[test] celsched: this is a test", body, details))
    except SendFailed as error:
        operations.record_test(scope, channel, str(error))
        cli.print(f"{channel}: not accepted: {error}")
        return ExitCode.NO
    operations.record_test(scope, channel, None)
    cli.print(f"{channel}: accepted")
    return ExitCode.DONE
