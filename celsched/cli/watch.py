"""Owns `celsched watch`: the alert loop, or one look for CI. It never judges; the monitor does."""

import threading
from dataclasses import replace
from typing import Annotated

import typer

from celsched.cli.alert_list import EYES, alert_row, busy, eyes_row
from celsched.cli.context import CliContext
from celsched.cli.daemon_parts import watcher_of
from celsched.cli.exits import ExitCode
from celsched.cli.lists import for_eyes
from celsched.cli.log_output import log_to
from celsched.cli.metrics_option import MetricsOption, answering
from celsched.cli.output import Column, OutputMode, OutputOption, Table
from celsched.cli.storage import say_if_idle, store_of
from celsched.domain.health import Severity
from celsched.errors import UsageError
from celsched.monitor.check import CheckResult, Watcher
from celsched.monitor.loop import watch_until
from celsched.redact import Redactor
from celsched.runloop import stop_on_signals
from celsched.service import ServiceManager
from celsched.settings.load import notify_socket
from celsched.store import alerts, notice_plan
from celsched.store.store import Store

_COLUMNS = tuple(Column(key) for key in (
    "id", "severity", "kind", "subject", "summary", "opened_at", "since", "command", "acknowledged_at", "silence_id",
    "muted_by",
))  # fmt: skip


def watch(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Look once, list what fires, exit 1 at --severity.")] = False,
    severity: Annotated[
        Severity | None,
        typer.Option("--severity", help="With --once: the mildest that makes it exit with 1; `warning` unless given."),
    ] = None,
    metrics: MetricsOption = None,
    output: OutputOption = None,
) -> int:
    """Notice what did not happen: a silent daemon, executions that do not start.

    With --once what fires is listed whether or not somebody acknowledged or silenced it. Only what is at or above
    --severity is trouble: every restart leaves some information for a while. What must last for a while before it
    opens (`hold`) fires at the first look after that. Where there is no trouble, but something could not be judged,
    it exits with 70: that is no good news.
    """
    cli = CliContext.of(ctx)
    if once and metrics is not None:
        raise UsageError("--once ends before anybody could scrape --metrics", hint="leave one of them out")
    if severity is not None and not once:
        raise UsageError("--severity is for --once", hint="which alerts a channel gets is set in `notify`: `severity`")
    store = store_of(cli)
    watcher, presence = watcher_of(cli.settings, store, cli.clock, once=once)
    say_if_idle(cli)
    if once:
        return _show(cli, _look(store, watcher), severity or Severity.WARNING, output)
    log_to(cli.stderr, verbosity=cli.verbosity, zone=cli.settings.timezone)
    # Imported here: one look needs no channels.
    from celsched.cli.delivery_parts import telling_of

    telling = telling_of(cli.settings, store, cli.clock)
    stop = threading.Event()
    with stop_on_signals(stop), answering(cli, metrics), telling.running(stop):
        cli.say("celsched watches; stop it with Ctrl-C")
        watch_until(stop, watcher, presence, cli.clock, ServiceManager(notify_socket()), telling)
    return ExitCode.DONE


def _look(store: Store, watcher: Watcher) -> CheckResult:
    """Look once, and mark what is silenced and muted, as a planner would: of one cause not everything is news."""
    result = watcher.run_once()
    store.write(lambda tx: notice_plan.mark(tx, store.clock.now()))
    return replace(result, firing=store.read(alerts.firing))


def _show(cli: CliContext, result: CheckResult, severity: Severity, output: OutputMode | None) -> int:
    if for_eyes(cli, output):
        rows = [eyes_row(one) for one in result.firing]
        table = Table(busy(EYES, rows, {"marks"}), rows, "id", "nothing fires")
    else:
        table = Table(_COLUMNS, [alert_row(one) for one in result.firing], "id", "nothing fires")
    cli.write(table, output)
    for gap in result.gaps:
        if not gap.told:
            cli.warn(f"could not {gap.place}: {Redactor().text(gap.why)}")
    if result.at_least(severity):
        return ExitCode.NO
    return ExitCode.FAULT if result.gaps else ExitCode.DONE
