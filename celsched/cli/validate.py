"""Owns `celsched validate`: every problem of manifests at its place. It never writes, and needs no store."""

from pathlib import Path

import typer

from celsched.cli.context import CliContext
from celsched.cli.manifest_options import FilesOption, NoImportOption, StrictOption, sources_of, warn_of
from celsched.cli.render_changes import counted
from celsched.cli.storage import store_of
from celsched.domain.changes import Definitions
from celsched.errors import StoreUnreachable
from celsched.operations.checks import CodeRules
from celsched.operations.manifests import Checked, Terms, check, stored_definitions
from celsched.store.engine import parse_url


def validate(
    ctx: typer.Context, file: FilesOption = None, strict: StrictOption = False, no_import: NoImportOption = False
) -> None:
    """Check manifests without applying them: all problems at once, each at its place.

    The code of the tasks is imported in a process of its own, as a worker would import it, and parameters are checked
    against it. Exit code 2 where anything is wrong.
    """
    cli = CliContext.of(ctx)
    sources = sources_of(cli, file)
    rules = CodeRules.of(cli.settings, load=not no_import)
    stored = _stored(cli)
    terms = Terms(strict=strict)
    checked = check(sources, stored, rules, cli.settings.fallback_layer(), cli.clock.now(), terms)
    warn_of(cli, checked.warnings)
    cli.print(_summary(checked, len(sources), imported=not no_import))


def _stored(cli: CliContext) -> Definitions:
    """Return what is stored, which schedules may refer to; a store that is not there holds nothing."""
    url = parse_url(cli.settings.database_url.reveal())
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return Definitions()
    try:
        return store_of(cli).read(stored_definitions)
    except StoreUnreachable as error:
        cli.warn(f"{error.message}; tasks that are stored there are not known here")
        return Definitions()


def _summary(checked: Checked, files: int, *, imported: bool) -> str:
    tasks, schedules = len(checked.definitions.tasks), len(checked.definitions.schedules)
    warned = f", {counted(len(checked.warnings), 'warning')}" if checked.warnings else ""
    unread = "" if imported else " (code not imported)"
    return (
        f"valid: {counted(files, 'file')}, {counted(tasks, 'task')}, {counted(schedules, 'schedule')}{warned}{unread}"
    )
