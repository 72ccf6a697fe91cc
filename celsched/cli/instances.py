"""Owns `celsched instances`: the daemons, workers and watchers that are known. It never judges; operations do."""

from enum import StrEnum
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.lists import state_style
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.cli.scope import scope_of
from celsched.operations import browse
from celsched.operations.browse import ListedInstance


class InstanceKind(StrEnum):
    """The kinds of instances."""

    DAEMON = "daemon"
    WORKER = "worker"
    WATCHER = "watcher"


_COLUMNS = (
    Column("name", least=20),
    Column("kind", kind=Kind.WORD),
    Column("status", kind=Kind.WORD, style=state_style),
    Column("alive", terminal=False),
    Column("beat_at", "last beat", Kind.TIME),
    Column("started_at", "started", Kind.TIME, rank=2),
    Column("stopped_at", terminal=False),
    Column("busy", kind=Kind.NUMBER, rank=1),
    Column("capacity", kind=Kind.NUMBER, rank=1),
    Column("queues", rank=3, least=20),
    Column("host", rank=4, kind=Kind.WORD),
    Column("pid", kind=Kind.NUMBER, rank=3),
    Column("version", rank=5, kind=Kind.WORD),
    Column("note", rank=6),
    Column("id", terminal=False),
)


def instances(
    ctx: typer.Context,
    kind: Annotated[InstanceKind | None, typer.Option("--kind", help="Only of this kind.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Stopped ones too.")] = False,
    output: OutputOption = None,
) -> None:
    """List daemons, workers and watchers. One that missed three heartbeats is silent: it died, or is cut off."""
    cli = CliContext.of(ctx)
    scope = scope_of(cli)
    found = browse.list_instances(scope, cli.settings.heartbeat, kind=kind, everything=everything)
    empty = "nothing of celsched runs on this store; `celsched run` starts a daemon"
    cli.write(Table(_COLUMNS, [_row(one) for one in found], empty=empty), output)


def _row(one: ListedInstance) -> dict[str, object]:
    instance = one.instance
    return {
        "name": instance.name,
        "kind": instance.kind,
        "status": one.life,
        "alive": one.life is browse.Life.ALIVE,
        "beat_at": instance.beat_at,
        "started_at": instance.started_at,
        "stopped_at": instance.stopped_at,
        "busy": instance.busy,
        "capacity": instance.capacity,
        "queues": list(instance.queues),
        "host": instance.host,
        "pid": instance.pid,
        "version": instance.version,
        "note": instance.note,
        "id": instance.id,
    }
