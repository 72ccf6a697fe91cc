"""Owns the options that every command about manifests has, and how their files are read. It decides nothing."""

from collections.abc import Sequence
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.format import printable
from celsched.errors import UsageError
from celsched.manifest.problem import Problem
from celsched.manifest.source import STDIN, Source, read_sources

FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "--file",
        metavar="FILE|DIR|-",
        help="A manifest, a folder of them, or `-` for standard input; repeatable.",
    ),
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Take warnings for problems.")]
NoImportOption = Annotated[
    bool,
    typer.Option("--no-import", help="Do not import the tasks' code, where it is not installed; workers check it."),
]
PruneOption = Annotated[
    bool, typer.Option("--prune", help="Delete what the manifests' own sets hold and no manifest names.")
]
AllowPruneOption = Annotated[
    int | None,
    typer.Option(
        "--allow-prune", metavar="N", min=0, help="Delete up to N objects instead of 20 % of a set (at least 3)."
    ),
]
AdoptOption = Annotated[bool, typer.Option("--adopt", help="Take over objects that belong to another set, or to none.")]
YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]


def sources_of(cli: CliContext, files: Sequence[str] | None) -> list[Source]:
    """Return the manifests that were named.

    Raises:
        UsageError: none was named.
    """
    if not files:
        raise UsageError("no manifest was named", hint="add -f FILE, -f DIR, or -f - for standard input")
    return read_sources(files, stdin=_standard_input(cli) if STDIN in files else b"")


def warn_of(cli: CliContext, warnings: Sequence[Problem]) -> None:
    """Show warnings with their places."""
    for warning in warnings:
        cli.stderr.write(f"{printable(warning.render())}\n")


def _standard_input(cli: CliContext) -> bytes:
    raw = getattr(cli.stdin, "buffer", None)  # bytes, so that what is no UTF-8 gets its place; tests hand in text
    data: bytes = raw.read() if raw is not None else cli.stdin.read().encode()
    return data
