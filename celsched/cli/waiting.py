"""Owns waiting for an execution at the terminal: its log and progress live, its outcome as exit code.

It never gives an execution up: who stops waiting leaves it running.
"""

from contextlib import ExitStack
from typing import Any

from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.cli.outcome import outcome_code, outcome_sentence
from celsched.cli.render_log import LogWriter
from celsched.cli.scope import scope_of
from celsched.domain.execution import Execution, State
from celsched.operations.follow import follow


class ProgressBar:
    """A bar on standard error while an execution runs; nothing where that is no terminal."""

    def __init__(self, cli: CliContext) -> None:
        self._cli = cli
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "ProgressBar":
        if self._cli.stderr.isatty() and self._cli.verbosity >= 0:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            from celsched.cli.render_terminal import console

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[share]}"),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=console(self._cli.stderr), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("waiting", total=None, share="")
        return self

    def show(self, execution: Execution) -> None:
        """Draw the newest progress."""
        if self._bar is None:
            return
        done, total = execution.progress_done, execution.progress_total
        share = "" if done is None else f"{done:g}" if total is None else f"{done:g}/{total:g}"
        waits = execution.state is not State.RUNNING
        word = str(execution.state) if waits else execution.progress_message or "running"
        self._bar.update(self._task, description=word, total=total, completed=done or 0, share=share)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def wait_for(cli: CliContext, execution_id: int, *, show_log: bool, give_up: float | None) -> ExitCode:
    """Wait until the execution has ended; with `show_log` its lines are written as they come.

    Interrupting only stops the waiting. Returns 124 where `give_up` seconds were not enough.
    """
    scope = scope_of(cli)
    with ExitStack() as stack:
        bar = stack.enter_context(ProgressBar(cli))
        writer = LogWriter(cli, None) if show_log else None
        seen = None
        try:
            for seen in follow(scope, execution_id, cli.clock, give_up=give_up):
                if writer is not None:
                    writer.write(seen.lines)
                bar.show(seen.execution)
        except KeyboardInterrupt:
            stack.close()
            cli.say(f"no longer waiting; execution {execution_id} goes on (`celsched cancel {execution_id}` stops it)")
            raise
    if seen is None or not seen.over:
        cli.say(f"still not ended: execution {execution_id}; it goes on (`celsched logs -f {execution_id}`)")
        return ExitCode.TIMEOUT
    cli.say(outcome_sentence(seen.execution))
    return outcome_code(seen.execution)
