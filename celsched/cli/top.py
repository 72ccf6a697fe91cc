"""Owns `celsched top`: the full-screen live view and its loop. It changes nothing but what its keys ask for.

However it ends, the terminal is as it was before.
"""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.cli.render_terminal import console
from celsched.cli.scope import scope_of
from celsched.cli.top_feed import Feed
from celsched.cli.top_frame import Screen, frame
from celsched.cli.top_keys import Keys, unbuffered
from celsched.cli.top_view import PACES, View, press
from celsched.errors import UsageError
from celsched.operations.live import Lens, Snapshot
from celsched.runloop import stop_on_signals

_WITHOUT_TERMINAL = (100, 40)


def top(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Print one frame, on a terminal or not, and end.")] = False,
    name: Annotated[str, typer.Option("--filter", metavar="TEXT", help="Only what has this in its name.")] = "",
) -> int:
    """Show live what runs, waits, comes, went wrong and has just ended; `?` lists the keys."""
    cli = CliContext.of(ctx)
    if not once:
        _require_terminal(cli)
    scope = scope_of(cli)
    lens = Lens(scope, cli.settings.heartbeat)
    if once:
        _print(cli, lens.take(name), replace(View(), filter=name))
        return ExitCode.DONE
    with _bell() as (ring, heard), Feed(scope, lens, ring, PACES[0]) as feed:
        feed.filter = name
        _Loop(cli, feed, heard, name).run()
    return ExitCode.DONE


def _require_terminal(cli: CliContext) -> None:
    """Refuse to draw where nobody looks, or where the terminal cannot move its cursor."""
    hint = (
        "`celsched top --once` prints one frame; `celsched executions -o json` and `instances -o json` are for scripts"
    )
    if not (cli.terminal and cli.stdin.isatty()):
        raise UsageError("`celsched top` needs a terminal for its output and its keys", hint=hint)
    if console(cli.stdout).is_dumb_terminal:
        raise UsageError("this terminal cannot move its cursor (TERM=dumb)", hint=hint)


def _print(cli: CliContext, snapshot: Snapshot, view: View) -> None:
    out = console(cli.stdout)
    width, height = (out.width, out.height) if cli.terminal else _WITHOUT_TERMINAL
    lines = frame(snapshot, view, Screen(width, height, cli.settings.timezone))[:-1]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    for one in lines:
        if cli.terminal:
            out.print(one, no_wrap=True, crop=True, end="\n")
        else:
            cli.print(one.plain.rstrip())


class _Loop:
    """Draws after each look, key, change of size; in the main thread."""

    def __init__(self, cli: CliContext, feed: Feed, heard: int, name: str) -> None:
        self._cli = cli
        self._feed = feed
        self._heard = heard
        self._out: Console = console(cli.stdout)
        self._keys = Keys()
        self._view = View(filter=name)
        self._told = 0

    def run(self) -> None:
        """Go on until a key or a signal ends it."""
        stop, keyboard = threading.Event(), self._cli.stdin.fileno()
        with (
            stop_on_signals(stop),
            unbuffered(keyboard),
            Live(
                console=self._out, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            ) as live,
        ):
            while not (stop.is_set() or self._view.over):
                live.update(Text("\n").join(self._frame()), refresh=True)
                ready, _, _ = select.select([keyboard, self._heard], [], [])
                if self._heard in ready:
                    _drain(self._heard)
                if keyboard in ready and not self._read(keyboard):
                    return

    def _frame(self) -> list[Text]:
        seen, size = self._feed.seen, self._out.size
        if seen.deeds != self._told:
            self._told = seen.deeds
            self._view = replace(self._view, message=seen.said)
        return frame(
            seen.snapshot, self._view, Screen(size.width, size.height, self._cli.settings.timezone, seen.fault)
        )

    def _read(self, keyboard: int) -> bool:
        """Act on what was typed; return False where the terminal is gone."""
        try:
            data = os.read(keyboard, 1024)
        except OSError:
            return False
        for key in self._keys.feed(data):
            self._view, asked = press(self._view, key, self._feed.seen.snapshot or Snapshot(self._cli.clock.now()))
            if asked is not None:
                self._feed.ask(asked)
        if (self._feed.pace, self._feed.filter) != (self._view.pace, self._view.filter):
            self._feed.pace, self._feed.filter = self._view.pace, self._view.filter
            self._feed.hurry()
        return bool(data)


@contextmanager
def _bell() -> Iterator[tuple[Callable[[], None], int]]:
    """Yield what ends a wait from another thread, and the file to wait for; signals end it too."""
    heard, rung = os.pipe()
    os.set_blocking(heard, False)
    os.set_blocking(rung, False)
    former = signal.set_wakeup_fd(rung, warn_on_full_buffer=False)
    resized = signal.signal(signal.SIGWINCH, lambda number, stack: None)

    def ring() -> None:
        with suppress(BlockingIOError, OSError):
            os.write(rung, b"\0")

    try:
        yield ring, heard
    finally:
        signal.set_wakeup_fd(former)
        signal.signal(signal.SIGWINCH, resized)
        os.close(heard)
        os.close(rung)


def _drain(heard: int) -> None:
    with suppress(BlockingIOError):
        while os.read(heard, 4096):
            pass
