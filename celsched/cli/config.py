"""Owns `celsched config`: the settings in force and their origins. Passwords are masked in every form."""

from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.domain.names import suggestion
from celsched.errors import NotFound
from celsched.settings.table import SETTINGS, shown


def _keys(incomplete: str) -> list[tuple[str, str]]:
    return [(key, setting.about) for key, setting in SETTINGS.items() if key.startswith(incomplete)]


def config(
    ctx: typer.Context,
    key: Annotated[
        str | None, typer.Argument(help="Only this setting.", metavar="[SETTING]", autocompletion=_keys)
    ] = None,
    output: OutputOption = None,
) -> None:
    """Show each setting, its value in force, and where it came from. Passwords are masked."""
    cli = CliContext.of(ctx)
    settings = cli.settings
    if key is not None and key not in SETTINGS:
        raise NotFound(f"there is no setting `{key}`", hint=suggestion(key, SETTINGS))
    rows = [
        {
            "name": setting.key,
            "value": shown(setting.key, getattr(settings, setting.field)),
            "origin": settings.origins[setting.key],
            "about": setting.about,
        }
        for setting in SETTINGS.values()
        if setting.key == key or (key is None and not (setting.hidden and settings.origins[setting.key] == "default"))
    ]
    for name in settings.idle_variables:
        cli.warn(f"the variable {name} is no setting and has no effect")
    if settings.config_file is None:
        cli.say("no settings file found; `celsched init` writes one")
    columns = [
        Column("name", kind=Kind.WORD),
        Column("value", least=30),
        Column("origin", rank=1, least=20),
        Column("about", rank=2, least=40),
    ]
    cli.write(Table(columns, rows), output)
