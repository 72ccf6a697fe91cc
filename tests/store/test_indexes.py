"""What daemons and workers ask every second is answered from an index, so that a month of history costs nothing."""

from collections.abc import Callable

import pytest
from sqlalchemy import event, text

from celsched.domain.execution import State
from celsched.store import claims, outbox, recovery, transitions, watch_work
from celsched.store.endings import Ending, finish
from celsched.store.store import Store, Tx
from tests.support.actors import REPUBLISH
from tests.support.stores import START

HOT: dict[str, Callable[[Tx], object]] = {
    "any_due": lambda tx: outbox.any_due(tx, START),
    "take": lambda tx: outbox.take(tx, START, REPUBLISH, lambda *_: ""),
    "running": recovery.running,
    "forgotten_waits": recovery.forgotten_waits,
    "expire": lambda tx: transitions.expire(tx, START, 10),
    "active_of": lambda tx: transitions.active_of(tx, [1, 2]),
    "beat": lambda tx: claims.beat(tx, "worker"),
    "stop_requests": lambda tx: claims.stop_requests(tx, "worker"),
    "claimed_by": lambda tx: claims.claimed_by(tx, "token"),
    "finish": lambda tx: finish(tx, "token", Ending(State.SUCCEEDED), START, chance=0),
    "release_waiting": lambda tx: transitions.release_waiting(tx, 1, START),
    "waiting": lambda tx: watch_work.waiting(tx, START),
    "what runs": watch_work.running,
    "successes": lambda tx: watch_work.successes(tx, START),
    "history": lambda tx: watch_work.history(tx, [1, 2]),
    "report_progress": lambda tx: claims.report_progress(tx, "token", 1, None, None),
}


@pytest.mark.parametrize("name", HOT)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_no_frequent_query_reads_the_whole_table(store: Store, name: str) -> None:
    asked: list[tuple[str, object]] = []

    def remember(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "executions" in statement and not statement.startswith("EXPLAIN"):
            asked.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", remember)
    store.write(HOT[name])
    event.remove(store.engine, "before_cursor_execute", remember)

    assert asked
    with store.engine.connect() as connection:
        for statement, parameters in asked:
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
            of_table = [row[-1] for row in steps if "executions" in row[-1]]
            scans = [step for step in of_table if "INDEX" not in step and "PRIMARY" not in step]
            assert not scans, f"{scans}\n{statement}"


def test_the_due_scan_reads_the_index_of_what_is_due(store: Store) -> None:
    if store.dialect.row_locks:
        query = text("SELECT indexdef LIKE :part FROM pg_indexes WHERE indexname = 'ix_schedule_states_wake_at'")
        assert store.read(lambda tx: tx.scalar(query, {"part": "%wake_at IS NOT NULL%"}))
    else:
        query = text("EXPLAIN QUERY PLAN SELECT schedule_id FROM schedule_states WHERE wake_at <= 5 ORDER BY wake_at")
        steps = store.read(lambda tx: [row[-1] for row in tx.execute(query)])
        assert "ix_schedule_states_wake_at" in steps[0]
