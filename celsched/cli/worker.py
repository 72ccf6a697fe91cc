"""Owns `celsched worker`: a Celery worker that runs executions. It never claims one here."""

import os
from typing import Annotated

import typer

from celsched.broker.embedded import EMBEDDED_QUEUE
from celsched.cli.context import CliContext
from celsched.cli.log_output import formatter_for, level_of
from celsched.cli.storage import store_of
from celsched.errors import SettingsError
from celsched.service import ServiceManager
from celsched.settings.load import notify_socket
from celsched.worker.main import Shape, run_worker
from celsched.worker.quiet import Voice
from celsched.worker.slots import MOST_SLOTS


def worker(
    ctx: typer.Context,
    concurrency: Annotated[
        int | None,
        typer.Option("-c", "--concurrency", min=1, max=MOST_SLOTS, help="Processes; the number of cores if not given."),
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option("-Q", "--queues", metavar="Q1,Q2", help="Queues to serve instead of the settings' ones."),
    ] = None,
    name: Annotated[str | None, typer.Option("-n", "--name", help="A name for lists and logs.")] = None,
    embedded: Annotated[bool, typer.Option("--embedded", hidden=True)] = False,
) -> int:
    """Run a Celery worker that claims and runs executions until stopped."""
    cli = CliContext.of(ctx)
    settings = cli.settings
    if settings.embedded and not embedded:
        raise SettingsError(
            "no broker is configured, so `celsched run` starts its own worker",
            hint="set `broker_url` to run workers of their own, for example redis://localhost/0",
        )
    served = [EMBEDDED_QUEUE] if embedded else _named(queues) or list(settings.queues)
    count = concurrency or len(os.sched_getaffinity(0))
    return run_worker(
        settings,
        store_of(cli),
        Shape(count, served, name, embedded),
        Voice(
            formatter_for(cli.stderr, settings.timezone),
            level_of(cli.verbosity),
            ServiceManager(None if embedded else notify_socket()),
        ),
    )


def _named(queues: str | None) -> list[str]:
    return [queue.strip() for queue in (queues or "").split(",") if queue.strip()]
