"""Owns what a person does in the live view: keys in, the next view and what is asked for out. It draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from celsched.operations.live import Snapshot

PACES = (1.0, 2.0, 5.0, 10.0, 0.5)
"""Seconds between two looks; `s` goes round."""
_PAGE = 10


class Pane(Enum):
    """The lists in which something can be selected."""

    RUNNING = "running"
    SCHEDULES = "schedules"
    ALERTS = "alerts"


class Mode(Enum):
    """What the next key means."""

    WATCH = "watch"
    FILTER = "filter"
    CONFIRM = "confirm"
    HELP = "help"


class Wish(Enum):
    """What is asked of the store."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


_AFTER = {Pane.SCHEDULES: Pane.RUNNING, Pane.RUNNING: Pane.ALERTS, Pane.ALERTS: Pane.SCHEDULES}


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish about a schedule or an execution."""

    wish: Wish
    subject: str | int


@dataclass(frozen=True, slots=True)
class View:
    """How a person looks at it. Selections are by identity, so that a list that moves takes its mark along."""

    pane: Pane = Pane.SCHEDULES
    schedule: str | None = None
    execution: int | None = None
    alert: int | None = None
    mode: Mode = Mode.WATCH
    filter: str = ""
    pace: float = PACES[0]
    message: str = ""
    over: bool = False

    def place(self, snapshot: Snapshot, pane: Pane) -> int | None:
        """Return the row that is selected in a pane: the first where the selected one is gone; None where all are."""
        keys = _keys(snapshot, pane)
        wanted = {Pane.SCHEDULES: self.schedule, Pane.RUNNING: self.execution, Pane.ALERTS: self.alert}[pane]
        if not keys:
            return None
        return keys.index(wanted) if wanted in keys else 0


def _keys(snapshot: Snapshot, pane: Pane) -> Sequence[str | int]:
    if pane is Pane.SCHEDULES:
        return [one.name for one in snapshot.schedules]
    if pane is Pane.ALERTS:
        return [one.id for one in snapshot.alerts]
    return [one.id for one in snapshot.running]


def press(view: View, key: str, snapshot: Snapshot) -> tuple[View, Ask | None]:
    """Return what the view is after a key, and what is asked for.

    Keys are characters, or the words `up`, `down`, `page up`, `page down`, `home`, `end`, `enter`, `escape`,
    `backspace` and `tab`.
    """
    if view.mode is Mode.FILTER:
        return _typed(view, key), None
    if view.mode is Mode.HELP:
        return replace(view, mode=Mode.WATCH), None
    if view.mode is Mode.CONFIRM:
        return _answered(view, key)
    return _watching(replace(view, message=""), key, snapshot)


def _typed(view: View, key: str) -> View:
    if key == "enter":
        return replace(view, mode=Mode.WATCH)
    if key == "escape":
        return replace(view, mode=Mode.WATCH, filter="")
    if key == "backspace":
        return replace(view, filter=view.filter[:-1])
    return replace(view, filter=view.filter + key) if len(key) == 1 else view


def _answered(view: View, key: str) -> tuple[View, Ask | None]:
    if key == "y" and view.execution is not None:
        return replace(view, mode=Mode.WATCH, message=""), Ask(Wish.CANCEL, view.execution)
    return replace(view, mode=Mode.WATCH, message="not cancelled"), None


_MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -_PAGE, "page down": _PAGE, "home": -9999, "end": 9999}


def _watching(view: View, key: str, snapshot: Snapshot) -> tuple[View, Ask | None]:
    if key in _MOVES:
        return _moved(view, _MOVES[key], snapshot), None
    if key == "p":
        return _pausing(view, snapshot)
    return _turned(view, key, snapshot), None


def _turned(view: View, key: str, snapshot: Snapshot) -> View:
    match key:
        case "q":
            return replace(view, over=True)
        case "?":
            return replace(view, mode=Mode.HELP)
        case "/":
            return replace(view, mode=Mode.FILTER)
        case "escape":
            return replace(view, filter="")
        case "tab":
            return replace(view, pane=_AFTER[view.pane])
        case "s":
            pace = PACES[(PACES.index(view.pace) + 1) % len(PACES)]
            return replace(view, pace=pace, message=f"every {pace:g} s")
        case "c":
            return _cancelling(view, snapshot)
    return view


def _moved(view: View, by: int, snapshot: Snapshot) -> View:
    keys, place = _keys(snapshot, view.pane), view.place(snapshot, view.pane)
    if place is None:
        return view
    chosen = keys[min(max(place + by, 0), len(keys) - 1)]
    if view.pane is Pane.SCHEDULES:
        return replace(view, schedule=str(chosen))
    if view.pane is Pane.ALERTS:
        return replace(view, alert=int(chosen))
    return replace(view, execution=int(chosen))


def _pausing(view: View, snapshot: Snapshot) -> tuple[View, Ask | None]:
    place = view.place(snapshot, Pane.SCHEDULES)
    if view.pane is not Pane.SCHEDULES or place is None:
        return replace(view, message="select a schedule first (Tab)"), None
    chosen = snapshot.schedules[place]
    wish = Wish.RESUME if chosen.paused else Wish.PAUSE
    return replace(view, schedule=chosen.name), Ask(wish, chosen.name)


def _cancelling(view: View, snapshot: Snapshot) -> View:
    place = view.place(snapshot, Pane.RUNNING)
    if place is None:
        return replace(view, message="nothing runs")
    if view.pane is not Pane.RUNNING:
        return replace(view, message="select an execution first (Tab)")
    chosen = snapshot.running[place]
    question = f"cancel execution {chosen.id} of '{chosen.name}'? y/n"
    return replace(view, execution=chosen.id, mode=Mode.CONFIRM, message=question)
