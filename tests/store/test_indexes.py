"""What daemons and workers ask every second is answered from an index, so that a month of history costs nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from celsched.domain.execution import State
from celsched.domain.health.wishes import AlertWishes
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel
from celsched.operations.scope import Scope
from celsched.store import (
    alerts,
    checkup,
    claims,
    live,
    notice_plan,
    notices,
    outbox,
    pings,
    recovery,
    transitions,
    watch_machine,
    watch_schedules,
    watch_work,
)
from celsched.store.endings import Ending, finish
from celsched.store.store import Store, Tx
from tests.support.actors import REPUBLISH
from tests.support.factories import add_schedule
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
    "troubles": lambda tx: watch_schedules.troubles(tx, START),
    "without_worker": lambda tx: checkup.without_worker(tx, START),
    "living": alerts.living,
    "firing": alerts.firing,
    "fires": lambda tx: alerts.fires(tx, "watch_down:all"),
    "top's alerts": lambda tx: live.firing(tx, "", 10),
    "top's kinds": lambda tx: live.firing_kinds(tx, ""),
    "draft": lambda tx: notice_plan.draft(tx, [Channel("mail")], NoticeTimes(), START),
    "openings": lambda tx: watch_machine.openings(tx, START, 5),
    "messages waiting": lambda tx: notices.waiting(tx, "mail"),
    "lease": lambda tx: notices.lease(tx, "mail", START, timedelta(seconds=30)),
    "channel_health": lambda tx: notices.channel_health(tx, ["mail"]),
}
LARGE = ("executions", "alerts", "notifications")
"""The tables that grow with history."""


@pytest.mark.parametrize("name", HOT)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_no_frequent_query_reads_the_whole_table(store: Store, name: str) -> None:
    steps = _steps(store, HOT[name])
    assert steps
    assert not [step for step in steps if "INDEX" not in step and "PRIMARY" not in step and "TEMP" not in step]


def _steps(store: Store, work: Callable[[Tx], object]) -> list[str]:
    """Return how SQLite finds what these queries read of the large tables."""
    asked: list[tuple[str, object]] = []

    def remember(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if any(table in statement for table in LARGE) and not statement.startswith("EXPLAIN"):
            asked.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", remember)
    store.write(work)
    event.remove(store.engine, "before_cursor_execute", remember)
    with store.engine.connect() as connection:
        return [
            row[-1]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
            if any(table in row[-1] for table in LARGE)
        ]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_is_read_now_and_then_is_found_by_its_time_or_state(store: Store, scope: Scope) -> None:
    add_schedule(scope, alerts=AlertWishes(ping="nightly"))
    store.write(lambda tx: pings.queue_pings(tx, ["nightly"], START))
    pinged = _steps(store, lambda tx: pings.queue_pings(tx, ["nightly"], START))
    for index in ("ix_executions_finished", "ix_executions_late_end"):
        assert any(index in step for step in pinged), pinged
    assert not any("newer" in step and "ix_executions_finished" not in step for step in pinged), pinged
    sending = _steps(store, lambda tx: (notices.waiting(tx, "mail"), notices.lease(tx, "mail", START, timedelta())))
    assert set(sending) == {"SCAN notifications USING INDEX ix_notifications_to_send"}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_went_wrong_is_found_in_indexes_of_just_that(store: Store) -> None:
    found = " ".join(_steps(store, lambda tx: watch_schedules.troubles(tx, START)))
    for index in ("ix_executions_trouble", "ix_executions_coalesced", "ix_executions_late_end"):
        assert f"SEARCH executions USING INDEX {index}" in found, found


def test_the_due_scan_reads_the_index_of_what_is_due(store: Store) -> None:
    if store.dialect.row_locks:
        query = text("SELECT indexdef LIKE :part FROM pg_indexes WHERE indexname = 'ix_schedule_states_wake_at'")
        assert store.read(lambda tx: tx.scalar(query, {"part": "%wake_at IS NOT NULL%"}))
    else:
        query = text("EXPLAIN QUERY PLAN SELECT schedule_id FROM schedule_states WHERE wake_at <= 5 ORDER BY wake_at")
        steps = store.read(lambda tx: [row[-1] for row in tx.execute(query)])
        assert "ix_schedule_states_wake_at" in steps[0]
