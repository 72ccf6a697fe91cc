"""Owns `celsched schedule`: one schedule made or changed by options, or those of manifests. It decides nothing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from celsched.cli.apply import apply_part
from celsched.cli.completion import live
from celsched.cli.context import CliContext
from celsched.cli.edited import clean, only_files, report
from celsched.cli.manifest_options import AdoptOption, FilesOption, NoImportOption, YesOption
from celsched.cli.option_values import (
    LabelOption,
    ParamOption,
    UnsetOption,
    layer_of,
    option,
    params_of,
    rule_of,
    without,
)
from celsched.cli.scope import scope_of
from celsched.domain.definition import ScheduleDefinition
from celsched.errors import UsageError
from celsched.operations.checks import CodeRules
from celsched.operations.edit import edit_schedule
from celsched.operations.manifests import Part, Terms


def schedule(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The schedule.", metavar="NAME", show_default=False)] = None,
    file: FilesOption = None,
    task: Annotated[
        str | None, typer.Option("--task", metavar="TASK", help="The task it runs.", autocompletion=live("task"))
    ] = None,
    cron: Annotated[str | None, typer.Option("--cron", metavar="E", help='Five fields: "0 2 * * *".')] = None,
    every: Annotated[str | None, typer.Option("--every", metavar="D", help="A period: 30s, 5m, 6h, 1d.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="T", help="Once: 2026-12-01 09:00, or +5s.")] = None,
    timezone: Annotated[str | None, option("timezone", "ZONE")] = None,
    param: ParamOption = None,
    priority: Annotated[int | None, option("priority", "0-9")] = None,
    queue_name: Annotated[str | None, typer.Option("--queue", metavar="QUEUE", help="Queue of the workers.")] = None,
    misfire: Annotated[
        str | None, option("misfire", about="what becomes of fire times that downtime swallowed")
    ] = None,
    misfire_after: Annotated[str | None, option("misfire_after", "D")] = None,
    catch_up_window: Annotated[str | None, option("catch_up_window", "D")] = None,
    overlap: Annotated[str | None, option("overlap", about="while an earlier execution is active")] = None,
    jitter: Annotated[str | None, option("jitter", "D", "delays each start by up to this")] = None,
    start_at: Annotated[str | None, option("start_at", "T")] = None,
    end_at: Annotated[str | None, option("end_at", "T")] = None,
    max_runs: Annotated[int | None, option("max_runs", "N")] = None,
    pause_after_failures: Annotated[
        int | None, option("pause_after_failures", "N", "pauses after so many final failures in a row")
    ] = None,
    start_deadline: Annotated[str | None, option("start_deadline", "D")] = None,
    soft_time_limit: Annotated[str | None, option("soft_time_limit", "D")] = None,
    time_limit: Annotated[str | None, option("time_limit", "D")] = None,
    max_retries: Annotated[int | None, option("max_retries", "N")] = None,
    retry_delay: Annotated[str | None, typer.Option(metavar="D", help="Delay before the first retry.")] = None,
    retry_factor: Annotated[
        float | None, typer.Option(metavar="X", help="Each delay is so many times the last.")
    ] = None,
    retry_max_delay: Annotated[str | None, typer.Option(metavar="D", help="The longest delay.")] = None,
    retry_jitter: Annotated[
        bool | None, typer.Option("--retry-jitter/--no-retry-jitter", help="Vary delays by chance.")
    ] = None,
    retry_on_lost: Annotated[int | None, option("retry_on_lost", "N")] = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Whether it has fire times.")] = None,
    label: LabelOption = None,
    unset: UnsetOption = None,
    adopt: AdoptOption = False,
    yes: YesOption = False,
    no_import: NoImportOption = False,
) -> None:
    """Create or change the schedule NAME, or with -f the schedules of manifests.

    Of an existing schedule only what is given changes.
    """
    cli = CliContext.of(ctx)
    rules = CodeRules.of(cli.settings, load=not no_import)
    if only_files(name, file):
        apply_part(cli, file, Terms(Part.SCHEDULES, adopt=adopt), rules, yes=yes)
        return
    of = clean(name)
    report(cli, edit_schedule(scope_of(cli), rules, of, lambda old: _scheduled(cli, of, old, ctx.params)))


def _scheduled(
    cli: CliContext, name: str, old: ScheduleDefinition | None, given: Mapping[str, Any]
) -> ScheduleDefinition:
    """Return the schedule with what was given on top of what it was."""
    now, zone = cli.clock.now(), _zone(cli, old, given)
    rule = rule_of(given, zone=zone, now=now)
    base = old or _new(name, given, rule)
    options = layer_of(base.options, given, zone=zone, now=now)
    params = {**base.params}
    without(given["unset"], options, params)
    return replace(
        base,
        task=base.task if given["task"] is None else clean(given["task"]),
        rule=rule or base.rule,
        options=options,
        params={**params, **params_of(given["param"])},
    )


def _new(name: str, given: Mapping[str, Any], rule: Any) -> ScheduleDefinition:
    if given["task"] is None:
        raise UsageError(f"there is no schedule '{name}' yet: --task is missing", hint="`celsched tasks` lists tasks")
    if rule is None:
        raise UsageError(
            f"there is no schedule '{name}' yet: its rule is missing", hint="add --cron E, --every D or --at T"
        )
    return ScheduleDefinition(name, clean(given["task"]), rule)


def _zone(cli: CliContext, old: ScheduleDefinition | None, given: Mapping[str, Any]) -> str:
    """Return the zone in which wall times are meant: that of the schedule as it will be."""
    layers = ({"timezone": given["timezone"]}, old.options if old else {}, old.defaults if old else {})
    found = next((layer["timezone"] for layer in layers if layer.get("timezone")), None)
    return str(found or cli.settings.timezone)
