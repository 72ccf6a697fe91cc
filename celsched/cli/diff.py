"""Owns `celsched diff`: what applying manifests would change. It never writes to the store's definitions."""

import typer

from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.cli.manifest_options import (
    AdoptOption,
    FilesOption,
    NoImportOption,
    PruneOption,
    StrictOption,
    sources_of,
    warn_of,
)
from celsched.cli.output import OutputMode, OutputOption
from celsched.cli.render_changes import summary, unchanged, write_preview
from celsched.cli.scope import scope_of
from celsched.operations.checks import CodeRules
from celsched.operations.manifests import Terms, plan


def diff(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    file: FilesOption = None,
    prune: PruneOption = False,
    adopt: AdoptOption = False,
    strict: StrictOption = False,
    no_import: NoImportOption = False,
    output: OutputOption = None,
) -> int:
    """Show what `apply` would change, and what follows for fire times. Exit code 1 where there is a difference."""
    cli = CliContext.of(ctx)
    terms = Terms(strict=strict, prune=prune, adopt=adopt)
    sources = sources_of(cli, file)
    seen = plan(scope_of(cli), sources, CodeRules.of(cli.settings, load=not no_import), terms)
    warn_of(cli, seen.checked.warnings)
    write_preview(cli, seen.preview, output)
    changes = seen.preview.changes
    if output in (None, OutputMode.TABLE):
        cli.print(unchanged(changes) if seen.preview.empty else summary(changes, done=False))
    return ExitCode.DONE if seen.preview.empty else ExitCode.NO
