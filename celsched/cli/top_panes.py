"""Owns the panes of the live view, each as lines of a given width and height. It never reads the store."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.text import Text

from celsched.cli.lists import state_style
from celsched.cli.top_cells import Cell, bar, high, line, window
from celsched.cli.top_view import Pane, View
from celsched.domain.health.watched import FAILED, LOST, SUCCEEDED, TIMED_OUT
from celsched.operations.browse import Life
from celsched.operations.live import Running, Snapshot
from celsched.store.live import Coming

_TITLE = "bold underline"
_FAR = 110
"""Columns over which an eye still finds what belongs to a name."""
_MOMENT = timedelta(seconds=1)
"""Less than this is now: milliseconds would only flicker."""
_RECENT = {SUCCEEDED: "·", FAILED: "✗", TIMED_OUT: "T", LOST: "L"}


def short(length: timedelta) -> str:
    """Return a length in at most five cells: `850ms`, `12s`, `3m05`, `2h14`, `9d`; a negative one with a minus."""
    seconds = length.total_seconds()
    if seconds < 0:
        return f"-{short(-length)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.0f}s" if seconds < 59.5 else "59s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}"
    return f"{whole // 3600}h{whole % 3600 // 60:02}" if whole < 86_400 else f"{whole // 86_400}d"


def title(width: int, name: str, count: str = "", *, focus: bool = False, remark: Cell | None = None) -> Text:
    """Return the first line of a pane; a remark stands behind its name and count."""
    text = f"{name} {count}".strip()
    found = [Cell(text, len(text), f"{_TITLE} cyan" if focus else _TITLE)]
    return line(width, *found, *([remark] if remark else []))


def count_of(shown: int, hidden: int) -> str:
    """Return how many of how many a filter lets through."""
    return f"{shown} of {shown + hidden}" if hidden else str(shown)


def ago(snapshot: Snapshot, instant: datetime) -> str:
    """Return an age; what was written after the clock was asked is new, not of the future."""
    age = snapshot.now - instant
    return "now" if age < _MOMENT else short(age)


def instances(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """Return who lives, daemons, workers and watchers, each in its place: what is silent first, it may be cut."""
    known = sorted(
        snapshot.instances, key=lambda one: (one.life is not Life.SILENT, one.instance.kind, one.instance.name)
    )
    rows = [
        line(
            width,
            Cell(str(one.life), 7, state_style(one.life) or ""),
            Cell(one.instance.name),
            Cell(f"{one.instance.busy}/{one.instance.capacity}" if one.instance.capacity else "", 5, right=True),
            Cell(ago(snapshot, one.instance.beat_at), 5, right=True),
        )
        for one in known
    ]
    nobody = [line(width, Cell("nothing of celsched runs", style="red"))]
    return high([title(width, "INSTANCES", str(len(rows))), *(rows or nobody)], height, width)


def queues(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """Return what waits where, since when, and for how many workers."""
    rows = [
        line(
            width,
            Cell(one.name),
            Cell(str(one.waiting), 5, "yellow" if one.waiting else "", right=True),
            Cell(short(one.oldest) if one.oldest is not None else "-", 6, right=True),
            Cell(str(one.consumers), 7, "" if one.consumers else "bold red", right=True),
        )
        for one in snapshot.queues
    ]
    head = line(width, Cell("QUEUES", 6, _TITLE), Cell(""), Cell("due", 5, "dim", right=True),
                Cell("oldest", 6, "dim", right=True), Cell("workers", 7, "dim", right=True))  # fmt: skip
    idle = [line(width, Cell("nothing waits", style="dim"))]
    return high([head, *(rows or idle)], height, width)


def running(snapshot: Snapshot, view: View, width: int, height: int) -> list[Text]:
    """Return what runs, how far it is and how much is left."""
    place = view.place(snapshot, Pane.RUNNING) if view.pane is Pane.RUNNING else None
    shown = window(len(snapshot.running), place, height - 1)
    rows = [_running(snapshot.running[at], width, mark=at == place) for at in shown]
    count = count_of(snapshot.running_total, snapshot.running_hidden)
    head = title(width, "RUNNING", count, focus=view.pane is Pane.RUNNING)
    return high([head, *rows], height, width)


def _running(one: Running, width: int, *, mark: bool) -> Text:
    over = one.left is not None and one.left < timedelta(0)
    left = "" if one.left is None else f"+{short(-one.left)}" if over else short(one.left)
    if not (one.left is None or over or one.reported):
        left = f"~{left}"
    cells = [
        Cell(str(one.id), 8, right=True),
        Cell(one.name if not one.message else f"{one.name}: {one.message}"),
        Cell(bar(one.share, 12, reported=one.reported), 12, "green" if one.reported else "cyan"),
        Cell("stopping" if one.stopping else short(one.elapsed), 8, "magenta" if one.stopping else "", right=True),
        Cell(left, 7, "yellow" if over else "", right=True),
    ]
    if width >= 110:
        cells.append(Cell(one.worker, 20, "dim"))
    return line(width, *cells, mark=mark)


def schedules(snapshot: Snapshot, view: View, width: int, height: int) -> list[Text]:
    """Return the next fire times, soonest first, then what rests."""
    place = view.place(snapshot, Pane.SCHEDULES) if view.pane is Pane.SCHEDULES else None
    shown = window(len(snapshot.schedules), place, height - 1)
    rows = [_schedule(snapshot.schedules[at], snapshot.now, width, mark=at == place) for at in shown]
    none = [line(width, Cell("no schedule has that in its name" if view.filter else "no schedules", style="dim"))]
    return high([title(width, "NEXT", focus=view.pane is Pane.SCHEDULES), *(rows or none)], height, width)


def _schedule(one: Coming, now: datetime, width: int, *, mark: bool) -> Text:
    if one.next_fire_time is not None:
        away = one.next_fire_time - now
        when, style = (f"in {short(away)}", "") if away >= timedelta(0) else (f"due {short(-away)}", "yellow")
        when, style = ("now", "") if abs(away) < _MOMENT else (when, style)
    else:
        when, style = ("paused", "yellow") if one.paused else ("resting", "dim")
    if one.broken:
        when, style = "broken", "bold red"
    streak = f"-{one.failure_streak}" if one.failure_streak else f"+{one.success_streak}"
    recent = "".join(_RECENT.get(letter, "-") for letter in one.recent[-10:])
    cells = [
        Cell(when, 10, style),
        Cell(one.name, max(min(width, _FAR) - 28, 1)),
        Cell(recent, 10, right=True),
        Cell(streak, 5, "red" if one.failure_streak else "green", right=True),
    ]
    return line(width, *cells, mark=mark)


def outcomes(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """Return what ended last."""
    rows: Sequence[Text] = [
        line(
            width,
            Cell(one.state if one.count == 1 else f"{one.count} {one.state}", 12, state_style(one.state) or ""),
            Cell(one.name if not one.reason else f"{one.name} ({one.reason})"),
            Cell(short(one.duration) if one.duration is not None else "", 5, right=True),
            Cell(ago(snapshot, one.at), 5, "dim", right=True),
        )
        for one in snapshot.outcomes
    ]
    return high([title(width, "ENDED"), *rows], height, width)
