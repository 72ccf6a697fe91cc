"""Rows that a newer version wrote, or somebody's hand: they are left out and told once, and everything else goes on."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import OperationalError

from celsched.domain.execution import Requester
from celsched.domain.health import work
from celsched.domain.health.gap import Gap
from celsched.domain.health.kinds import AlertKind
from celsched.domain.health.watched import RuleBook
from celsched.domain.silencing import Matchers
from celsched.errors import StoreUnreachable
from celsched.monitor.check import Watcher
from celsched.operations.scope import Scope
from celsched.store import alert_desk, alerts, live, readable, silences
from celsched.store.alert_desk import AlertFilter
from celsched.store.store import Store
from celsched.store.tables import states
from celsched.store.tables_watch import alerts as table
from celsched.store.tables_watch import silences as silences_table
from tests.store.messages import find, settle
from tests.support import actors
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, scope_of, task_named
from tests.support.stores import clock_of, copy_sqlite, store_at

K = AlertKind
HEARTBEAT = timedelta(seconds=10)
POISON: Mapping[str, Mapping[str, Any]] = {
    "kind": {"kind": "no_such_kind_yet"},
    "severity": {"severity": "catastrophic"},
    "labels": {"labels": ["team"]},
    "details": {"details": "since yesterday"},
}


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's databases are used again, and their rows have the same ids."""
    monkeypatch.setattr(readable, "_said", {})


def spoil(store: Store, of: AlertKind, **values: Any) -> int:
    """Change the row of the alert of this kind; return its id."""
    statement = update(table).where(table.c.kind == of).values(values).returning(table.c.id)
    return int(store.write(lambda tx: tx.execute(statement).scalar_one()))


def write_raw(store: Store, column: str, value: str, kind: AlertKind) -> None:
    """Change a row behind the back of the column types."""
    statement = text(f"UPDATE alerts SET {column} = :value WHERE kind = :kind")
    store.write(lambda tx: tx.execute(statement, {"value": value, "kind": kind.value}))


def refuse(store: Store, kind: AlertKind) -> None:
    """Let a column itself refuse what is in the rows of this kind."""
    if store.engine.dialect.name == "sqlite":
        write_raw(store, "details", "{not json", kind)
    else:
        write_raw(store, "opened_at", "infinity", kind)


def opened(store: Store) -> None:
    """Let three alerts be open; a watcher would find only the last of them by itself."""
    now = store.clock.now()
    gone = [find(kind, "schedule:99", since=now) for kind in (K.NO_NEXT, K.MISSED)]
    settle(store, *gone, find(K.DAEMON_DOWN, "all", since=now))


@pytest.mark.parametrize("name", POISON)
def test_an_alert_beyond_this_version_is_left_out_and_told_once(
    store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    opened(store)
    number = spoil(store, K.MISSED, **POISON[name])
    gaps: list[Gap] = []
    assert [one.kind for one in store.read(lambda tx: alerts.living(tx, gaps))] == [K.NO_NEXT, K.DAEMON_DOWN]
    assert [(gap.place, gap.told) for gap in gaps] == [(f"read alert {number}", True)]
    assert len(store.read(lambda tx: alert_desk.listing(tx, AlertFilter(), 10))) == 2
    assert store.read(lambda tx: live.firing(tx, "", 10))[1] == 3
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    assert said[0].startswith(f"could not read alert {number}: ValueError: ")


@pytest.mark.parametrize("name", ["kind", "severity"])
def test_a_summary_says_that_it_is_not_whole(
    store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    opened(store)
    spoil(store, K.MISSED, **POISON[name])
    assert len(store.read(lambda tx: alert_desk.tallies(tx, AlertFilter()))) == 2
    assert "alerts of another version are not counted" in caplog.text


@pytest.mark.parametrize("name", POISON)
def test_a_watcher_goes_on_beside_it_and_its_alert_is_neither_resolved_nor_doubled(
    store: Store, clock: ManualClock, scope: Scope, name: str
) -> None:
    opened(store)
    number = spoil(store, K.DAEMON_DOWN, **POISON[name])
    add_schedule(scope, "گزارش", every=timedelta(hours=1))
    watcher = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={})
    result = watcher.run_once()
    assert result.firing == [], "both of the others are over"
    assert [gap.place for gap in result.gaps] == [f"read alert {number}"]
    rows = store.read(lambda tx: tx.execute(select(table.c.id).where(table.c.state == "open")).all())
    assert [row.id for row in rows] == [number]


def test_evidence_and_times_that_are_none_are_not_believed(store: Store, clock: ManualClock) -> None:
    opened(store)
    details = {"since": "yesterday", "fire_time": "2026-01-01T00:00:00", "count": "many", "error": "خطا", "new": [1]}
    spoil(store, K.MISSED, details=details)
    found = store.read(alerts.known)["missed:schedule:99"]
    assert (found.since, found.evidence.fire_time, found.evidence.count) == (clock.now(), None, 1)
    assert found.evidence.error == "خطا"


def test_an_execution_that_cannot_be_read_blinds_only_what_is_judged_of_executions(
    store: Store, clock: ManualClock, scope: Scope
) -> None:
    add_schedule(scope, "گزارش", every=timedelta(hours=1))
    settle(store, find(K.TOO_LONG, since=clock.now()), find(K.PAUSED_TOO_LONG, since=clock.now()))
    clock.advance(timedelta(hours=1))
    actors.scan(store)
    running = actors.start(store, actors.all_executions(store)[-1].id)
    far = "infinity" if store.dialect.row_locks else "tomorrow"
    spoilt = text("UPDATE executions SET attempt_started_at = :far WHERE id = :id")
    store.write(lambda tx: tx.execute(spoilt, {"far": far, "id": running.id}))
    result = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={}).run_once()
    assert {one.kind for one in result.firing} == {K.TOO_LONG, K.DAEMON_DOWN}, "the pause is over, the run is unknown"
    assert {gap.place for gap in result.gaps} == {f"judge {kind}" for kind in work.JUDGES}


def test_an_alert_of_no_task_is_over_and_stops_nobody(store: Store, clock: ManualClock) -> None:
    settle(store, find(K.UNKNOWN_TASK, "task:seven", since=clock.now()))
    result = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={}).run_once()
    assert ([*result.firing], [*result.gaps]) == ([], [])


def test_what_a_column_itself_refuses_is_found_among_many(store: Store, clock: ManualClock) -> None:
    now = clock.now()
    settle(store, *(find(K.MISSED, f"schedule:{n}", since=now) for n in range(20)), find(K.NO_NEXT, since=now))
    refuse(store, K.NO_NEXT)
    gaps: list[Gap] = []
    assert len(store.read(lambda tx: alerts.living(tx, gaps))) == 20
    assert len(gaps) == 1


def _counted(store: Store) -> tuple[int, list[Gap]]:
    """Read the living alerts; return with how many statements, and what could not be read."""
    statements: list[str] = []

    def count(*given: Any) -> None:
        statements.append(given[2])

    gaps: list[Gap] = []
    event.listen(store.engine, "before_cursor_execute", count)
    try:
        store.read(lambda tx: alerts.living(tx, gaps))
    finally:
        event.remove(store.engine, "before_cursor_execute", count)
    return len(statements), gaps


@pytest.mark.parametrize(("refused", "most"), [(False, 5), (True, 300)])
def test_hundreds_of_them_cost_few_statements_and_few_lines_and_each_is_a_gap(
    store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture, refused: bool, most: int
) -> None:
    settle(store, *(find(K.MISSED, f"schedule:{n}", since=clock.now()) for n in range(600)))
    if refused:
        refuse(store, K.MISSED)
    else:
        write_raw(store, "severity", "catastrophic", K.MISSED)
    for _ in range(2):
        statements, gaps = _counted(store)
        assert statements < most
        assert len({gap.key for gap in gaps}) == 600
        said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert len(said) == 11, "the first ten, and how many more; and no more of it at the second look"
    assert said[-1].startswith("could not read 590 more of kind alert either")


def test_more_than_are_remembered_are_told_once_as_long_as_they_are_there(
    store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readable, "_MANY_SAID", 2)
    settle(store, *(find(K.MISSED, f"schedule:{n}", since=clock.now()) for n in range(5)))
    write_raw(store, "severity", "catastrophic", K.MISSED)
    for _ in range(3):
        store.read(alerts.living)
        assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 5


def test_a_store_that_breaks_is_no_row_that_cannot_be_read(store: Store, clock: ManualClock) -> None:
    opened(store)
    store.write(lambda tx: tx.execute(text("ALTER TABLE alerts RENAME TO alerts_gone")))
    try:
        with pytest.raises(StoreUnreachable):
            store.read(alerts.living)
    finally:
        store.write(lambda tx: tx.execute(text("ALTER TABLE alerts_gone RENAME TO alerts")))


def test_a_store_that_breaks_while_single_rows_are_read_is_not_taken_for_one(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("SELECT", {}, ValueError("the connection is gone"))

    opened(store)
    refuse(store, K.MISSED)
    monkeypatch.setattr(readable, "_some", gone)
    with pytest.raises(StoreUnreachable, match="the connection is gone") as raised:
        store.read(alerts.living, patience=0)
    assert raised.value.reason == "the connection is gone"


def _judged_beside(store: Store, table_name: str, column: str, value: str) -> None:
    """Let two schedules be overdue, one become unreadable and the other decided; only that one is over."""
    scope, clock, hour = scope_of(store), clock_of(store), timedelta(hours=1)
    bad, good = (add_schedule(scope, name, task=f"of {name}", every=hour) for name in ("گزارش", "good"))
    clock.advance(2 * hour)
    overdue = {f"overdue:schedule:{one.id}" for one in (bad, good)}
    watcher = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={})
    assert {one.fingerprint for one in watcher.run_once().firing} >= overdue
    row = task_named(store, "of گزارش").id if table_name == "task_definitions" else bad.id
    key = "schedule_id" if table_name == "schedule_states" else "id"
    spoilt = text(f"UPDATE {table_name} SET {column} = :value WHERE {key} = :id")
    store.write(lambda tx: tx.execute(spoilt, {"value": value, "id": row}))
    later = clock.now() + hour
    decided = update(states).where(states.c.schedule_id == good.id).values(wake_at=later, next_fire_time=later)
    store.write(lambda tx: tx.execute(decided))
    result = Watcher(store, clock, rules=RuleBook(), heartbeat=HEARTBEAT, settings={}).run_once()
    assert {one.fingerprint for one in result.firing} & overdue == {f"overdue:schedule:{bad.id}"}
    assert [gap.key for gap in result.gaps if gap.place.endswith(f"schedule {bad.id}")] == [bad.id]


@pytest.mark.parametrize(("table_name", "column"), [("schedule_states", "paused_until"), ("schedules", "updated_at")])
def test_of_a_schedule_that_cannot_be_read_nothing_is_said_and_the_others_are_judged(
    store: Store, table_name: str, column: str
) -> None:
    _judged_beside(store, table_name, column, "infinity" if store.dialect.row_locks else "tomorrow")


@pytest.mark.parametrize("table_name", ["schedules", "task_definitions"])
def test_nor_of_one_whose_json_is_broken_which_only_sqlite_takes(
    sqlite_template: Path, tmp_path: Path, table_name: str
) -> None:
    with store_at(copy_sqlite(sqlite_template, tmp_path / "s.db")) as store:
        _judged_beside(store, table_name, "options", "{no json")


@pytest.mark.parametrize("matchers", [["kinds"], {"kinds": "missed"}, {"subject": 7}, {"new": "x"}, {"labels": 3}])
def test_a_silence_that_cannot_be_read_silences_nothing(store: Store, clock: ManualClock, matchers: Any) -> None:
    now, by = clock.now(), Requester("سارا", "laptop")
    good, bad = (
        store.write(lambda tx, r=reason: silences.add(tx, Matchers(subject="x"), (now, now + HEARTBEAT), by, r, now))  # type: ignore[misc]
        for reason in ("good", "bad")
    )
    encoded = update(silences_table).where(silences_table.c.id == bad.id).values(matchers=matchers)
    store.write(lambda tx: tx.execute(encoded))
    assert store.read(lambda tx: silences.active(tx, now)) == [good]
