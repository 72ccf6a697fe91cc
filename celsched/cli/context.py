"""Owns what a command is given: settings, clock, streams, and what is to be closed at its end.

It never decides anything, and never exits; tests hand in other streams, another environment and another clock.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO, TypeVar

import typer

from celsched.cli.output import Face, OutputMode, Sheet, Table, write_sheet, write_table
from celsched.clock import Clock, SystemClock
from celsched.errors import UsageError
from celsched.settings import Settings, load

T = TypeVar("T")


class CliContext:
    """One call of the command line. `flags` are settings given as global options; `verbosity` is -1 (quiet) to 2."""

    def __init__(
        self,
        *,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.stdin = stdin or sys.stdin
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.flags: dict[str, object] = {}
        self.verbosity = 0
        self.command: str | None = None
        self.daemon = False
        self.clock: Clock = clock or SystemClock()
        self.clock_given = clock is not None
        self.closing = ExitStack()
        self._env = env
        self._kept: dict[object, Any] = {}
        self.cwd = (cwd or Path.cwd()).absolute()

    def __enter__(self) -> "CliContext":
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.close()

    @classmethod
    def of(cls, ctx: typer.Context) -> "CliContext":
        """Return the context of the running command."""
        found = ctx.find_root().obj
        if not isinstance(found, cls):
            raise TypeError("the command was not started through celsched.cli.app.main")
        return found

    @cached_property
    def settings(self) -> Settings:
        """The settings in force; warnings about them are said once.

        Raises:
            SettingsError: they are unusable.
        """
        settings = load(self.flags, self._env, self.cwd)
        for warning in settings.warnings:
            self.warn(warning)
        return settings

    def settings_with(self, **flags: object) -> Settings:
        """Return the settings with a command's own options on top; None means not given."""
        given = {key: value for key, value in flags.items() if value is not None}
        if not given:
            return self.settings
        self.flags.update(given)
        self.__dict__.pop("settings", None)
        return self.settings

    @property
    def interactive(self) -> bool:
        """Whether a person sits at it: questions may be asked."""
        return self.stdin.isatty() and self.stderr.isatty()

    @property
    def terminal(self) -> bool:
        """Whether results go to a terminal."""
        return self.stdout.isatty()

    @property
    def face(self) -> Face:
        """Where results go; the zone is that of the settings."""
        return Face(self.stdout, self.terminal, lambda: self.clock.now(), lambda: self.settings.timezone, self.say)

    def write(self, table: Table, mode: OutputMode | None) -> None:
        """Write a list to standard output in the form asked for."""
        write_table(table, mode, self.face)

    def write_sheet(self, sheet: Sheet, mode: OutputMode | None) -> None:
        """Write one thing to standard output in the form asked for."""
        write_sheet(sheet, mode, self.face)

    def print(self, text: str = "") -> None:
        """Write a line of the result to standard output."""
        self.stdout.write(f"{text}\n")

    def say(self, text: str) -> None:
        """Say something to the person, on standard error; not with --quiet."""
        if self.verbosity >= 0:
            self.stderr.write(f"{text}\n")
            self.stderr.flush()

    def warn(self, text: str) -> None:
        """Say a warning on standard error, with --quiet too."""
        self.stderr.write(f"warning: {text}\n")
        self.stderr.flush()

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Return whether to go on: `yes` was given, or the person at the terminal agrees.

        Raises:
            UsageError: nobody sits there, and `yes` was not given.
        """
        if yes:
            return True
        if not self.interactive:
            raise UsageError(f"not confirmed: {question}", hint="add --yes where nobody can be asked")
        self.stderr.write(f"{question} [y/N] ")
        self.stderr.flush()
        return self.stdin.readline().strip().lower() in {"y", "yes"}

    def once(self, make: Callable[["CliContext"], T]) -> T:
        """Return what `make` makes of this context, made at the first call and kept for the others."""
        if make not in self._kept:
            self._kept[make] = make(self)
        kept: T = self._kept[make]
        return kept

    def at_exit(self, close: Callable[[], Any]) -> None:
        """Call `close` when the command ends, in whatever way."""
        self.closing.callback(close)
