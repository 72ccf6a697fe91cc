"""Owns the question whether a service answers, asked now and then in a thread, so that one that hangs delays nobody.

It never judges the answer.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from celsched.clock import Clock
from celsched.domain.health.machine_facts import Answer
from celsched.errors import CelschedError


@dataclass(frozen=True, slots=True)
class _Turn:
    """What was heard, and since when it has been so (monotonic seconds)."""

    error: str | None
    since: float
    asked: float


class Probe:
    """Asks by `ask`, which raises where the service does not answer; at most one question is on its way.

    `every`: seconds from one question to the next; `bound`: seconds after which one that is still on its way counts as
    not answered. `name` is the service's, for people.
    """

    def __init__(
        self, name: str, ask: Callable[[], object], clock: Clock, *, every: float = 15.0, bound: float = 10.0
    ) -> None:
        self._name, self._ask, self._clock, self._every, self._bound = name, ask, clock, every, bound
        self._lock = threading.Lock()
        self._heard: _Turn | None = None
        self._asked: float | None = None

    def answer(self) -> Answer | None:
        """Return what is known, at once, None before the first answer; ask anew in the background where it is time."""
        now = self._clock.monotonic()
        with self._lock:
            asked, heard = self._asked, self._heard
            due = asked is None and (heard is None or now - heard.asked >= self._every)
            if due:
                self._asked = now
        if due:
            threading.Thread(target=self._turn, args=(now,), name=f"probe-{self._name}", daemon=True).start()
        if asked is not None and now - asked > self._bound:
            since = heard.since if heard is not None and heard.error is not None else asked
            return Answer(f"the {self._name} does not answer", timedelta(seconds=now - since))
        return None if heard is None else Answer(heard.error, timedelta(seconds=now - heard.since))

    def hear(self) -> None:
        """Ask, and wait for the answer as long as one may take: for whoever looks once only."""
        asked = self._clock.monotonic()
        with self._lock:
            self._asked = asked
        thread = threading.Thread(target=self._turn, args=(asked,), name=f"probe-{self._name}", daemon=True)
        thread.start()
        thread.join(self._bound)

    def _turn(self, asked: float) -> None:
        error = self._question()
        with self._lock:
            before = self._heard
            late = self._clock.monotonic() - asked > self._bound
            # One that came too late counted as a failure until now, so that it has been well only from now on.
            same = before is not None and (before.error is None) == (error is None) and not (late and error is None)
            since = before.since if same and before is not None else self._clock.monotonic() if late else asked
            self._heard = _Turn(error, since, asked)
            self._asked = None

    def _question(self) -> str | None:
        try:
            self._ask()
        except CelschedError as error:
            return error.message
        except Exception as error:  # whatever it is, nothing was heard
            return f"the {self._name} does not answer: {type(error).__name__}"
        return None
