"""Owns the parts that tests play against a store: a daemon that decides what is due, and a worker.

It never runs user code and never talks to a broker.
"""

import itertools
from datetime import timedelta
from typing import Any

from celsched.dispatcher.tick import DueScan, TickResult
from celsched.domain.execution import Execution, Requester, State
from celsched.store import claims, executions, outbox
from celsched.store.claims import Claimant, Refusal
from celsched.store.endings import Ended, Ending, finish
from celsched.store.executions import Filter
from celsched.store.outbox import Parcel
from celsched.store.store import Store

DAEMON = Requester("celsched", "server")
REPUBLISH = timedelta(seconds=30)
_tokens = itertools.count(1)


def scan(store: Store) -> TickResult:
    """Decide what is due now, once."""
    return DueScan(store, store.clock, {}, DAEMON).run_once()


def take(store: Store, *, republish: timedelta = REPUBLISH) -> list[Parcel]:
    """Take the publish lease of what is due, as the publisher does before it sends."""
    now = store.clock.now()
    return store.write(lambda tx: outbox.take(tx, now, republish, lambda *parts: "celsched-x-{}.{}.{}".format(*parts)))


def mark_sent(store: Store, parcels: list[Parcel]) -> None:
    """Record that these were sent."""
    store.write(lambda tx: outbox.sent(tx, parcels, store.clock.now()))


def publish(store: Store) -> list[int]:
    """Take, send to nobody and mark what is due; return the ids."""
    parcels = take(store)
    mark_sent(store, parcels)
    return [parcel.execution_id for parcel in parcels]


def claimant(worker: str = "worker-1") -> Claimant:
    """Return a claimant with a token of its own."""
    return Claimant(f"token-{next(_tokens)}", worker, "server", 4711)


def try_claim(
    store: Store, execution_id: int, attempt: int = 1, *, by: Claimant | None = None, only_due: bool = False
) -> Execution | Refusal:
    """Claim an execution; return it, or why it was refused."""
    who, now = by or claimant(), store.clock.now()
    return store.write(lambda tx: claims.claim(tx, execution_id, attempt, who, now, only_due=only_due))


def start(store: Store, execution_id: int, attempt: int = 1, *, worker: str = "worker-1") -> Execution:
    """Claim an execution, which must be granted."""
    found = try_claim(store, execution_id, attempt, by=claimant(worker))
    assert isinstance(found, Execution), f"the claim of {execution_id} was refused: {found}"
    return found


def end(
    store: Store, running: Execution, outcome: State = State.SUCCEEDED, *, chance: float = 0.5, **ending: Any
) -> Ended | None:
    """End a running attempt as its claimant."""
    assert running.claim_token is not None
    token, now = running.claim_token, store.clock.now()
    return store.write(lambda tx: finish(tx, token, Ending(outcome, **ending), now, chance=chance))


def run(store: Store, execution_id: int, outcome: State = State.SUCCEEDED, *, attempt: int = 1) -> Ended | None:
    """Claim an execution and end it."""
    return end(store, start(store, execution_id, attempt), outcome)


def execution(store: Store, execution_id: int) -> Execution:
    """Return an execution as it is now, which must be there."""
    found = store.read(lambda tx: executions.find(tx, execution_id))
    assert found is not None, f"there is no execution {execution_id}"
    return found


def all_executions(store: Store) -> list[Execution]:
    """Return every execution, oldest first."""
    return store.read(lambda tx: executions.listing(tx, Filter(), 10_000))[::-1]


def states(store: Store) -> list[str]:
    """Return the state of every execution, oldest first; waiting ones with a mark."""
    return [one.state.value + (" waits" if one.waits else "") for one in all_executions(store)]
