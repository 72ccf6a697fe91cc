"""What the live view reads, on both databases: what waits, runs, comes, fires and has ended; and its estimates."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, insert, update

from celsched.domain.execution import State
from celsched.operations import control, requests
from celsched.operations.live import Lens, Snapshot
from celsched.operations.requests import RunNow
from celsched.operations.scope import Scope
from celsched.store import executions as executions_of
from celsched.store import instances
from celsched.store.instances import Instance
from celsched.store.store import Store
from celsched.store.tables import executions
from celsched.store.tables_watch import alerts
from tests.support.actors import end, run, scan, start
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule, add_task
from tests.support.stores import START

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NAME = "پاکسازی فایل‌ها"


def look(scope: Scope, name: str = "") -> Snapshot:
    return Lens(scope, 10 * SECOND).take(name)


def worker(store: Store, *queues: str) -> None:
    row = Instance(f"w{queues}", "worker", "server", 1, "w", "0", queues, 4, 0, START, store.clock.now())
    store.write(lambda tx: instances.register(tx, row))


def test_queues_tell_what_is_due_since_when_and_for_how_many(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, NAME, queue_name="reports")
    clock.advance(HOUR)
    scan(store)
    clock.advance(20 * SECOND)
    worker(store, "reports", "idle")
    worker(store, "celsched")
    first, second = look(scope).queues
    assert (first.name, first.waiting, first.consumers) == ("reports", 1, 2)
    assert first.oldest is not None
    assert first.oldest >= 20 * SECOND
    assert (second.name, second.waiting, second.oldest, second.consumers) == ("idle", 0, None, 2)


def test_progress_is_the_reported_one_or_a_guess_from_history(scope: Scope, store: Store, clock: ManualClock) -> None:
    add_schedule(scope, NAME, max_retries=0)
    for took in (8, 10, 12):
        clock.advance(HOUR)
        scan(store)
        running = start(store, store.read(executions_of.newest_id))
        clock.advance(took * SECOND)
        end(store, running, State.SUCCEEDED)
    clock.advance(HOUR)
    scan(store)
    start(store, 4)
    clock.advance(4 * SECOND)
    (guess,) = look(scope).running
    assert (guess.share, guess.left, guess.reported, guess.elapsed) == (0.4, 6 * SECOND, False, 4 * SECOND)
    values = {"progress_done": 1.0, "progress_total": 5.0, "progress_message": "نیمه"}
    store.write(lambda tx: tx.execute(update(executions).where(executions.c.id == 4).values(values)))
    (told,) = look(scope).running
    assert (told.share, told.left, told.reported, told.message) == (0.2, 16 * SECOND, True, "نیمه")


def test_one_without_history_has_no_guess(scope: Scope, store: Store) -> None:
    add_task(scope, NAME)
    start(store, requests.run_now(scope, RunNow(NAME)))
    (found,) = look(scope).running
    assert (found.name, found.share, found.left) == (NAME, None, None)


def test_schedules_come_soonest_first_and_the_paused_after_them(scope: Scope) -> None:
    add_schedule(scope, "late", cron="0 3 * * *")
    add_schedule(scope, "soon", every=SECOND * 30)
    add_schedule(scope, "off", enabled=False)
    add_schedule(scope, NAME)
    control.pause(scope, [NAME])
    found = look(scope).schedules
    assert [one.name for one in found] == ["soon", "late", NAME, "off"]
    assert [one.paused for one in found] == [False, False, True, False]


def test_a_filter_narrows_by_name_in_any_script(scope: Scope, store: Store) -> None:
    for name in (NAME, "100%", "other"):
        add_task(scope, f"task of {name}")
        add_schedule(scope, name, task=f"task of {name}")
        run(store, requests.run_now(scope, RunNow(name)))
    assert [one.name for one in look(scope, "فایل").schedules] == [NAME]
    assert [one.name for one in look(scope, "فایل").outcomes] == [NAME]
    assert [one.name for one in look(scope, "%").schedules] == ["100%"]
    assert len(look(scope).outcomes) == 3


@pytest.mark.parametrize("state", ["pending", "resolved"])
def test_only_open_alerts_are_shown_the_worst_first(scope: Scope, store: Store, state: str) -> None:
    def row(number: int, severity: str, state: str = "open") -> dict[str, object]:
        return {"fingerprint": str(number), "kind": "missed", "severity": severity, "state": state, "subject": NAME,
                "summary": "x", "details": {}, "pending_since": START, "opened_at": START, "seen_at": START,
                "labels": {}}  # fmt: skip

    rows = [row(1, "info"), row(2, "critical"), row(3, "warning"), row(4, "critical", state)]
    store.write(lambda tx: tx.execute(insert(alerts), rows))
    found = look(scope)
    assert [one.severity for one in found.alerts] == ["critical", "warning", "info"]
    assert found.alerts_total == 3
    assert found.alerts_hidden == 0
    filtered = look(scope, "گزارش")
    assert (filtered.alerts, filtered.alerts_total, filtered.alerts_hidden) == ([], 0, 3)


def test_of_more_alerts_than_are_shown_the_kinds_are_counted_and_what_is_seen_comes_last(
    scope: Scope, store: Store
) -> None:
    def row(number: int, kind: str, subject: str = NAME, acknowledged_at: datetime | None = None) -> dict[str, object]:
        return {"fingerprint": str(number), "kind": kind, "severity": "warning", "state": "open", "subject": subject,
                "summary": "x", "details": {}, "pending_since": START, "opened_at": START, "seen_at": START,
                "labels": {}, "acknowledged_at": acknowledged_at}  # fmt: skip

    rows = [row(1, "failed"), row(2, "timeout", "other"), row(3, "missed", acknowledged_at=START)]
    rows += [row(number, "failed") for number in range(4, 120)]
    store.write(lambda tx: tx.execute(insert(alerts), rows))
    found = look(scope)
    assert found.alert_kinds == {"failed": 117, "missed": 1, "timeout": 1}
    assert (len(found.alerts), found.alerts_total) == (100, 119)
    assert found.alerts[0].id > found.alerts[1].id
    assert look(scope, "other").alert_kinds == {"timeout": 1}
    store.write(lambda tx: tx.execute(delete(alerts).where(alerts.c.kind == "failed")))
    assert [one.kind for one in look(scope).alerts] == ["timeout", "missed"]


def test_what_runs_and_is_hidden_by_the_filter_is_counted(scope: Scope, store: Store) -> None:
    for name in (NAME, "other"):
        add_task(scope, name)
        start(store, requests.run_now(scope, RunNow(name)))
    found = look(scope, "فایل")
    assert ([one.name for one in found.running], found.running_total, found.running_hidden) == ([NAME], 1, 1)
