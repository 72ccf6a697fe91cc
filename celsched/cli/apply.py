"""Owns `celsched apply`: show the difference, ask where something is lost, write it in one transaction.

It never decides what differs; operations do.
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.manifest_options import (
    AdoptOption,
    AllowPruneOption,
    FilesOption,
    NoImportOption,
    PruneOption,
    StrictOption,
    YesOption,
    sources_of,
    warn_of,
)
from celsched.cli.render_changes import counted, summary, unchanged, write_preview
from celsched.cli.scope import scope_of
from celsched.domain.changes import Action, ChangeSet
from celsched.operations import apply as operation
from celsched.operations.checks import CodeRules
from celsched.operations.liveness import daemon_lives
from celsched.operations.manifests import Plan, Terms, plan


def apply(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    file: FilesOption = None,
    prune: PruneOption = False,
    allow_prune: AllowPruneOption = None,
    adopt: AdoptOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    yes: YesOption = False,
    strict: StrictOption = False,
    no_import: NoImportOption = False,
) -> None:
    """Put manifests in force: show the difference, then write all of it in one transaction, or nothing.

    Applying again changes nothing. Where something would be deleted or taken over it asks first; --yes answers it.
    """
    cli = CliContext.of(ctx)
    terms = Terms(strict=strict, prune=prune, adopt=adopt, allow_prune=allow_prune)
    seen = planned(cli, file, terms, CodeRules.of(cli.settings, load=not no_import))
    if dry_run:
        cli.say("dry run: nothing was written")
    elif carried_out(cli, seen, yes=yes):
        say_if_alone(cli)


def apply_files(cli: CliContext, files: Sequence[str]) -> None:
    """Apply manifests before something else is done with them; raises what `celsched apply` ends with."""
    carried_out(cli, planned(cli, files, Terms(), CodeRules.of(cli.settings)), yes=False)


def apply_part(cli: CliContext, files: Sequence[str] | None, terms: Terms, rules: CodeRules, *, yes: bool) -> None:
    """Apply a part of manifests; raises what `celsched apply` ends with."""
    if carried_out(cli, planned(cli, files, terms, rules), yes=yes):
        say_if_alone(cli)


def planned(cli: CliContext, files: Sequence[str] | None, terms: Terms, rules: CodeRules) -> Plan:
    """Return and show what the manifests would change.

    Raises:
        InvalidManifest, UsageError: nothing can be planned. Conflict: it may not be done.
    """
    sources = sources_of(cli, files)
    seen = plan(scope_of(cli), sources, rules, terms)
    warn_of(cli, seen.checked.warnings)
    write_preview(cli, seen.preview)
    operation.refuse(seen.preview, seen.wanted)
    changes = seen.preview.changes
    if seen.preview.empty:
        cli.print(unchanged(changes))
    return seen


def carried_out(cli: CliContext, seen: Plan, *, yes: bool) -> bool:
    """Write what was shown, once it is confirmed where that is due; return whether anything changed."""
    if seen.preview.empty and not seen.preview.agreed:
        return False
    question = _question(seen.preview.changes)
    if question and not cli.confirm(question, yes=yes):
        cli.say("nothing was written")
        raise typer.Exit(1)
    done = operation.apply(scope_of(cli), seen.wanted, seen.preview, checked=seen.checked.tasks)
    for kind, name in sorted(seen.preview.agreed):
        cli.print(f"confirmed: the manifest says of the {kind} '{name}' what somebody had changed by hand")
    if not seen.preview.empty:
        cli.print(f"applied: {summary(done, done=True)}")
    return not seen.preview.empty


def say_if_alone(cli: CliContext) -> None:
    """Say so where nobody is there to carry out what was recorded."""
    if not daemon_lives(scope_of(cli), cli.settings.heartbeat):
        cli.say("recorded; no daemon is running (`celsched run` starts one)")


def _question(changes: ChangeSet) -> str | None:
    deleted, adopted = len(changes.of(Action.DELETE)), len(changes.of(Action.ADOPT))
    parts = [f"delete {counted(deleted, 'object')}"] if deleted else []
    parts += [f"take over {counted(adopted, 'object')}"] if adopted else []
    text = " and ".join(parts)
    return f"{text[0].upper()}{text[1:]}?" if text else None
