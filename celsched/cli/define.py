"""Owns `celsched define`: one task definition made or changed by options, or those of manifests. It decides nothing."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from celsched.cli.apply import apply_part
from celsched.cli.context import CliContext
from celsched.cli.edited import clean, only_files, report
from celsched.cli.manifest_options import AdoptOption, FilesOption, NoImportOption, YesOption
from celsched.cli.option_values import LabelOption, ParamOption, UnsetOption, layer_of, option, params_of, without
from celsched.cli.scope import scope_of
from celsched.domain.definition import TaskDefinition
from celsched.errors import UsageError
from celsched.operations.checks import CodeRules
from celsched.operations.edit import edit_task
from celsched.operations.manifests import Part, Terms


def define(  # noqa: PLR0913  a command's options
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The task.", metavar="NAME", show_default=False)] = None,
    file: FilesOption = None,
    task_path: Annotated[
        str | None,
        typer.Option("--task-path", metavar="PATH", help="package.module.function, or package.module:function."),
    ] = None,
    task_type: Annotated[str | None, typer.Option("--type", metavar="TEXT", help="A label of your own.")] = None,
    description: Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it does.")] = None,
    queue_name: Annotated[str | None, typer.Option("--queue", metavar="QUEUE", help="Queue of the workers.")] = None,
    param: ParamOption = None,
    params_schema: Annotated[
        str | None, typer.Option("--params-schema", metavar="FILE", help="A JSON Schema that parameters must fit.")
    ] = None,
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
    soft_time_limit: Annotated[str | None, option("soft_time_limit", "D")] = None,
    time_limit: Annotated[str | None, option("time_limit", "D")] = None,
    priority: Annotated[int | None, option("priority", "0-9")] = None,
    start_deadline: Annotated[str | None, option("start_deadline", "D")] = None,
    on_store_outage: Annotated[
        str | None, option("on_store_outage", about="what becomes of its running function while the store is away")
    ] = None,
    label: LabelOption = None,
    unset: UnsetOption = None,
    adopt: AdoptOption = False,
    yes: YesOption = False,
    no_import: NoImportOption = False,
) -> None:
    """Create or change the task NAME, or with -f the tasks of manifests.

    Of an existing task only what is given changes.
    """
    cli = CliContext.of(ctx)
    rules = CodeRules.of(cli.settings, load=not no_import)
    if only_files(name, file):
        apply_part(cli, file, Terms(Part.TASKS, adopt=adopt), rules, yes=yes)
        return
    task = clean(name)
    given = {**ctx.params, "params_schema": _schema(cli, params_schema)}
    report(cli, edit_task(scope_of(cli), rules, task, lambda old: _defined(cli, task, old, given)))


def _defined(cli: CliContext, name: str, old: TaskDefinition | None, given: Mapping[str, Any]) -> TaskDefinition:
    """Return the task with what was given on top of what it was."""
    if old is None and given["task_path"] is None:
        raise UsageError(f"there is no task '{name}' yet: --task-path is missing", hint="name package.module.function")
    base = old or TaskDefinition(name, given["task_path"])
    options = layer_of(base.options, given, zone=cli.settings.timezone, now=cli.clock.now())
    params = {**base.default_params}
    without(given["unset"], options, params)
    texts = {key: given[key] for key in ("task_path", "task_type", "description", "params_schema")}
    named = {key: value for key, value in texts.items() if value is not None}
    return replace(base, **named, options=options, default_params={**params, **params_of(given["param"])})


def _schema(cli: CliContext, file: str | None) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        found = json.loads((cli.cwd / file).read_bytes())
    except OSError as error:
        raise UsageError(f"--params-schema {file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"--params-schema {file}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"--params-schema {file}: a JSON Schema is an object here")
    return found
