"""Owns the entry point: global options, and the one place where an error becomes a message and an exit code.

It never does a command's work, and imports a command's module only when it is called.
"""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from celsched.cli.commands import COMMANDS
from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode, exit_code
from celsched.cli.format import printable
from celsched.cli.lazy import LazyGroup, new_typer
from celsched.cli.usage import Usage, explain, hoisted
from celsched.errors import CelschedError, InvalidManifest, Unreachable
from celsched.redact import Redactor
from celsched.settings.load import debug_wanted
from celsched.version import __version__


class Root(LazyGroup):
    """The commands of celsched."""

    table = COMMANDS


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"celsched {__version__}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Settings file, or the folder that holds it.")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option("--database-url", metavar="URL", help="The store, instead of the one of the settings.")
    ] = None,
    verbose: Annotated[
        int,
        typer.Option(
            "-v", "--verbose", count=True, show_default=False, help="Say more, and show tracebacks of faults."
        ),
    ] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but results, warnings and errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Schedules and watches Celery work: every fire time is accounted for."""
    cli = CliContext.of(ctx)
    cli.flags.update(config=config, database_url=database_url)
    cli.verbosity = -1 if quiet else verbose
    cli.command = ctx.invoked_subcommand
    cli.daemon = cli.command in COMMANDS and COMMANDS[cli.command].daemon


def build() -> Any:
    """Return the root command."""
    app = new_typer(cls=Root, no_args_is_help=True)
    app.callback()(_root)
    return typer.main.get_command(app)


def main(args: Sequence[str] | None = None, *, cli: CliContext | None = None) -> int:
    """Run one command and return the exit code; no exception leaves it."""
    cli = cli or CliContext()
    _never_fail_to_encode(cli)
    logging.getLogger("psycopg").addFilter(_not_told_by_us)
    try:
        with cli:
            code = _invoke(hoisted(list(sys.argv[1:] if args is None else args)), cli)
            cli.stdout.flush()
        return code
    except BrokenPipeError:
        # Who read our output has seen enough. Nothing may be written to it any more, not even at exit.
        if cli.stdout is sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except KeyboardInterrupt as error:
        return exit_code(error)
    except Exception as error:
        return _report(_unwritable(error) or error, cli)


def _not_told_by_us(record: logging.LogRecord) -> bool:
    """Whether a driver's record is news: the error that it speaks of here is raised as well, and told in our words."""
    return not str(record.msg).startswith("error ignored")


def _unwritable(error: Exception) -> CelschedError | None:
    """Return the mistake of the world that a full disk behind our output is; it is no fault of ours."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        said = f"cannot write: {os.strerror(error.errno)}"
        return Unreachable(said, hint="make room where the output or the data folder lies")
    return None


def _invoke(args: list[str], cli: CliContext) -> int:
    command = build()
    try:
        with command.make_context("celsched", args, obj=cli) as ctx:
            result = command.invoke(ctx)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort as end:
        raise KeyboardInterrupt from end
    return int(result) if isinstance(result, int) else ExitCode.DONE


def _report(error: Exception, cli: CliContext) -> ExitCode:
    """Say on standard error what went wrong and what to do next; return the exit code."""
    if isinstance(error, Usage):
        cli.stderr.write(explain(error, cli.command))
        return ExitCode.USAGE
    if not isinstance(error, CelschedError):
        return _report_fault(error, cli)
    if isinstance(error, InvalidManifest):
        cli.stderr.write("".join(f"{printable(problem)}\n" for problem in error.problems))
    cli.stderr.write(f"celsched: {printable(error.message)}\n")
    if error.hint:
        cli.stderr.write(f"hint: {printable(error.hint)}\n")
    if cli.verbosity > 1:
        _write_traceback(error, cli)
    return exit_code(error, daemon=cli.daemon)


def _report_fault(error: Exception, cli: CliContext) -> ExitCode:
    message = printable(Redactor().text(str(error))).split("\n")[0]
    cli.stderr.write(f"celsched: internal fault: {type(error).__name__}: {message}\n")
    if cli.verbosity > 0 or debug_wanted():
        _write_traceback(error, cli)
    else:
        cli.stderr.write("hint: this is a bug of celsched; `celsched -v ...` shows where it happened\n")
    return ExitCode.FAULT


def _write_traceback(error: Exception, cli: CliContext) -> None:
    cli.stderr.write(printable(Redactor().text("".join(traceback.format_exception(error)))))


def _never_fail_to_encode(cli: CliContext) -> None:
    """Show what the terminal's encoding lacks as escapes instead of failing in the middle of a table."""
    for stream in (cli.stdout, cli.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
