"""Owns the publisher's turn: take leases, send, record. It never holds a transaction while it talks to the broker."""

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta

from celsched.broker.message import Message, task_id
from celsched.broker.publisher import MessagePublisher
from celsched.clock import Clock
from celsched.errors import BrokerUnreachable
from celsched.settings.fault import Fault, no_fault
from celsched.store import outbox
from celsched.store.outbox import Parcel
from celsched.store.store import Store

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(seconds=10)
_REFUSED_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What one turn did. `full`: more may be due right now. `down`: the broker did not take them."""

    sent: int = 0
    full: bool = False
    down: bool = False


class Outbox:
    """Sends what the store says is to be sent; used by one thread."""

    def __init__(  # noqa: PLR0913  what it works with, the rules of sending, and the test hook
        self,
        store: Store,
        clock: Clock,
        publisher: MessagePublisher,
        *,
        word: str,
        republish: timedelta,
        one_queue: str | None = None,
        fault: Fault = no_fault,
    ) -> None:
        self._store = store
        self._clock = clock
        self._publisher = publisher
        self._word = word
        self._republish = republish
        self._one_queue = one_queue
        self._fault = fault
        self._pause = _FIRST_PAUSE
        self._was_down = False
        self._shut_until = 0.0
        """Until when (monotonic seconds) a broker that was down is left in peace."""
        self._since: float | None = None
        """Since when (monotonic seconds) nothing of what is due could be sent."""

    def run_once(self, stop: threading.Event) -> PublishResult:
        """Send one batch; raise what the store raises. A broker that is down is a result, not an error.

        Once `stop` is set nothing more is sent, and the leases of the rest are given back.
        """
        if self._has_time():
            return PublishResult()
        parcels = self._take()
        sent: list[Parcel] = []
        done = 0
        try:
            for parcel in parcels:
                if stop.is_set():
                    break
                done += 1
                if self._send(parcel):
                    sent.append(parcel)
        except BrokerUnreachable as error:
            self._hold_back(parcels[done - 1 :], error)
            self._mark(sent)
            return PublishResult(len(sent), down=True)
        if done < len(parcels):
            rest = parcels[done:]
            self._store.write(lambda tx: outbox.put_back(tx, rest, self._clock.now()))
        self._mark(sent)
        if self._was_down:
            log.info("the broker takes messages again", extra={"action": "broker_up"})
        self._was_down, self._pause, self._since = False, _FIRST_PAUSE, None
        return PublishResult(len(sent), full=len(parcels) >= outbox.BATCH)

    def stuck_for(self) -> float:
        """Return for how many seconds nothing of what is due could be sent, 0 where it can; any thread may ask."""
        since = self._since
        return 0.0 if since is None else self._clock.monotonic() - since

    def close(self) -> None:
        """Let go of the broker."""
        self._publisher.close()

    def _has_time(self) -> bool:
        """Whether nothing is to be sent now; else it counts from now on for how long it could not be."""
        moment = self._clock.monotonic()
        if moment < self._shut_until:
            return True
        due = self._store.read(lambda tx: outbox.any_due(tx, self._clock.now()))
        self._since = None if not due else moment if self._since is None else self._since
        return not due

    def _take(self) -> list[Parcel]:
        parcels = self._store.write(lambda tx: outbox.take(tx, self._clock.now(), self._republish, self._name))
        if parcels:
            self._fault("publish.leased")
        return parcels

    def _name(self, execution_id: int, attempt: int, publishes: int) -> str:
        return task_id(self._word, execution_id, attempt, publishes)

    def _send(self, parcel: Parcel) -> bool:
        message = Message(self._word, parcel.execution_id, parcel.attempt)
        queue = self._one_queue or parcel.queue_name
        try:
            self._publisher.publish(message, task_id=parcel.task_id, queue=queue, priority=parcel.priority)
            self._fault("publish.sent")
        except BrokerUnreachable:
            raise
        except Exception as error:  # refused, or a fault of ours: this row alone waits, the others go on
            log.error(
                "execution %d of '%s' cannot be sent: %s",
                parcel.execution_id,
                parcel.subject,
                error,
                extra={"action": "refused", "execution": parcel.execution_id},
            )
            later = self._clock.now() + _REFUSED_PAUSE
            self._store.write(lambda tx: outbox.put_back(tx, [parcel], later))
            return False
        return True

    def _mark(self, sent: list[Parcel]) -> None:
        if sent:
            self._store.write(lambda tx: outbox.sent(tx, sent, self._clock.now()))
            self._fault("publish.marked")

    def _hold_back(self, parcels: list[Parcel], error: BrokerUnreachable) -> None:
        if not self._was_down:
            log.error(
                "%s; %d execution%s wait%s for it",
                error,
                len(parcels),
                "" if len(parcels) == 1 else "s",
                "s" if len(parcels) == 1 else "",
                extra={"action": "broker_down"},
            )
        self._was_down = True
        # We wait, not the rows: those with a time of their own would be overtaken by what falls due meanwhile, and
        # would still wait when the broker is back. And a daemon that reaches the broker may take them at once.
        self._shut_until = self._clock.monotonic() + self._pause.total_seconds()
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._store.write(lambda tx: outbox.put_back(tx, parcels, self._clock.now()))
