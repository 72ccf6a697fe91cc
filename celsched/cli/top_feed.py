"""Owns the thread behind the live view: it looks, and does what is asked, so that a slow store never holds the keys.

It never draws; after each look and each deed it rings.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from celsched.cli.top_view import Ask, Wish
from celsched.clock import SystemClock
from celsched.errors import CelschedError, StoreUnreachable
from celsched.operations import control
from celsched.operations.live import Lens, Snapshot
from celsched.operations.scope import Scope
from celsched.redact import Redactor
from celsched.runloop import WakeEvent


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest look, why the last one failed, what the last deed came to, and how many there were."""

    snapshot: Snapshot | None = None
    fault: str | None = None
    said: str = ""
    deeds: int = 0


class Feed:
    """Looks every `pace` seconds until it is stopped; set `pace` and `filter` at any time and call `hurry`."""

    def __init__(self, scope: Scope, lens: Lens, ring: Callable[[], None], pace: float) -> None:
        self.pace = pace
        self.filter = ""
        self.seen = Seen()
        self._scope = scope
        self._lens = lens
        self._ring = ring
        self._asked: SimpleQueue[Ask] = SimpleQueue()
        self._over = threading.Event()
        self._wake = WakeEvent(SystemClock())
        self._thread = threading.Thread(target=self._run, name="celsched-top", daemon=True)

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._wake.set()
        self._thread.join(5.0)  # one that hangs in a dead network is left behind

    def ask(self, wish: Ask) -> None:
        """Have something done; `seen.said` will tell what came of it."""
        self._asked.put(wish)
        self.hurry()

    def hurry(self) -> None:
        """Look now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._over.is_set():
            before, said = self.seen, self._do_what_is_asked()
            snapshot, fault = self._look()
            deeds = before.deeds + (said is not None)
            self.seen = Seen(snapshot or before.snapshot, fault, said or before.said, deeds)
            self._ring()
            self._wake(self.pace)

    def _look(self) -> tuple[Snapshot | None, str | None]:
        try:
            return self._lens.take(self.filter), None
        except Exception as error:  # whatever it is, the view goes on and says so
            return None, f"the store was not read: {_words(error)}"

    def _do_what_is_asked(self) -> str | None:
        said = None
        with suppress(Empty):
            while not self._over.is_set():
                said = self._do(self._asked.get_nowait())
        return said

    def _do(self, asked: Ask) -> str:
        try:
            return _done(self._scope, asked)
        except Exception as error:
            return f"not done: {_words(error)}"


def _done(scope: Scope, asked: Ask) -> str:
    match asked.wish:
        case Wish.PAUSE:
            control.pause(scope, [str(asked.subject)], reason="celsched top")
            return f"paused '{asked.subject}'"
        case Wish.RESUME:
            control.resume(scope, [str(asked.subject)])
            return f"resumed '{asked.subject}'"
    result = control.cancel(scope, int(asked.subject))
    words = {
        control.Cancelled.BEFORE_START: "is cancelled",
        control.Cancelled.ASKED: "was told to stop",
        control.Cancelled.ALREADY_OVER: "had ended before",
    }
    return f"execution {asked.subject} {words[result.outcome]}"


def _words(error: Exception) -> str:
    if isinstance(error, StoreUnreachable) and error.reason:
        return error.reason  # the address, which whoever looks at this store knows, would push it off a line
    return error.message if isinstance(error, CelschedError) else Redactor().text(f"{type(error).__name__}: {error}")
