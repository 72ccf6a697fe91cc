"""Owns what `define` and `schedule` have in common: a name or files, and how a change by hand is told.

It writes nothing to the store.
"""

from collections.abc import Sequence

from celsched.cli.apply import say_if_alone
from celsched.cli.context import CliContext
from celsched.cli.format import printable
from celsched.cli.render_changes import done_line, write_preview
from celsched.domain.names import clean_name
from celsched.errors import UsageError
from celsched.operations.edit import Edited


def only_files(name: str | None, files: Sequence[str] | None) -> bool:
    """Return whether files were named, and not one object.

    Raises:
        UsageError: both or neither were.
    """
    if name is not None and files:
        raise UsageError("NAME and -f exclude each other", hint="name one object, or files that hold many")
    if name is None and not files:
        raise UsageError("NAME is missing", hint="name the object, or add -f FILE")
    return bool(files)


def clean(name: str | None) -> str:
    """Return a name as it is stored; raise InvalidDefinition where it is none."""
    return clean_name(name)


def report(cli: CliContext, edited: Edited) -> None:
    """Tell what was changed by hand, and what is to be known about it."""
    for warning in edited.warnings:
        cli.warn(printable(warning))
    write_preview(cli, edited.preview)
    cli.print(done_line(edited.preview.changes))
    if edited.owner is not None:
        cli.warn(
            f"it belongs to the set `{printable(edited.owner)}`, whose manifest does not say so: "
            "`celsched diff` shows it, the next `celsched apply` undoes it"
        )
    if not edited.preview.empty:
        say_if_alone(cli)
