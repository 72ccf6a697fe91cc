"""Owns how a difference reads: what is made, changed and removed, each with its consequences. It never compares.

The same words go to a terminal, with colours, and to a pipe, without: instants in the zone of their schedule. Rows for
programs have them in UTC.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, TextIO

from celsched.cli.context import CliContext
from celsched.cli.format import one_line, printable
from celsched.cli.output import Column, Kind, OutputMode, Table
from celsched.domain.changes import Action, Change, ChangeSet, Definition, FieldChange, owner_text, rule_text
from celsched.domain.definition import ScheduleDefinition, TaskDefinition
from celsched.operations.apply import Consequence, Preview
from celsched.operations.wording import moment
from celsched.timing.instant import format_instant

_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.ADOPT: "~", Action.DELETE: "-"}
_STYLES = {"+": "green", "~": "yellow", "-": "red", "!": "bold red"}
_COLUMNS = (
    Column("action", kind=Kind.WORD),
    Column("kind", kind=Kind.WORD),
    Column("name"),
    Column("fields"),
    Column("owner_conflict"),
    Column("drifted"),
    Column("consequences"),
)
_INSTANTS = {f"{layer}{key}" for layer in ("", "defaults.") for key in ("start_at", "end_at")}


def write_preview(cli: CliContext, preview: Preview, output: OutputMode | None = None) -> None:
    """Write the difference to standard output: for people, or as rows of machines."""
    if output in (None, OutputMode.TABLE):
        _draw(cli, [*_lines(preview, cli.settings.timezone)])
    else:
        cli.write(Table(_COLUMNS, list(_rows(preview))), output)


def unchanged(changes: ChangeSet) -> str:
    """Return the line for a difference that is none."""
    of_kind = [sum(1 for change in changes.changes if change.kind == kind) for kind in ("task", "schedule")]
    return f"unchanged: {counted(of_kind[0], 'task')}, {counted(of_kind[1], 'schedule')}"


def summary(changes: ChangeSet, *, done: bool) -> str:
    """Return the numbers in one line: of what will be, or was, done."""
    words = {
        Action.CREATE: ("to create", "created"),
        Action.UPDATE: ("to change", "changed"),
        Action.ADOPT: ("to take over", "taken over"),
        Action.DELETE: ("to delete", "deleted"),
        Action.UNCHANGED: ("unchanged", "unchanged"),
    }
    parts = [f"{len(found)} {word[done]}" for action, word in words.items() if (found := changes.of(action))]
    return ", ".join(parts)


def done_line(changes: ChangeSet) -> str:
    """Return the last line of a change of one object by hand."""
    return f"done: {summary(changes, done=True)}" if changes.made else "unchanged"


def counted(number: int, noun: str) -> str:
    """Return `1 task`, `2 tasks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _lines(preview: Preview, zone_of_settings: str) -> Iterator[tuple[str, str]]:
    """Yield each line with its sign, `!` for what stands in the way, a space for what follows from it."""
    for change in preview.changes.made:
        sign = _SIGNS[change.action]
        zone = preview.zones.get(change.name, zone_of_settings) if change.kind == "schedule" else zone_of_settings
        yield sign, f"{sign} {change.kind} {one_line(change.name)}{_remark(change, preview, zone)}"
        for field in change.fields:
            yield "", f"    {field.key}: {' -> '.join(_values(change, field, zone))}"
        if change.owner_conflict:
            yield "!", f"    belongs to {change.owner_conflict}; --adopt takes it over"
        for user in change.dependents:
            yield "!", f"    the schedule '{user}' still uses it"
        if change.kind == "schedule":
            for line in preview.consequences.get(change.name, ()):
                yield " ", f"    {_told(line, partial(moment, zone_key=zone))}"


def _remark(change: Change, preview: Preview, zone: str) -> str:
    if change.action is Action.CREATE and change.desired:
        return f"  ({_essence(change.desired, zone)})"
    if (change.kind, change.name) in preview.drifted:
        return "  (changed outside of its manifest)"
    if change.action is Action.ADOPT and not change.owner_conflict and change.stored and change.desired:
        return f"  (from {owner_text(change.stored.owner)} to {owner_text(change.desired.owner)})"
    return ""


def _essence(item: Definition, zone: str) -> str:
    """Return what a new object is about."""
    if isinstance(item, TaskDefinition):
        return one_line(item.task_path)
    return f"{rule_text(item.rule.in_zone(zone))}: {one_line(item.task)}"


def _told(line: Consequence, show: Callable[[datetime], str]) -> str:
    return "".join(part if isinstance(part, str) else show(part) for part in line)


def _values(change: Change, field: FieldChange, zone: str) -> Iterator[str]:
    """Yield the old value and the new one, as a manifest of that zone would write them."""
    for item, value in ((change.stored, field.old), (change.desired, field.new)):
        if field.key == "rule" and isinstance(item, ScheduleDefinition):
            yield rule_text(item.rule.in_zone(zone))
        elif field.key in _INSTANTS and isinstance(value, str):
            yield format_instant(datetime.fromisoformat(value), zone)
        else:
            yield _value(value)


def _value(value: Any) -> str:
    if value is None:
        return "(none)"
    return one_line(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _rows(preview: Preview) -> Iterator[dict[str, Any]]:
    for change in preview.changes.made:
        yield {
            "action": change.action,
            "kind": change.kind,
            "name": change.name,
            "fields": [{"key": field.key, "old": field.old, "new": field.new} for field in change.fields],
            "owner_conflict": change.owner_conflict,
            "drifted": (change.kind, change.name) in preview.drifted,
            "consequences": [_told(line, format_instant) for line in preview.consequences.get(change.name, ())]
            if change.kind == "schedule"
            else [],
        }


def _draw(cli: CliContext, lines: list[tuple[str, str]]) -> None:
    if not cli.terminal:
        _write_plain(cli.stdout, lines)
        return
    # Rich is loaded only where a terminal looks at it.
    from rich.text import Text

    from celsched.cli.render_terminal import console

    out = console(cli.stdout)
    for sign, line in lines:
        out.print(Text(printable(line), style=_STYLES.get(sign, "dim" if sign == " " else "")), soft_wrap=True)


def _write_plain(stream: TextIO, lines: list[tuple[str, str]]) -> None:
    stream.writelines(f"{printable(line)}\n" for _, line in lines)
