"""Owns a group of commands whose modules are imported only when one of them is called.

It never imports a module to list its command: names and one-line helps stand in the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from celsched.domain.names import suggestion
from celsched.errors import UsageError


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: `package.module:function` (or a `typer.Typer` there), its help in one line, its section.

    A `daemon` runs until it is stopped: it ends with 0 when interrupted, and with 78 where its settings are unusable.
    """

    target: str
    help: str
    section: str
    daemon: bool = False
    hidden: bool = False


def new_typer(**options: Any) -> typer.Typer:
    """Return a Typer as this command line uses it; a module with subcommands makes its own with it."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        **options,
    )


class LazyGroup(TyperGroup):
    """The root group. Its class attribute `table` is filled by `celsched.cli.app`."""

    table: Mapping[str, Entry] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return one command, or None where the table has none of the name."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name, entry)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command to run; an unknown name is refused with the nearest known one."""
        if args and args[0] not in self.table and not args[0].startswith("-") and not ctx.resilient_parsing:
            hint = suggestion(args[0], self.table) or "`celsched --help` lists the commands"
            raise UsageError(f"there is no command `{args[0]}`", hint=hint)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return the commands that begin so, and the options where a dash was typed; no command is imported."""
        item = click_part(ctx, "shell_completion").CompletionItem
        found = [
            item(name, help=entry.help)
            for name, entry in self.table.items()
            if name.startswith(incomplete) and not entry.hidden
        ]
        options = super(TyperGroup, self).shell_complete(ctx, incomplete) if incomplete.startswith("-") else []
        return [*found, *options]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their sections."""
        visible = {name: entry for name, entry in self.table.items() if not entry.hidden}
        width = max((len(name) for name in visible), default=0)
        for section in dict.fromkeys(entry.section for entry in visible.values()):
            rows = [(name.ljust(width), entry.help) for name, entry in visible.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


def click_part(ctx: Any, name: str) -> Any:
    """Return a module of the click that Typer runs on: its own copy or the installed one, depending on its version."""
    kind = next(kind for kind in reversed(type(ctx).__mro__) if kind.__name__ == "Context")
    return import_module(f"{kind.__module__.rpartition('.')[0]}.{name}")


def _load(name: str, entry: Entry) -> Any:
    module, _, attribute = entry.target.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        function, found = found, new_typer()
        found.command(name, help=None)(function)
    command = typer.main.get_command(found)
    command.name = name
    return command
