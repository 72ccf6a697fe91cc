"""Owns the way of messages from alerts to channels: planning, and a courier for each channel. It never judges.

A courier leases a message, sends it outside any transaction, and records what became of it: who dies in between
leaves it to be sent again. A channel that hangs holds up nobody but itself.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from celsched.clock import Clock
from celsched.domain.health.gap import Gap, summary
from celsched.domain.notice_text import details_of, text_of
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel, Notice, Reason
from celsched.domain.silencing import Hush
from celsched.errors import CelschedError, NotPermitted, StoreUnreachable, Unreachable
from celsched.monitor.gaps import GapLog
from celsched.monitor.outage import Outage, Straight
from celsched.monitor.wording import storable, worded
from celsched.notify import Outgoing, Send, SendFailed
from celsched.notify.channel import TIMEOUT
from celsched.runloop import run_until_stopped
from celsched.store import notice_plan, notices, pings, silences
from celsched.store.notice_plan import Draft, Letter
from celsched.store.notices import Message
from celsched.store.store import Store
from celsched.store.types import to_json

log = logging.getLogger(__name__)
T = TypeVar("T")
HOLD = timedelta(seconds=TIMEOUT + 10)
"""How long a leased message is left to its courier: longer than any send takes."""
_PLAN_EVERY, _LOOK_EVERY, _FORGET_EVERY = 5.0, 2.0, 600.0
_LONGEST_BACKOFF = 10.0
_FAILS = 3
"""So many sends in a row must have failed before a channel counts as one that does not work."""
_ENDING = 5.0
"""Seconds that all channels together get to end what they are at: what is not done then is sent again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What planning goes by: who is told, in which zone times are written, how long rows stay.

    `times`: how long messages wait, and when they are repeated.
    """

    channels: Sequence[Channel]
    zone: ZoneInfo
    keep: timedelta
    pings: frozenset[str] = frozenset()
    times: NoticeTimes = field(default_factory=NoticeTimes)


class Planner:
    """Queues the messages that are due; several may do so at once."""

    def __init__(self, store: Store, clock: Clock, plan: Plan) -> None:
        self._store = store
        self._clock = clock
        self._plan = plan
        self._forgot: float | None = None
        self._said = GapLog("it is tried again, the rest goes on")
        self.gaps: str | None = None

    def run_once(self) -> int:
        """Queue what is due, mark what is silenced or muted, forget what is old; return how many messages.

        What fails is set aside until the next look, and the rest goes on; raise only that the store is away.
        """
        now, plan, gaps = self._clock.now(), self._plan, list[Gap]()
        wanted = self._fenced(
            "plan messages",
            lambda: self._store.read(lambda tx: notice_plan.draft(tx, plan.channels, plan.times, now, gaps)),
            gaps,
        )
        queued = self._queue(wanted, now, gaps) if wanted else 0
        if plan.pings:
            queue = partial(self._store.write, lambda tx: pings.queue_pings(tx, plan.pings, now))
            queued += self._fenced("queue pings", queue, gaps) or 0
        self._fenced("forget old messages", self._forget, gaps)
        self._said.tell(gaps)
        self.gaps = summary(gaps)
        return queued

    def _queue(self, wanted: Draft, now: datetime, gaps: list[Gap]) -> int:
        """Write what is wanted, all at once; where that fails one by one, so that one stops no other."""
        letters = self._letters(wanted, now, gaps)
        together: list[Gap] = []
        write = partial(self._write, wanted.marks, letters, now)
        done = self._fenced("queue messages", write, together) if wanted.marks or letters else 0
        if not together:
            return done or 0
        self._fenced("mark alerts", partial(self._write, wanted.marks, (), now), gaps)
        return sum(
            self._fenced(f"queue {_name_of(one)} for {one.group.channel}", partial(self._write, {}, [one], now), gaps)
            or 0
            for one in letters
        )

    def _write(self, marks: Mapping[Hush, Sequence[int]], letters: Sequence[Letter], now: datetime) -> int:
        return self._store.write(lambda tx: notice_plan.carry_out(tx, marks, letters, now))

    def _letters(self, wanted: Draft, now: datetime, gaps: list[Gap]) -> list[Letter]:
        """Return the groups that change with their messages in words; without those that there are no words for."""
        letters, barely = [], dict[int, Exception]()
        for one in wanted.planned:
            message = None if one.notice is None else worded(one.notice, self._word, now, gaps, barely)
            if one.notice is None or message is not None:
                again = one.notice is not None and one.notice.reason is Reason.REPEAT
                letters.append(Letter(one.group, message, again))
        for alert, error in barely.items():
            words = ("could not word alert %d: %r; told without details", alert, error)
            log.error(*words, extra={"action": "gap"}, exc_info=error)
        return letters

    def _word(self, notice: Notice) -> Message:
        text, details = text_of(notice, self._clock.now(), self._plan.zone), details_of(notice)
        storable(text.title, text.body, to_json(details))
        return Message(notice.channel, notice.incident, notice.severity, text.title, text.body, details)

    def _fenced(self, place: str, work: Callable[[], T], gaps: list[Gap]) -> T | None:
        """Return what is done; None, and a gap more, where it fails of itself and not for want of the store."""
        try:
            return work()
        except (Unreachable, NotPermitted):
            raise
        except Exception as error:  # of whatever kind: it is told, and tried again
            gaps.append(Gap(place, error))
            return None

    def _forget(self) -> None:
        moment, now = self._clock.monotonic(), self._clock.now()
        if self._forgot is None or moment - self._forgot >= _FORGET_EVERY:
            self._forgot = moment
            self._store.write(lambda tx: notices.forget(tx, now - self._plan.keep, now))
            self._store.write(lambda tx: silences.forget(tx, now - self._plan.keep))


def _name_of(letter: Letter) -> str:
    return letter.group.key if letter.message is None else letter.message.incident


class Courier:
    """Sends the messages of one channel, one after the other; `straight` are those that are in no store."""

    def __init__(self, store: Store, clock: Clock, name: str, send: Send, *, fault: Callable[[str], None]) -> None:
        self.name = name
        self.gaps: Sequence[Gap] = ()
        """Messages that could not be read the last time."""
        self.failed = 0
        """How many sends in a row failed, in this process."""
        self.straight = Straight()
        self._store = store
        self._clock = clock
        self._channel = send
        self._fault = fault

    def run_once(self) -> bool:
        """Send at most one message; return whether there was one. Raise what the store raises."""
        try:
            if self._send_straight():
                return True
        except SendFailed:
            if not self._send_stored():
                raise
            return True
        return self._send_stored()

    def _send_straight(self) -> bool:
        message = self.straight.first()
        if message is None:
            return False
        self._send(message)
        self.straight.done(message)
        return True

    def _send(self, message: Outgoing) -> None:
        try:
            self._channel(message)
        except Exception:
            self.failed += 1
            raise
        self.failed = 0

    def _send_stored(self) -> bool:
        gaps: list[Gap] = []
        if not self._store.read(lambda tx: notices.waiting(tx, self.name)):
            self.gaps = gaps
            return False
        now = self._clock.now()
        leased = self._store.write(lambda tx: notices.lease(tx, self.name, now, HOLD, gaps))
        self.gaps = gaps
        if leased is None:
            return False
        self._fault("notice.leased")
        message = leased.message
        try:
            self._send(Outgoing(message.incident, message.severity.value, message.title, message.body, message.details))
        except Exception as error:  # of whatever kind: it is counted, told, and given up in the end
            self._refused(leased, str(error if isinstance(error, SendFailed) else SendFailed(repr(error))))
            return True
        self._fault("notice.sent")
        self._store.write(lambda tx: notices.accepted(tx, leased, self._clock.now()))
        log.debug("%s took %s", self.name, message.incident, extra={"action": "notice_sent"})
        return True

    def _refused(self, leased: notices.Leased, error: str) -> None:
        now = self._clock.now()
        again = self._store.write(lambda tx: notices.refused(tx, leased, error, now))
        after = f"again at {again.isoformat(timespec='seconds')}" if again else "given up"
        log.warning("the channel %s failed: %s; %s", self.name, error, after, extra={"action": "notice_failed"})


class Delivery:
    """The planner and all couriers, each in a thread of its own."""

    def __init__(self, planner: Planner, couriers: Sequence[Courier], outage: Outage, clock: Clock) -> None:
        self.outage = outage
        self._planner = planner
        self._couriers = couriers
        self._clock = clock

    @property
    def gaps(self) -> str | None:
        """What could not be planned, queued or read the last time, None where everything was; or that nobody hears.

        That a channel fails is told through another one. Where none works only the ping of the watcher can tell.
        """
        unread = summary([gap for courier in self._couriers for gap in courier.gaps])
        telling = [one.failed >= _FAILS for one in self._couriers if not one.name.startswith(notices.PING)]
        deaf = "could not send through any channel" if telling and all(telling) else None
        return "; ".join(one for one in (self._planner.gaps, unread, deaf) if one) or None

    @contextmanager
    def running(self, stop: threading.Event) -> Iterator[None]:
        """Deliver within the block, until `stop` is set."""
        steps = [("planner", self._plan), *((f"courier {one.name}", self._step(one)) for one in self._couriers)]
        threads = [
            threading.Thread(target=self._loop, args=(name, step, stop), name=name, daemon=True) for name, step in steps
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            until = self._clock.monotonic() + _ENDING
            for thread in threads:
                thread.join(timeout=max(until - self._clock.monotonic(), 0))

    def _plan(self) -> float:
        self._planner.run_once()
        return _PLAN_EVERY

    def _step(self, courier: Courier) -> Callable[[], float | None]:
        return lambda: None if courier.run_once() else _LOOK_EVERY

    def _loop(self, name: str, step: Callable[[], float | None], stop: threading.Event) -> None:
        said = False

        def failed(error: Exception, pause: float) -> None:
            nonlocal said
            # That the store is away the watcher says already, and a channel that refuses is an alert.
            known = isinstance(error, StoreUnreachable | SendFailed)
            level = logging.DEBUG if known or said else logging.ERROR
            ours = None if isinstance(error, CelschedError | SendFailed) else error
            said_of = {"action": "delivery_failed"}
            log.log(level, "%s: %s; again in %.1f s", name, error, pause, extra=said_of, exc_info=ours)
            said = said or not known

        run_until_stopped(step, stop=stop, clock=self._clock, on_error=failed, max_backoff=_LONGEST_BACKOFF)
