"""Owns `celsched db`: the schema of the store. It never writes anything but the schema."""

import typer

from celsched.cli.context import CliContext
from celsched.cli.lazy import new_typer
from celsched.cli.output import Column, Kind, OutputOption, Sheet
from celsched.store.migrate import HEAD
from celsched.store.store import open_store, stored_version

db = new_typer(no_args_is_help=True, help="The schema of the store.")


@db.command("upgrade")
def upgrade(ctx: typer.Context) -> None:
    """Bring the store's schema to the version of this celsched. On PostgreSQL this is never done unasked."""
    cli = CliContext.of(ctx)
    url = cli.settings.database_url.reveal()
    before = stored_version(url)
    open_store(url, upgrade=True).close()
    cli.print(f"schema {HEAD}" if before == HEAD else f"schema {before or 'none'} -> {HEAD}")


@db.command("current")
def current(ctx: typer.Context, output: OutputOption = None) -> None:
    """Show the version of the store's schema. Beside it stands the one that this celsched needs."""
    cli = CliContext.of(ctx)
    fields = [
        (Column("store", kind=Kind.WORD), stored_version(cli.settings.database_url.reveal())),
        (Column("needed", kind=Kind.WORD), HEAD),
    ]
    cli.write_sheet(Sheet(fields, "store"), output)
