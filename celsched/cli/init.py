"""Owns `celsched init`: three small files that run as they are. It never overwrites one."""

import os
from pathlib import Path
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.init_files import FILES
from celsched.errors import Conflict, NotPermitted


def init(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Folder of the project; made if it is not there.", metavar="[DIR]")
    ] = Path(),
) -> None:
    """Write a settings file, a manifest and a module of tasks that run as they are."""
    cli = CliContext.of(ctx)
    target = cli.cwd / folder.expanduser()
    there = [name for name in FILES if os.path.lexists(target / name)]
    if there:
        raise Conflict(
            f"{target} already holds {', '.join(there)}; nothing was written",
            hint="name another folder: celsched init DIR",
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            with (target / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise NotPermitted(f"{error.filename or target} cannot be written: {error.strerror}") from error
    for name in FILES:
        cli.print(str(target / name))
    inside = "" if target == cli.cwd else f"cd {folder} && "
    cli.say(f"next: {inside}celsched run --apply schedules.yaml --for 30s")
