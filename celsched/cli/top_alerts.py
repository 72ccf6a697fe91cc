"""Owns the alerts of the live view: which are shown, each in how many lines. It never reads the store.

What is wrong comes before about what: where room is short the name in the text is shortened, not the end of the text.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

from rich.text import Text

from celsched.cli.format import one_line
from celsched.cli.top_cells import Cell, high, line
from celsched.cli.top_panes import ago, count_of, title
from celsched.cli.top_view import Pane, View
from celsched.cli.wrapping import cut, squeezed, wrapped
from celsched.domain.health.kinds import Severity
from celsched.operations.live import Snapshot
from celsched.store.live import Firing

_SEVERITY = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_MOST = 4
"""Lines of one alert, where there is room for all."""
_CROWDED = 2
_NAMES = (32, 20, 12)
"""Cells to which a name in the text is shortened, one after the other until the text fits."""
_AGE = 5
_CUT = "…"


def wanted(snapshot: Snapshot, width: int, height: int) -> int:
    """Return how many lines would show all of them in full, with the title; more than `height` is as good as more."""
    return 1 + sum(len(_lines(one, _room(snapshot, width), _MOST)) for one in snapshot.alerts[:height])


def pane(snapshot: Snapshot, view: View, width: int, height: int) -> list[Text]:
    """Return what is wrong, the worst first; what was acknowledged or silenced is dimmed and says so.

    Where the filter hides all of it the pane says so: nothing to see is not nothing wrong.
    """
    focus = view.pane is Pane.ALERTS
    place = view.place(snapshot, Pane.ALERTS) if focus else None
    shown = list(_shown(snapshot, _room(snapshot, width), height - 1, place))
    rows = [
        one
        for at, lines in shown
        for one in _drawn(snapshot, snapshot.alerts[at], lines, width, mark=at == place)
    ]  # fmt: skip
    head = title(width, "ALERTS", count_of(snapshot.alerts_total, snapshot.alerts_hidden), focus=focus,
                 remark=_remark(snapshot, [snapshot.alerts[at] for at, _ in shown]))  # fmt: skip
    return high([head, *rows], height, width)


def _remark(snapshot: Snapshot, shown: Sequence[Firing]) -> Cell:
    hidden = snapshot.alerts_hidden
    if not snapshot.alerts_total:
        hiding = Cell(f"the filter hides {hidden} alert{'' if hidden == 1 else 's'}", style="yellow")
        return hiding if hidden else Cell("nothing is wrong", style="green")
    more = snapshot.alerts_total - len(shown)
    left = Counter(snapshot.alert_kinds) - Counter(one.kind for one in shown)
    kinds = ", ".join(f"{count} {kind}" for kind, count in left.most_common())
    return Cell(f"{more} more{': ' if kinds else ''}{kinds}" if more else "", style="yellow")


def _shown(snapshot: Snapshot, room: int, height: int, place: int | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the places of the alerts that are shown and their lines, so that the selected one is among them."""
    every = _told(snapshot.alerts[: (place or 0) + height + 1], room, height, browsed=place is not None)
    left = height
    for at in range(_first(every, place or 0, height), len(every)):
        if left < 1:
            return
        shown = every[at] if len(every[at]) <= left else _lines(snapshot.alerts[at], room, left)
        yield at, shown
        left -= len(shown)


def _first(every: Sequence[Sequence[str]], place: int, height: int) -> int:
    """Return with which alert to begin: the first one from which on the one at `place` is shown whole."""
    first = 0
    while first < place and sum(map(len, every[first : place + 1])) > height:
        first += 1
    return first


def _told(alerts: Sequence[Firing], room: int, height: int, *, browsed: bool) -> list[list[str]]:
    """Return the lines of each: in full where all fit or somebody goes through them, else so that more are in sight."""
    full = [_lines(one, room, _MOST) for one in alerts]
    if browsed or sum(map(len, full)) <= height:
        return full
    if len(full) > height:
        return [_lines(one, room, _CROWDED) for one in alerts]
    told = [_lines(one, room, 1) for one in alerts]
    left = height - len(told)
    for ending, most in product((_CUT, ""), range(2, _MOST + 1)):  # what lost its end, then what lost a part of a name
        for at, one in enumerate(alerts):
            if left and told[at][-1].endswith(ending):
                told[at] = _lines(one, room, min(len(told[at]) + left, most))
                left = height - sum(map(len, told))
    return told


def _room(snapshot: Snapshot, width: int) -> int:
    return max(width - _id_width(snapshot) - _AGE - 2, 1)


def _id_width(snapshot: Snapshot) -> int:
    return max((len(str(one.id)) for one in snapshot.alerts), default=1)


def _lines(alert: Firing, room: int, most: int) -> list[str]:
    """Return what is said of an alert, in at most so many lines."""
    for lines, name in _tries(most):
        found = wrapped(_said(alert, name), room)
        if len(found) <= lines:
            return found
    return [*found[: most - 1], cut(" ".join(found[most - 1 :]), room)]


def _tries(most: int) -> Iterator[tuple[int, int | None]]:
    """Yield how many lines it may have, with how much of the name; a shorter name is better than fewer alerts."""
    if most <= _CROWDED:
        yield from ((1, name) for name in (None, *_NAMES[:-1]))
    yield from ((most, name) for name in (None, *_NAMES))


def _said(alert: Firing, name: int | None) -> str:
    summary, subject = one_line(alert.summary), one_line(alert.subject)
    if name is not None:
        summary = summary.replace(f'"{subject}"', f'"{squeezed(subject, name)}"', 1)
    return f"{_kind(alert)}: {summary}"


def _kind(alert: Firing) -> str:
    """Return the kind, and why nobody is told of it; dimmed alone would be lost without colours."""
    mark = "acknowledged" if alert.acknowledged else "quiet" if alert.quiet else ""
    return f"{alert.kind} ({mark})" if mark else alert.kind


def _drawn(snapshot: Snapshot, alert: Firing, lines: Sequence[str], width: int, *, mark: bool) -> Iterator[Text]:
    number, calm = _id_width(snapshot), alert.acknowledged or alert.quiet
    for at, part in enumerate(lines):
        drawn = line(
            width,
            Cell("" if at else str(alert.id), number, right=True),
            Cell(part, style="dim" if calm else "", plain=True),
            Cell("" if at else ago(snapshot, alert.opened_at), _AGE, right=True),
            mark=mark,
        )
        if not at:
            start = number + 1
            drawn.stylize(_SEVERITY[alert.severity], start, start + min(len(part), len(_kind(alert))))
        yield drawn
