"""Owns `celsched stats`: options in, one report out, as tables, JSON or a page. It never counts.

`celsched.cli.stats_rows` turns the records into rows, `celsched.cli.stats_page` into HTML.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.lists import for_eyes, instant_option
from celsched.cli.output import OutputMode, OutputOption, Sheet, Table
from celsched.cli.page_file import write_page
from celsched.cli.scope import scope_of
from celsched.cli.stats_page import page
from celsched.cli.stats_rows import EYES, columns, eyes_fields, eyes_row, machine_fields, machine_row
from celsched.cli.stats_tables import tables
from celsched.domain.names import as_stored
from celsched.domain.report import cut
from celsched.errors import UsageError
from celsched.operations import stats as reports
from celsched.operations.scope import Scope
from celsched.operations.stats import Wanted


class Report(StrEnum):
    """The reports."""

    OVERVIEW = "overview"
    PERFORMANCE = "performance"
    REPORT = "report"


class By(StrEnum):
    """What performance is shown for."""

    SCHEDULE = "schedule"
    TASK = "task"


def stats(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    report: Annotated[Report, typer.Argument(help="Totals; numbers of each schedule; or both as a page.")] = (
        Report.OVERVIEW
    ),
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="What ended from then on: 24h, 7d, today, a date.")
    ] = "7d",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="What ended before then.")] = "now",
    task: Annotated[
        str | None, typer.Option("--task", metavar="TASK", help="Only of this task.", autocompletion=live("task"))
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="SCHEDULE", help="Only of this schedule.", autocompletion=live("schedule")),
    ] = None,
    by: Annotated[By, typer.Option("--by", help="Performance of each schedule, or of each task.")] = By.SCHEDULE,
    slots: Annotated[
        int, typer.Option("--slots", metavar="N", min=0, max=1440, help="The N busiest minutes of the day too.")
    ] = 0,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Where `report` writes its page; - is stdout.")
    ] = None,
    output: OutputOption = None,
) -> None:
    """Show what ran, how well and how fast.

    The success rate is succeeded / (succeeded + failed + timed out + lost): what was skipped, cancelled or expired says
    nothing about a task. Percentiles are exact (nearest rank). Days are those of the zone of the settings. An execution
    counts when it ended. `previous` is the time of the same length before.
    """
    cli = CliContext.of(ctx)
    _check(report, html, output, slots)
    scope = scope_of(cli)
    now = scope.now()
    begin, end = (instant_option(text, flag, scope.zone, now) or now for text, flag in
                  ((since, "--since"), (until, "--until")))  # fmt: skip
    wanted = Wanted(cut(begin, end, scope.zone), _name(schedule), _name(task), by_task=by is By.TASK, slots=slots)
    if report is Report.OVERVIEW:
        _write_overview(cli, scope, wanted, output)
    elif report is Report.PERFORMANCE:
        _write_performance(cli, scope, wanted, output)
    elif html is not None:
        overview, subjects = reports.both(scope, wanted)
        write_page(cli, html, page(overview, subjects, now))


def _check(report: Report, html: Path | None, output: OutputMode | None, slots: int) -> None:
    if report is Report.REPORT and html is None:
        raise UsageError("`stats report` writes a page", hint="name its file: --html report.html")
    if report is not Report.REPORT and html is not None:
        raise UsageError("--html belongs to `stats report`", hint="`celsched stats report --html FILE`")
    if report is Report.PERFORMANCE and slots:
        raise UsageError("--slots belongs to the overview", hint="`celsched stats --slots 10`")
    if report is not Report.PERFORMANCE and output is OutputMode.NAME:
        raise UsageError(f"`stats {report}` lists no names", hint="use -o json, or `stats performance -o name`")


def _name(given: str | None) -> str | None:
    return None if given is None else as_stored(given)


def _write_overview(cli: CliContext, scope: Scope, wanted: Wanted, output: OutputMode | None) -> None:
    found = reports.overview(scope, wanted)
    if not for_eyes(cli, output):
        cli.write_sheet(Sheet(machine_fields(found)), output)
        return
    cli.write_sheet(Sheet(eyes_fields(found)), output)
    for title, table in tables(found):
        cli.print(f"\n{title}")
        cli.write(table, output)


def _write_performance(cli: CliContext, scope: Scope, wanted: Wanted, output: OutputMode | None) -> None:
    found, empty = reports.performance(scope, wanted), "nothing to report on"
    if for_eyes(cli, output):
        rows = [eyes_row(one, mark_tasks=not wanted.by_task) for one in found]
        cli.write(Table(EYES, rows, empty=empty), output)
    else:
        cli.write(Table(columns(), [machine_row(one) for one in found], empty=empty), output)
