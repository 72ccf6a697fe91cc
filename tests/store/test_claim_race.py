"""Every message twice, to two workers at once, on PostgreSQL: SQLite's single writer would hide a missing guard."""

import threading

from sqlalchemy import update

from celsched.domain.execution import Execution, State
from celsched.domain.policy import Overlap
from celsched.operations.requests import RunNow, run_now
from celsched.store import executions, tables
from celsched.store.claims import Refusal
from celsched.store.store import Store
from tests.support.actors import all_executions, claimant, end, try_claim
from tests.support.factories import add_schedule, add_task, scope_of

EXECUTIONS = 200


def _race(store: Store, ids: list[int], threads: int) -> list[list[Execution | Refusal]]:
    """Let each thread claim every execution, all of them at the same one at the same time."""
    gate = threading.Barrier(threads, timeout=30)
    found: list[list[Execution | Refusal]] = [[] for _ in range(threads)]

    def worker(number: int) -> None:
        for one in ids:
            gate.wait()
            found[number].append(try_claim(store, one, by=claimant(f"worker-{number}")))

    racers = [threading.Thread(target=worker, args=(number,)) for number in range(threads)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    return found


def test_of_two_claims_at_once_exactly_one_is_granted(postgres_store: Store) -> None:
    scope = scope_of(postgres_store)
    add_task(scope)
    ids = [run_now(scope, RunNow("task")) for _ in range(EXECUTIONS)]

    found = _race(postgres_store, ids, 2)

    for pair in zip(*found, strict=True):
        granted = [one for one in pair if isinstance(one, Execution)]
        assert len(granted) == 1
        assert Refusal.TAKEN in pair
    assert {one.state for one in all_executions(postgres_store)} == {State.RUNNING}
    made = postgres_store.read(lambda tx: sum(len(executions.attempts_of(tx, one)) for one in ids))
    assert made == EXECUTIONS


def test_two_rows_of_one_schedule_never_run_side_by_side(postgres_store: Store) -> None:
    scope = scope_of(postgres_store)
    schedule = add_schedule(scope)
    for _ in range(10):
        run_now(scope, RunNow("schedule", overlap=Overlap.ALLOW))
    # What two daemons could do before there was T4: none of them waits for the others.
    exclusive = update(tables.executions).where(tables.executions.c.schedule_id == schedule.id)
    postgres_store.write(lambda tx: tx.execute(exclusive.values(overlap=Overlap.SKIP.value)).rowcount)
    running: list[int] = []

    def worker() -> None:
        while any(one.state is not State.SUCCEEDED for one in all_executions(postgres_store)):
            for one in all_executions(postgres_store):
                got = try_claim(postgres_store, one.id)
                if isinstance(got, Execution):
                    running.append(sum(one.state is State.RUNNING for one in all_executions(postgres_store)))
                    end(postgres_store, got)

    racers = [threading.Thread(target=worker) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)

    assert running == [1] * 10
