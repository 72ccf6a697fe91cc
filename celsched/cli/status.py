"""Owns `celsched status`: one execution as the ledger, the workers and the result backend see it.

It never changes anything.
"""

from typing import Annotated

import typer

from celsched.broker.app import BrokerApp, make_app
from celsched.broker.control import backend_state, inspect_task
from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.output import Column, Kind, OutputOption, Sheet
from celsched.cli.scope import scope_of
from celsched.errors import BrokerUnreachable
from celsched.operations.follow import look
from celsched.operations.status import CELERY_WORDS
from celsched.settings import Settings

_PATIENCE = 2.0


def status(
    ctx: typer.Context,
    execution: Annotated[int, typer.Argument(metavar="EXECUTION", autocompletion=live("execution"))],
    output: OutputOption = None,
) -> None:
    """Show an execution's state, in Celery's words too, and what Celery itself says of it."""
    cli = CliContext.of(ctx)
    found = look(scope_of(cli), execution, after=None).execution
    app = _app(cli.settings)
    inspected = _inspected(app, found.celery_task_id)
    fields = [
        (Column("execution", kind=Kind.WORD), found.id),
        (Column("subject"), found.subject),
        (Column("state", kind=Kind.WORD), found.state),
        (Column("celery_state", kind=Kind.WORD), CELERY_WORDS[found.state]),
        (Column("attempt", kind=Kind.NUMBER), found.attempt),
        (Column("celery_task_id", kind=Kind.WORD), found.celery_task_id),
        (Column("worker", kind=Kind.WORD), found.worker),
        (Column("inspect"), inspected),
        (Column("result_backend"), _stored(app, cli.settings, found.celery_task_id)),
    ]
    cli.write_sheet(Sheet(fields, "execution"), output)


def _app(settings: Settings) -> BrokerApp | None:
    if settings.broker_url is None:
        return None
    backend = settings.result_backend.reveal() if settings.result_backend else None
    return make_app(
        settings.broker_url.reveal(),
        embedded_folder=None,
        role="daemon",
        global_keyprefix=settings.broker_key_prefix,
        result_backend=backend,
    )


def _inspected(app: BrokerApp | None, task_id: str | None) -> str:
    if app is None:
        return "not asked: the embedded broker has no remote control"
    if task_id is None:
        return "not asked: it was never sent"
    try:
        return inspect_task(app, task_id, _PATIENCE) or "no worker has it"
    except BrokerUnreachable as error:
        return f"not known: {error}"


def _stored(app: BrokerApp | None, settings: Settings, task_id: str | None) -> str | None:
    if app is None or settings.result_backend is None or task_id is None:
        return None
    return backend_state(app, task_id)
