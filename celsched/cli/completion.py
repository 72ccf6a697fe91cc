"""Owns shell completion: the scripts of bash, zsh and fish, and the answers that they ask for.

An answer never raises, never writes and never waits long: a shell that hangs on TAB is worse than no completion.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from importlib import import_module
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from celsched.cli.completion_scripts import BASH, FISH, ZSH
from celsched.cli.context import CliContext
from celsched.cli.lazy import click_part
from celsched.cli.usage import hoisted

_MOST = 200
Names = Callable[[CliContext, str], list[tuple[str, str]]]
"""From the context and the beginning of a word to (name, remark) pairs; may raise, which completes nothing."""


class Shell(StrEnum):
    """The shells that have a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = {Shell.BASH: BASH, Shell.ZSH: ZSH, Shell.FISH: FISH}


def completion(
    ctx: typer.Context, shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]
) -> None:
    """Print the completion script of a shell.

    In bash and zsh: source <(celsched completion bash). In fish: celsched completion fish | source.
    """
    CliContext.of(ctx).stdout.write(_SCRIPTS[shell])


def answer(ctx: typer.Context, words: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Print the completions of the last word, one `value<TAB>remark` a line."""
    cli = CliContext.of(ctx)
    given = list(words or [""])
    with suppress(Exception):
        for value, remark in _completions(ctx, hoisted(given[:-1]), given[-1]):
            cli.print(f"{value}\t{remark}" if remark else value)


def live(name: str) -> Callable[[typer.Context, str], list[tuple[str, str]]]:
    """Return an `autocompletion=` callback for live names: `task`, `schedule`, `either`, `execution`, `queue`.

    They are in `celsched.cli.completion_names`, which loads the store only when a TAB asks for it.
    """

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        with suppress(Exception):
            names: Names = import_module("celsched.cli.completion_names").NAMES[name]
            return names(_context(ctx), incomplete)[:_MOST]
        return []

    return complete


def _context(ctx: typer.Context) -> CliContext:
    """Return a context with the global options that stand on the line being completed."""
    cli = ctx.find_root().obj
    if not isinstance(cli, CliContext):
        cli = CliContext()
    for key in ("config", "database_url"):
        if ctx.find_root().params.get(key) is not None:
            cli.flags[key] = ctx.find_root().params[key]
    return cli


def _completions(ctx: typer.Context, words: list[str], incomplete: str) -> Iterator[tuple[str, str]]:
    """Let the command line that is being typed tell what may follow."""
    resolver: Any = click_part(ctx, "shell_completion").ShellComplete
    root = ctx.find_root()
    # Its method needs these three attributes only; the class itself is abstract, meant for one shell each.
    line = SimpleNamespace(cli=root.command, ctx_args={"obj": root.obj}, prog_name="celsched")
    found = resolver.get_completions(line, words, incomplete)
    for item in found:
        if not str(item.value).startswith("__"):
            yield str(item.value), str(item.help or "")
