"""Owns how the live view fills a screen: which pane gets how many lines. It draws what it is given and asks nobody."""

import textwrap
from collections import Counter
from dataclasses import dataclass

from rich.text import Text

from celsched.cli import top_alerts as alerts
from celsched.cli import top_panes as panes
from celsched.cli.format import wall
from celsched.cli.top_cells import Cell, beside, high, line
from celsched.cli.top_layout import Wish, share_out
from celsched.cli.top_view import Mode, Pane, View
from celsched.operations.browse import Life
from celsched.operations.live import Snapshot

LEAST = (60, 12)
"""Below so many columns or lines nothing sensible can be shown."""
_FAULT_LINES = 3
_WIDE = 120
_SHORT = 12
_FOCUSED = 8
"""How many lines the alerts are given before the others are given another, where somebody goes through them."""
_HELP = """\
up down j k    select                  p   pause or resume the schedule
PgUp PgDn      ten further             c   cancel the execution (asks first)
Home End       first, last             s   another pace
Tab            the next list           /   filter by name, Esc clears it
q, Ctrl-C      leave                   ?   this

RUNNING: a full bar is the task's own report; a shaded one compares
with the median of its last successes: ~ is what is then left, + by
how much it is over it already. A filter hides rows: `RUNNING 2 of 5`.
NEXT: the last ten outcomes, newest right: · success, ✗ failure,
T timed out, L lost, - skipped or expired; then the streak.
QUEUES: executions due, the age of the oldest, live workers.
ALERTS: the worst first; Tab to them gives them more room. All that is
known of one, and the next command to type: `celsched show alert ID`."""
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
    """Return the panes. Alerts are sentences: only a wide screen has room for another pane beside them."""
    wide, attention = bool(snapshot.alerts) and width >= _WIDE, _FOCUSED if view.pane is Pane.ALERTS else 3
    right = min(max(48, width // 3), 70) if wide else 0
    left = width - right - 1 if wide else width
    told, over = alerts.wanted(snapshot, left, height), 1 + max(len(snapshot.outcomes), 1)
    short = bool(snapshot.alerts) and not wide and height < _SHORT  # the line above it says who lives, and what is due
    top = 0 if short else 1 + min(max(len(snapshot.instances), len(snapshot.queues), 1), max(height // 5, 1))
    wishes = [
        Wish(min(1 + len(snapshot.running), 2), 1 + len(snapshot.running)),
        Wish(2, 1 + len(snapshot.schedules), 2),
        Wish(min(told, 3), max(told, over if wide else 0), attention),
        Wish(0 if wide else 2, 0 if wide else over),
    ]
    busy, coming, wrong, ended = share_out(height - top, wishes, rest=1)
    half = (width - 1) // 2
    return [
        *(beside(panes.instances(snapshot, half, top), panes.queues(snapshot, width - 1 - half, top)) if top else ()),
        *panes.running(snapshot, view, width, busy),
        *panes.schedules(snapshot, view, width, coming),
        *(
            beside(alerts.pane(snapshot, view, left, wrong), panes.outcomes(snapshot, right, wrong))
            if wide
            else alerts.pane(snapshot, view, width, wrong) + panes.outcomes(snapshot, width, ended)
        ),
    ]
