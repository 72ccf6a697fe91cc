"""Owns `celsched version`. It imports none of the libraries whose versions it shows."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import typer

from celsched.cli.context import CliContext
from celsched.cli.output import Column, OutputOption, Table
from celsched.version import __version__

_LIBRARIES = (
    "celery",
    "kombu",
    "sqlalchemy",
    "psycopg",
    "redis",
    "alembic",
    "croniter",
    "tzdata",
    "apprise",
    "fastapi",
)


def version(ctx: typer.Context, output: OutputOption = None) -> None:
    """Show the versions of celsched, Python and the libraries it runs on; what is not installed has none."""
    found: dict[str, str | None] = {"celsched": __version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = installed(library)
        except PackageNotFoundError:
            found[library] = None
    rows = [{"name": name, "version": number} for name, number in found.items()]
    CliContext.of(ctx).write(Table([Column("name"), Column("version")], rows), output)
