"""People who run, cancel, pause, resume, edit, retry and delete while daemons and workers go on, by chance from a seed.

It judges by what bodies and people wrote down and by the whole ledger, on both kinds of store.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from celsched.domain.execution import TERMINAL, Cause, Execution, State
from celsched.domain.policy import Overlap
from celsched.operations import control
from celsched.store.store import open_store
from tests.scenarios.crowd import SECOND, Crowd, Person
from tests.support.actors import all_executions
from tests.support.executions import attempts_of
from tests.support.factories import add_task, make_schedule, make_task, store_definitions
from tests.support.services import PostgresServer
from tests.support.stores import sqlite_url
from tests.support.waiting import wait_until

PEOPLE, WISHES = 3, 50
NAMES = [f"برنامه {number}" for number in range(9)]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh store of each kind."""
    made = sqlite_url(tmp_path / "store.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    open_store(made, upgrade=True).close()
    return str(made)


@pytest.fixture
def crowd(url: str) -> Iterator[Crowd]:
    found = Crowd(url, seed=30)
    yield found
    found.end()


def test_people_race_with_daemons_and_workers(crowd: Crowd, url: str, postgres_server: PostgresServer) -> None:
    log = postgres_server.log.stat().st_size
    add_task(crowd.scope)
    people = [Person(crowd, n, NAMES[n::PEOPLE], NAMES, WISHES) for n in range(PEOPLE)]
    for number, person in enumerate(people):
        for name in NAMES[number::PEOPLE]:
            person.edit(name)
    crowd.onlooker()
    for number in range(2):
        crowd.daemon(number, ahead=0.1 * number)
        crowd.worker(number, ahead=-0.1 * number)
    meddling = [crowd.start(person.step) for person in people]
    wait_until(
        lambda: not any(one.is_alive() for one in meddling), timeout=300, every=0.05, message="all wishes are fulfilled"
    )
    assert crowd.diary.faults == []
    _delete_all(crowd)
    rows = _settled(crowd)
    crowd.stop.set()

    assert crowd.diary.faults == []
    assert sum(crowd.diary.done.values()) > PEOPLE * WISHES / 2, crowd.diary.refused
    assert all(crowd.diary.done[f"_{kind}"] for kind in ("cancel", "edit", "pause", "resume", "delete_and_make_anew"))
    _starts_are_true(crowd, rows)
    _old_and_new_rules_meet_nowhere(rows)
    if url.startswith("postgresql"):
        _no_deadlock(postgres_server, log)


def test_five_daemons_share_the_fire_times_of_200_schedules(postgres_url: str, postgres_server: PostgresServer) -> None:
    open_store(postgres_url, upgrade=True).close()
    log = postgres_server.log.stat().st_size
    crowd = Crowd(postgres_url, seed=7, speed=1.0)
    try:
        task, many = (
            make_task(),
            [make_schedule(f"s{number}", every=SECOND, overlap=Overlap.ALLOW) for number in range(200)],
        )
        store_definitions(crowd.scope, task, *many)
        for number in range(5):
            crowd.daemon(number, ahead=0.0)
        diary = crowd.diary
        wait_until(
            lambda: diary.faults or (len(+diary.by_daemon) >= 2 and sum(diary.by_daemon.values()) > 800),
            timeout=120,
            every=0.1,
            message="the daemons have shared 800 fire times",
        )
        crowd.rest()
        assert diary.faults == []
        rows = all_executions(crowd.scope.store)
    finally:
        crowd.end()
    lives: dict[str, list[Execution]] = defaultdict(list)
    for row in rows:
        lives[row.subject].append(row)
    assert len(lives) == 200
    for life in lives.values():
        times = sorted(_first(row) + n * SECOND for row in life for n in range(row.count))
        assert times == [times[0] + n * SECOND for n in range(len(times))], "I1"
    # Skipped ones are counted too where a loaded machine has to catch up.
    assert sum(row.state is not State.SKIPPED for row in rows) <= sum(diary.by_daemon.values())
    _no_deadlock(postgres_server, log)


def _no_deadlock(server: PostgresServer, since: int) -> None:
    with server.log.open(errors="replace") as said:
        said.seek(since)
        assert "deadlock detected" not in said.read()


def _delete_all(crowd: Crowd) -> None:
    """Let no new fire times come, and let the rest come to its end."""
    for name in NAMES:
        control.delete_schedule(crowd.scope, name)


def _settled(crowd: Crowd) -> list[Execution]:
    def all_over() -> list[Execution] | None:
        found = all_executions(crowd.scope.store)
        return found if all(one.state in TERMINAL for one in found) or crowd.diary.faults else None

    return wait_until(all_over, timeout=180, every=0.1, message="everything has ended") or []


def _starts_are_true(crowd: Crowd, rows: list[Execution]) -> None:
    diary = crowd.diary
    assert len(diary.starts) > 50
    assert set(diary.starts.values()) == {1}, "I2"
    assert diary.side_by_side == [], "I4"
    by_id = {row.id: row for row in rows}
    assert {key: by_id[key].state for key in diary.terminal} == diary.terminal, "final states stay"
    assert diary.cancelled
    for key in diary.cancelled:
        assert by_id[key].state is State.CANCELLED
        assert (key, by_id[key].attempt) not in diary.starts, "cancelled before its claim"
    for row in rows:
        recorded = {(row.id, one.attempt) for one in attempts_of(crowd.scope.store, row.id)}
        assert recorded == {key for key in diary.starts if key[0] == row.id}, "I6"
        if row.state in {State.SUCCEEDED, State.FAILED}:
            assert (row.id, row.attempt) in diary.starts


def _old_and_new_rules_meet_nowhere(rows: list[Execution]) -> None:
    """In each schedule's life each fire time is told once, and once a new rule has fired no older one does."""
    lives: dict[int, list[Execution]] = defaultdict(list)
    for row in rows:
        if row.cause is Cause.SCHEDULE and row.schedule_id is not None:
            lives[row.schedule_id].append(row)
    generations = 0
    for life in lives.values():
        life.sort(key=_first)
        for before, after in pairwise(life):
            assert (before.until or _first(before)) < _first(after), (before, after)
        told = [row.recipe.params["generation"] for row in life if row.recipe is not None]
        assert told == sorted(told)
        generations += len(set(told))
    assert generations > len(NAMES), "rules were changed between fire times"


def _first(row: Execution) -> datetime:
    assert row.fire_time is not None
    return row.fire_time
