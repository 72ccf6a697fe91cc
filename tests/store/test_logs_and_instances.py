"""Captured lines are stored once and read from where one left off; instances come, beat, leave and are forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from celsched.domain.execution import LogLine
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store import instances, logs, meta
from celsched.store.instances import Instance
from celsched.store.presence import Presence, new_instance_id
from celsched.store.store import Store
from tests.support.clock import ManualClock
from tests.support.factories import add_task
from tests.support.stores import START

SECOND = timedelta(seconds=1)


@pytest.fixture
def lines(scope: Scope) -> list[LogLine]:
    """Two attempts of three lines each, stored; every second one is an error."""
    add_task(scope)
    asked = run_now(scope, RunNow("task"))
    made = [
        LogLine(asked, attempt, seq, START + seq * SECOND, 40 if seq % 2 else 20, "files", f"سطر {attempt}.{seq}\t🙂")
        for attempt in (1, 2)
        for seq in range(3)
    ]
    scope.store.write(lambda tx: logs.append(tx, made))
    return made


def test_lines_come_back_in_order_and_repeating_stores_nothing_twice(store: Store, lines: list[LogLine]) -> None:
    changed = [replace(line, text="other") for line in lines]
    store.write(lambda tx: logs.append(tx, changed))
    store.write(lambda tx: logs.append(tx, []))

    assert store.read(lambda tx: logs.read(tx, lines[0].execution_id)) == lines


def test_many_lines_are_one_statement_and_none_of_their_characters_means_anything(
    store: Store, lines: list[LogLine]
) -> None:
    odd = ["", "NULL", "{a,b}", '"', "'", "\\", "\\N", "%s", ":text", "a,b", " ", "\n", "نیم\u200cفاصله", "{", "🙂"]
    more = [replace(lines[0], attempt=3, seq=seq, text=odd[seq % len(odd)]) for seq in range(12_000)]
    sent: list[int] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def _sent(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if "execution_logs" in statement:
            sent.append(len(parameters[0] if many else parameters))

    store.write(lambda tx: logs.append(tx, more))
    assert sent == [7 if store.dialect.name == "sqlite" else 1] * 3, "so many values, or documents, were handed over"
    assert store.read(lambda tx: logs.tail(tx, lines[0].execution_id, 12_000)) == more


@pytest.mark.parametrize(("after", "left"), [((1, 0), 5), ((1, 2), 3), ((2, 1), 1), ((2, 2), 0), ((0, 0), 6)])
def test_reading_goes_on_after_a_line(store: Store, lines: list[LogLine], after: tuple[int, int], left: int) -> None:
    found = store.read(lambda tx: logs.read(tx, lines[0].execution_id, after=after))

    assert found == lines[len(lines) - left :]


def test_level_limit_tail_and_the_next_number(store: Store, lines: list[LogLine]) -> None:
    asked, read = lines[0].execution_id, store.read

    assert read(lambda tx: logs.read(tx, asked, level=40)) == [lines[1], lines[4]]
    assert read(lambda tx: logs.read(tx, asked, limit=2)) == lines[:2]
    assert read(lambda tx: logs.tail(tx, asked, 2)) == lines[-2:]
    assert read(lambda tx: logs.tail(tx, asked, 5, level=40)) == [lines[1], lines[4]]
    assert [read(lambda tx, n=n: logs.next_seq(tx, asked, n)) for n in (1, 2, 3)] == [3, 3, 0]  # type: ignore[misc]
    assert read(lambda tx: logs.last_at(tx, asked)) == START + 2 * SECOND
    assert read(lambda tx: logs.last_at(tx, asked + 1)) is None


def _instance(name: str = "worker-1", kind: str = "worker") -> Instance:
    return Instance(name, kind, "سرور", 1, name, "0.1", ("default", "صف"), 4, 0, START, START)


def test_an_instance_comes_beats_and_leaves(store: Store) -> None:
    one = _instance()
    store.write(lambda tx: instances.register(tx, one))
    assert store.write(lambda tx: instances.beat(tx, one.id, START + SECOND, busy=2, note="ok"))

    (found,) = store.read(instances.running)
    assert replace(found, queues=tuple(found.queues)) == replace(one, beat_at=START + SECOND, busy=2, note="ok")
    store.write(lambda tx: instances.leave(tx, one.id, START + 2 * SECOND))
    assert store.read(instances.running) == []
    (left,) = store.read(lambda tx: instances.listing(tx, 10))
    assert (left.stopped_at, left.busy) == (START + 2 * SECOND, 0)
    store.write(lambda tx: instances.register(tx, one))
    assert len(store.read(instances.running)) == 1


def test_a_beat_of_an_unknown_instance_says_so(store: Store) -> None:
    assert not store.write(lambda tx: instances.beat(tx, "nobody", START))


def test_instances_are_told_apart_by_kind_and_forgotten_after_a_week(store: Store) -> None:
    for one in (_instance("w"), _instance("d", "daemon")):
        store.write(lambda tx, one=one: instances.register(tx, one))  # type: ignore[misc]

    assert [one.id for one in store.read(lambda tx: instances.running(tx, "daemon"))] == ["d"]
    assert store.write(lambda tx: instances.forget(tx, START + timedelta(days=7))) == 0
    assert store.write(lambda tx: instances.forget(tx, START + timedelta(days=7, seconds=1))) == 2


def test_presence_registers_beats_now_and_then_and_comes_back_when_forgotten(store: Store, clock: ManualClock) -> None:
    presence = Presence(store, clock, "daemon", every=10 * SECOND)
    presence.beat("one")
    clock.advance(9 * SECOND)
    presence.beat("too early")
    (found,) = store.read(instances.running)
    assert (found.kind, found.beat_at) == ("daemon", START)
    clock.advance(SECOND)
    presence.beat("two")
    assert [one.note for one in store.read(instances.running)] == ["two"]
    store.write(lambda tx: instances.forget(tx, clock.now() + timedelta(days=8)))
    clock.advance(10 * SECOND)
    presence.beat()
    assert [one.id for one in store.read(instances.running)] == [presence.id]
    presence.leave()
    assert store.read(instances.running) == []


def test_no_two_instances_have_one_id() -> None:
    assert len({new_instance_id("worker") for _ in range(100)}) == 100


def test_the_word_of_a_store_is_made_once(store: Store) -> None:
    words = {store.write(meta.store_word) for _ in range(3)}

    assert len(words) == 1
    assert words.pop().isalnum()
