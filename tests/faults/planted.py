"""Known faults, put into a process of celsched on purpose: the driver must find each one, or it proves nothing.

`python -m tests.faults.planted NAME WORDS..` is `celsched WORDS..` with that fault. Never part of the product.
"""

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, text, update

from celsched.broker.message import Message
from celsched.broker.publisher import Publisher
from celsched.cli.app import main
from celsched.domain.execution import Execution, State
from celsched.store import claims, outbox
from celsched.store.claims import Claimant, Refusal
from celsched.store.outbox import Parcel
from celsched.store.rows import execution_record
from celsched.store.tables import attempts, executions
from celsched.timing.interval import Interval

_RECORD_ATTEMPT = text(
    "INSERT INTO attempts (execution_id, attempt, claim_token, state, worker, host, pid, started_at)"
    " VALUES (:id, :attempt, :token, 'running', :worker, :host, :pid, clock_timestamp())"
    " ON CONFLICT (execution_id, attempt) DO UPDATE SET claim_token = :token"
)


def _careless_claim(
    tx: Connection, execution_id: int, attempt: int, by: Claimant, now: datetime, *, only_due: bool = False
) -> Execution | Refusal:
    """Look first, write afterwards: between the two another worker does the same."""
    row = tx.execute(select(executions).where(executions.c.id == execution_id)).mappings().one()
    if row["state"] not in ("pending", "queued", "retrying") or row["attempt"] != attempt or row["waits"]:
        return Refusal.TAKEN
    tx.execute(
        update(executions)
        .where(executions.c.id == execution_id)
        .values(
            state=State.RUNNING, claim_token=by.token, worker=by.worker, host=by.host, pid=by.pid, heartbeat=0,
            started_at=now, attempt_started_at=now,
        )
    )  # fmt: skip
    tx.execute(
        _RECORD_ATTEMPT,
        {"id": execution_id, "attempt": attempt, "token": by.token, "worker": by.worker, "host": by.host,
         "pid": by.pid},
    )  # fmt: skip
    return execution_record(tx.execute(select(executions).where(executions.c.id == execution_id)).mappings().one())


def unguarded_mark() -> None:
    """Mark as queued whatever the state. The key of the attempts would still refuse the second start: it goes too."""
    guarded = claims.claim

    def sent(tx: Connection, parcels: Iterable[Parcel], now: datetime) -> None:
        for parcel in parcels:
            tx.execute(
                update(executions)
                .where(executions.c.id == parcel.execution_id)
                .values(state=State.QUEUED, queued_at=now, publish_after=now)
            )

    def claim(
        tx: Connection, execution_id: int, attempt: int, by: Claimant, now: datetime, *, only_due: bool = False
    ) -> Execution | Refusal:
        tx.execute(
            delete(attempts).where(
                attempts.c.execution_id == execution_id,
                attempts.c.attempt == attempt,
                select(executions.c.state).where(executions.c.id == execution_id).scalar_subquery() == State.QUEUED,
            )
        )
        return guarded(tx, execution_id, attempt, by, now, only_due=only_due)

    outbox.sent = sent
    claims.claim = claim


def thrice() -> None:
    """Send each message three times: to its queue, and to the queues `left` and `right` behind its name.

    No fault of the product: two workers of which each serves one of these get every message at the same instant.
    """
    _send_to(lambda queue: (queue, f"{queue}.left", f"{queue}.right"))


def select_then_update() -> None:
    """Claim in two steps, with each message delivered three times."""
    claims.claim = _careless_claim
    _send_to(lambda queue: (queue, queue, queue))


def _send_to(queues_for: Callable[[str], Iterable[str]]) -> None:
    once = Publisher.publish

    def publish(self: Publisher, message: Message, *, task_id: str, queue: str, priority: int) -> None:
        for one in queues_for(queue):
            once(self, message, task_id=task_id, queue=one, priority=priority)

    Publisher.publish = publish  # type: ignore[method-assign]


def float_fire_time() -> None:
    """Add the period to the last look, in floating-point seconds, instead of counting steps from the base.

    What is found is the drift. The float alone changes nothing: in 64 bits the seconds of our age, and whole periods
    added to them, round to the same microsecond.
    """

    def next_after(self: Interval, instant: datetime) -> datetime:
        return datetime.fromtimestamp(instant.timestamp() + self.every.total_seconds(), UTC)

    Interval.next_after = next_after  # type: ignore[method-assign]


PLANTED: dict[str, Callable[[], None]] = {
    plant.__name__: plant for plant in (unguarded_mark, thrice, select_then_update, float_fire_time)
}


if __name__ == "__main__":
    PLANTED[sys.argv[1]]()
    del sys.argv[1]
    sys.exit(main())
