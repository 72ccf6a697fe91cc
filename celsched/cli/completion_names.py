"""Owns which live names a word may become: read from the store, which is neither made nor upgraded for it.

Each function may raise; `celsched.cli.completion` turns that into no completion.
"""

from collections.abc import Callable
from pathlib import Path

from celsched.cli.context import CliContext
from celsched.settings.table import QUEUES
from celsched.store import definitions, executions
from celsched.store.engine import make_engine, parse_url
from celsched.store.store import Store, Tx

_PATIENCE = 0.5
_MOST = 200
Names = list[tuple[str, str]]


def _store(cli: CliContext) -> Store | None:
    url = parse_url(cli.settings.database_url.reveal())
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return None
    engine, dialect = make_engine(url)
    store = Store(engine, dialect)
    cli.at_exit(store.close)
    return store


def _read(cli: CliContext, query: Callable[[Tx], Names], incomplete: str) -> Names:
    store = cli.once(_store)
    if store is None:
        return []
    return [name for name in store.read(query, patience=_PATIENCE) if name[0].startswith(incomplete)][:_MOST]


def task_names(cli: CliContext, incomplete: str) -> Names:
    """Return tasks."""
    return _read(cli, lambda tx: [(name, "task") for name in definitions.task_names(tx)], incomplete)


def schedule_names(cli: CliContext, incomplete: str) -> Names:
    """Return schedules."""
    return _read(cli, lambda tx: [(name, "schedule") for name in definitions.schedule_names(tx)], incomplete)


def either_names(cli: CliContext, incomplete: str) -> Names:
    """Return tasks and schedules, for commands that take both."""
    return task_names(cli, incomplete) + schedule_names(cli, incomplete)


def execution_ids(cli: CliContext, incomplete: str) -> Names:
    """Return the newest executions, each with whose it is and its state."""

    def query(tx: Tx) -> Names:
        newest = executions.listing(tx, executions.Filter(), _MOST)
        return [(str(execution.id), f"{execution.subject}: {execution.state}") for execution in newest]

    return _read(cli, query, incomplete)


def queue_names(cli: CliContext, incomplete: str) -> Names:
    """Return the queues of the settings, and the usual ones."""
    known = dict.fromkeys([*cli.settings.queues, *QUEUES])
    return [(name, "queue") for name in known if name.startswith(incomplete)]


NAMES: dict[str, Callable[[CliContext, str], Names]] = {
    "task": task_names,
    "schedule": schedule_names,
    "either": either_names,
    "execution": execution_ids,
    "queue": queue_names,
}
