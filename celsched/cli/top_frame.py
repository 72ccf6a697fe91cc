"""Owns how the live view fills a screen: which pane gets how many lines. It draws what it is given and asks nobody."""

import textwrap
from collections import Counter
from dataclasses import dataclass

from rich.text import Text

from celsched.cli import top_panes as panes
from celsched.cli.format import wall
from celsched.cli.top_cells import Cell, beside, high, line
from celsched.cli.top_view import Mode, View
from celsched.operations.browse import Life
from celsched.operations.live import Snapshot

LEAST = (60, 12)
"""Below so many columns or lines nothing sensible can be shown."""
_FAULT_LINES = 3
_HELP = """\
up down j k    select                  p   pause or resume the schedule
PgUp PgDn      ten further             c   cancel the execution (asks first)
Home End       first, last             s   another pace
Tab            the other list          /   filter by name, Esc clears it
q, Ctrl-C      leave                   ?   this

RUNNING: a full bar is the task's own report; a shaded one compares
with the median of its last successes: ~ is what is then left, + by
how much it is over it already. A filter hides rows: `RUNNING 2 of 5`.
NEXT: the last ten outcomes, newest right: · success, ✗ failure,
T timed out, L lost, - skipped or expired; then the streak.
QUEUES: executions due, the age of the oldest, live workers."""
_KEYS = "q quit  Tab list  p pause  c cancel  / filter  s pace  ? help"


@dataclass(frozen=True, slots=True)
class Screen:
    """What surrounds the snapshot: the size in cells, the zone of times, and why the last look failed, if it did."""

    width: int
    height: int
    zone: str
    fault: str | None = None


def frame(snapshot: Snapshot | None, view: View, screen: Screen) -> list[Text]:
    """Return exactly `screen.height` lines of `screen.width` cells."""
    width, height = screen.width, screen.height
    if width < LEAST[0] or height < LEAST[1]:
        return high([line(width, Cell(f"too small: {LEAST[0]}x{LEAST[1]} is needed"))], height, width)
    head = [_head(snapshot, view, screen), *(_fault(screen) or [_status(snapshot, screen)])]
    body_height = height - len(head) - 1
    if view.mode is Mode.HELP:
        body = [line(width, Cell(text)) for text in _HELP.split("\n")]
    else:
        body = _body(snapshot, view, width, body_height) if snapshot else []
    return [*head, *high(body, body_height, width), _foot(view, width)]


def _head(snapshot: Snapshot | None, view: View, screen: Screen) -> Text:
    now = wall(snapshot.now, screen.zone) if snapshot else ""
    shown = f"filter: {view.filter}" if view.filter else ""
    return line(
        screen.width,
        Cell("celsched top", 12, "bold"),
        Cell(shown, style="yellow"),
        Cell(f"every {view.pace:g} s", 12, "dim", right=True),
        Cell(now, 30, right=True),
    )


def _fault(screen: Screen) -> list[Text]:
    """Return why the last look failed, in as many lines as it needs: drivers tell the reason last."""
    parts = textwrap.wrap(screen.fault or "", screen.width, max_lines=_FAULT_LINES, placeholder=" …")
    return [line(screen.width, Cell(part, style="bold red")) for part in parts]


def _status(snapshot: Snapshot | None, screen: Screen) -> Text:
    if snapshot is None:
        return line(screen.width, Cell("reading the store", style="dim"))
    alive = Counter(one.instance.kind for one in snapshot.instances if one.life is Life.ALIVE)
    parts = [f"{alive[kind]} {kind}{'' if alive[kind] == 1 else 's'}" for kind in ("daemon", "worker", "watcher")]
    silent = sum(one.life is Life.SILENT for one in snapshot.instances)
    waiting = sum(one.waiting for one in snapshot.queues)
    said = ", ".join(parts) + (f", {silent} silent" if silent else "")
    # A filter narrows the lists, never this line: whoever forgot it must not read that all is well.
    count, busy = snapshot.alerts_total + snapshot.alerts_hidden, snapshot.running_total + snapshot.running_hidden
    said += f"; {busy} running, {waiting} due, {count} alert{'' if count == 1 else 's'}"
    return line(screen.width, Cell(said, style="" if alive["daemon"] and not silent else "yellow"))


def _foot(view: View, width: int) -> Text:
    if view.mode is Mode.FILTER:
        return line(width, Cell(f"/{view.filter}_   Enter keeps it, Esc clears it", style="reverse"))
    if view.message:
        return line(width, Cell(view.message, style="reverse"))
    return line(width, Cell(_KEYS, style="dim"))


def _body(snapshot: Snapshot, view: View, width: int, height: int) -> list[Text]:
    top = min(max(len(snapshot.instances), len(snapshot.queues), 1), max(height // 5, 1)) + 1
    needed = len(snapshot.running) + len(snapshot.schedules) + 2
    spare = max(height - top - needed - 1, height // 4, 1)
    bottom = min(max(len(snapshot.alerts), len(snapshot.outcomes), 1), spare) + 1
    middle = max(height - top - bottom, 2)
    busy = min(len(snapshot.running) + 1, max(middle // 2, 1))
    left = (width - 1) // 2
    right = width - 1 - left
    return [
        *beside(panes.instances(snapshot, left, top), panes.queues(snapshot, right, top)),
        *panes.running(snapshot, view, width, busy),
        *panes.schedules(snapshot, view, width, middle - busy),
        *beside(panes.alerts(snapshot, left, bottom), panes.outcomes(snapshot, right, bottom)),
    ]
