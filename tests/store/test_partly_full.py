"""A server whose disk has room for some tables and not for those in which workers beat: nobody is silent by that.

It fills no disk: a trigger raises what PostgreSQL raises.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from celsched.dispatcher.recover import Recovery
from celsched.domain.execution import State
from celsched.errors import StoreFull
from celsched.operations.requests import RunNow, run_now
from celsched.store import claims, instances
from celsched.store.presence import Presence
from celsched.store.store import Store, Tx
from tests.support.actors import execution, start
from tests.support.clock import ManualClock
from tests.support.factories import add_task, scope_of
from tests.support.stores import clock_of

SECOND = timedelta(seconds=1)
LEASE, PERIOD = 60 * SECOND, 10 * SECOND
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({rows}) EXECUTE FUNCTION full_disk();
"""
ROOM = "DROP TRIGGER full_disk ON {table}; DROP FUNCTION full_disk;"


@pytest.mark.parametrize(("table", "rows"), [("executions", "true"), ("instances", "OLD.kind = 'worker'")])
def test_silence_in_a_table_without_room_is_none(postgres_store: Store, table: str, rows: str) -> None:
    store, clock = postgres_store, clock_of(postgres_store)
    worker = Presence(store, clock, "worker", every=PERIOD)
    asked, look = _running(store, clock, worker)

    def beat(tx: Tx) -> None:
        instances.beat(tx, worker.id, clock.now())
        claims.beat(tx, worker.id)

    _run(store, FULL.format(table=table, rows=rows))
    with pytest.raises(StoreFull):
        store.write(beat)
    seen = [look() for _ in range(20)]
    assert "full" in seen, "the observer met the full disk itself"
    _run(store, ROOM.format(table=table))
    assert [look() for _ in range(3)] == ["", "", ""], "whoever lives has half a lease to say so"
    store.write(beat)
    assert [look() for _ in range(6)] == [""] * 6
    assert execution(store, asked).state is State.RUNNING
    assert "lost" in [look() for _ in range(2)], "a dead one is lost, a lease after its last beat"
    assert execution(store, asked).state is State.LOST


def _running(store: Store, clock: ManualClock, worker: Presence) -> tuple[int, Callable[[], str]]:
    """Start an execution; return it and a look of an observer, which has seen its last beat already."""
    scope = scope_of(store)
    add_task(scope)
    asked = run_now(scope, RunNow("task"))
    worker.beat()
    start(store, asked, worker=worker.id)
    presence = Presence(store, clock, "run", every=PERIOD)
    recovery = Recovery(store, clock, lease=LEASE, period=PERIOD, prove=presence.prove)
    recovery.run_once()

    def look() -> str:
        clock.advance(PERIOD)
        try:
            return "lost" if recovery.run_once() else ""
        except StoreFull:
            return "full"

    return asked, look


def _run(store: Store, statements: str) -> None:
    store.write(lambda tx: tx.execute(text(statements)))
