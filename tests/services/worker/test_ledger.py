"""What the main process tells the store about claims, and what it hears; slots play the bodies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from celsched.domain.execution import Execution, LogLine, State
from celsched.redact import Redactor
from celsched.store import claims, endings, instances, transitions, watch_machine
from celsched.store.claims import Claimant
from celsched.store.endings import Ending
from celsched.store.store import Store, Tx, open_store
from celsched.worker.desk_store import DeskStore
from celsched.worker.guard import Guard, Timing, Verdict
from celsched.worker.identity import identify
from celsched.worker.instance import instance_of
from celsched.worker.ledger import Desk, Ledger
from celsched.worker.output_files import files_of
from celsched.worker.slots import Occupant, Slots, SlotState
from tests.support.executions import add_execution, execution_of, texts_of


class RecordingGuard(Guard):
    """A guard that only notes what it is asked to stop."""

    def __init__(self, slots: Slots, folder: Path) -> None:
        super().__init__(slots, folder, "w", Timing(1, 1), lambda: 0.0)
        self.stopped: dict[str, Ending | None] = {}

    def stop(self, token: str, ending: Ending | None, *, force: bool = False) -> None:
        self.stopped[token] = ending


@dataclass
class Bench:
    store: Store
    slots: Slots
    folder: Path
    guard: RecordingGuard
    ledger: Ledger
    worker: str

    def claimed(self, *, index: int | None = 0) -> tuple[Execution, str]:
        """Return a claimed execution and its token; with an index, its slot says that its body runs."""
        execution_id, token = add_execution(self.store, "m.f"), uuid4().hex
        by = Claimant(token, self.worker, "host", 1)
        found = self.store.write(lambda tx: claims.claim(tx, execution_id, 1, by, self.store.clock.now()))
        assert isinstance(found, Execution)
        if index is not None:
            files_of(self.folder, index).begin()
            self.slots.write(index, Occupant(SlotState.BODY, execution_id, 1, token, 1))
        return found, token


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store, slots = open_store(f"sqlite:///{tmp_path}/s.db"), Slots(4)
    guard = RecordingGuard(slots, tmp_path)
    identity = identify("w")
    desk = Desk(DeskStore(store), slots, tmp_path, Redactor(), lambda: 7.0)
    ledger = Ledger(desk, guard, instance_of(identity, ["default"], 2, store.clock.now()))
    yield Bench(store, slots, tmp_path, guard, ledger, identity.id)
    slots.close()
    store.close()


def test_a_beat_counts_for_every_claim_and_registers_the_worker(bench: Bench) -> None:
    one, _ = bench.claimed(index=0)
    two, _ = bench.claimed(index=1)
    bench.ledger.beat()
    bench.ledger.beat()
    assert [execution_of(bench.store, each.id).heartbeat for each in (one, two)] == [2, 2]
    (found,) = bench.store.read(lambda tx: instances.running(tx, "worker"))
    assert (found.id, found.busy, list(found.queues)) == (bench.worker, 2, ["default"])
    assert bench.guard.heard == 7.0
    assert bench.guard.stopped == {}


def test_a_beat_tells_what_came_twice_and_when_the_last_did(bench: Bench) -> None:
    def told() -> tuple[int, object]:
        bench.ledger.beat()
        (worker,) = bench.store.read(lambda tx: watch_machine.everybody(tx, bench.store.clock.now())).seen
        return worker.duplicates, worker.duplicate_at

    assert told() == (0, None)
    bench.slots.count_duplicate(1)
    count, first = told()
    assert (count, first is None) == (1, False)
    assert told() == (1, first)
    bench.slots.count_duplicate(2)
    count, second = told()
    assert (count, second != first) == (2, True)


def test_a_claim_that_the_store_no_longer_grants_is_fenced(bench: Bench) -> None:
    found, token = bench.claimed()
    bench.store.write(lambda tx: transitions.move(tx, found.id, [State.RUNNING], claim_token="another"))
    bench.ledger.beat()
    assert bench.guard.stopped == {token: None}


def test_a_wish_to_cancel_is_heard_by_poll_and_by_beat(bench: Bench) -> None:
    found, token = bench.claimed()
    bench.store.write(lambda tx: transitions.ask_one_to_stop(tx, found.id, "why not"))
    for hear in (bench.ledger.poll, bench.ledger.beat):
        bench.guard.stopped.clear()
        hear()
        ending = bench.guard.stopped[token]
        assert ending is not None
        assert (ending.outcome, ending.retryable) == (State.CANCELLED, False)


def test_a_claim_without_a_body_ends_after_two_beats_and_not_before(bench: Bench) -> None:
    found, _ = bench.claimed(index=None)
    bench.ledger.beat()
    assert execution_of(bench.store, found.id).state is State.RUNNING
    bench.ledger.beat()
    ended = execution_of(bench.store, found.id)
    assert (ended.state, ended.reason) == (State.LOST, "no_body")


def test_output_is_stored_while_the_body_runs_and_the_rest_with_its_end(bench: Bench) -> None:
    found, token = bench.claimed()
    files = files_of(bench.folder, 0)
    files.stdout.write_text("one\ntwo")
    bench.ledger.ship()
    bench.ledger.ship()
    assert texts_of(bench.store, found.id) == [("stdout", "one")]
    aside = files.set_aside(bench.folder, token)
    occupant = bench.slots.read(0)
    bench.slots.write(0, Occupant())
    bench.guard.verdicts.put(Verdict(occupant, Ending(State.LOST, reason="worker_died"), aside))
    assert not bench.ledger.settled()
    bench.ledger.settle()
    assert bench.ledger.settled()
    assert texts_of(bench.store, found.id) == [("stdout", "one"), ("stdout", "two")]
    assert execution_of(bench.store, found.id).reason == "worker_died"
    assert not aside.stdout.exists()


def test_a_fenced_bodys_end_and_output_are_not_written(bench: Bench) -> None:
    found, token = bench.claimed()
    files_of(bench.folder, 0).stdout.write_text("one\n")
    aside = files_of(bench.folder, 0).set_aside(bench.folder, token)
    bench.guard.verdicts.put(Verdict(bench.slots.read(0), None, aside))
    bench.ledger.settle()
    assert execution_of(bench.store, found.id).state is State.RUNNING
    assert texts_of(bench.store, found.id) == []


def test_leaving_is_recorded(bench: Bench) -> None:
    bench.ledger.register()
    bench.ledger.leave()
    assert bench.store.read(lambda tx: instances.running(tx, "worker")) == []


def test_a_child_that_dies_before_its_body_begins_leaves_its_predecessors_output_alone(bench: Bench) -> None:
    # Its slot's files still hold what the body before it wrote, and the slot does not know the execution yet.
    found, token = bench.claimed(index=None)
    files = files_of(bench.folder, 0)
    files.begin()
    files.stdout.write_text("of the body before\n")
    occupant = Occupant(SlotState.CLAIMING, token=token, pid=1)
    aside = files.set_aside(bench.folder, token)
    bench.guard.verdicts.put(Verdict(occupant, Ending(State.LOST, reason="worker_died"), aside))
    bench.ledger.settle()
    assert bench.ledger.settled()
    ended = execution_of(bench.store, found.id)
    assert (ended.state, ended.reason) == (State.LOST, "worker_died")
    assert texts_of(bench.store, found.id) == []
    assert not aside.stdout.exists()


def test_lines_that_the_database_refuses_cost_neither_the_end_nor_what_follows(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(tx: Tx, lines: Sequence[LogLine]) -> None:
        raise ValueError("no such character")

    monkeypatch.setattr("celsched.store.logs.append", refuse)
    found, _ = bench.claimed()
    bench.guard.verdicts.put(Verdict(bench.slots.read(0), Ending(State.LOST), files_of(bench.folder, 0)))
    bench.ledger.settle()
    assert execution_of(bench.store, found.id).state is State.LOST
    assert bench.ledger.settled()


def test_an_end_that_cannot_be_recorded_holds_up_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bad, poison), (good, _) = bench.claimed(), bench.claimed(index=1)
    real = endings.finish

    def finish(tx: Tx, token: str, *rest: Any, **named: Any) -> endings.Ended | None:
        if token == poison:
            raise ValueError("a fault of ours")
        return real(tx, token, *rest, **named)

    monkeypatch.setattr("celsched.store.endings.finish", finish)
    for index in (0, 1):
        verdict = Verdict(bench.slots.read(index), Ending(State.LOST), files_of(bench.folder, index))
        bench.guard.verdicts.put(verdict)
        bench.slots.write(index, Occupant())
    bench.ledger.settle()
    assert bench.ledger.settled()
    assert execution_of(bench.store, good.id).state is State.LOST
    for _ in range(3):
        bench.ledger.beat()
    assert execution_of(bench.store, bad.id).state is State.RUNNING
    monkeypatch.undo()
    bench.ledger.beat()
    assert execution_of(bench.store, bad.id).reason == "no_body"
