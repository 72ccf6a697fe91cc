"""The guard over real processes: deaths, limits, stops; its clock is turned by hand."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from celsched.domain.execution import State
from celsched.store.endings import Ending
from celsched.worker import processes
from celsched.worker.guard import Guard, Timing, Verdict
from celsched.worker.output_files import files_of
from celsched.worker.processes import BODY_VARIABLE
from celsched.worker.slots import Occupant, Slots, SlotState
from tests.support.clock import ManualClock
from tests.support.waiting import wait_until

POLITE = "sleep 300 & sleep 301"
STUBBORN = 'trap "" TERM; setsid sleep 302 & echo $! > escaped; while :; do sleep 303; done'
NOTES_USR1 = 'trap "echo soft >> soft" USR1; echo yes > ready; while :; do sleep 0.05; done'


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@dataclass
class Ward:
    folder: Path
    slots: Slots
    guard: Guard
    clock: ManualClock
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def body(self, script: str, **values: object) -> Occupant:
        """Start a child of ours that leads its session, as a pool child does, and put it into slot 0."""
        environment = {**os.environ, BODY_VARIABLE: "me/5.1"}
        child = subprocess.Popen(["sh", "-c", script], cwd=self.folder, start_new_session=True, env=environment)
        self.started.append(child)
        seen = replace(Occupant(SlotState.BODY, 5, 1, "t" * 32, child.pid), **values)  # type: ignore[arg-type]
        self.slots.write(0, seen)
        files_of(self.folder, 0).begin()
        return seen

    def look_until_buried(self) -> Verdict:
        def look() -> bool:
            for child in self.started:
                child.poll()
            self.guard.look()
            return not self.guard.verdicts.empty()

        wait_until(look, timeout=5, message="the body is buried")
        return self.guard.verdicts.get()

    def pass_seconds(self, seconds: float) -> None:
        """Let this time pass while the guard looks, as it does, several times a second."""
        halves, rest = divmod(round(seconds * 10), 5)
        for tenths in [*[5] * halves, rest]:
            self.sleep_through(tenths / 10)

    def sleep_through(self, seconds: float) -> None:
        """Let this time pass between two looks."""
        self.clock.advance(timedelta(seconds=seconds))
        self.guard.look()


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    slots, clock = Slots(2), ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    made = Ward(tmp_path, slots, Guard(slots, tmp_path, "me", Timing(5.0, 45.0), clock.monotonic), clock)
    yield made
    for child in made.started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    slots.close()


def escaped(ward: Ward) -> int:
    path = ward.folder / "escaped"
    return int(wait_until(lambda: path.exists() and path.read_text().strip(), message="the body started a program"))


def test_a_healthy_body_is_left_alone(ward: Ward) -> None:
    seen = ward.body(POLITE, soft=100.0, hard=200.0)
    ward.pass_seconds(44)
    assert ward.slots.read(0) == seen
    assert lives(seen.pid)


def test_a_dead_child_is_buried_with_all_that_it_left(ward: Ward) -> None:
    seen = ward.body(STUBBORN)
    left = escaped(ward)
    os.kill(seen.pid, signal.SIGKILL)
    verdict = ward.look_until_buried()
    assert verdict.occupant == seen
    assert verdict.ending is not None
    assert (verdict.ending.outcome, verdict.ending.reason) == (State.LOST, "worker_died")
    assert not lives(left)
    assert ward.slots.state(0) is SlotState.FREE
    assert verdict.files.stdout.exists()


def test_the_hard_limit_kills_at_once(ward: Ward) -> None:
    seen = ward.body(STUBBORN, hard=10.0)
    left = escaped(ward)
    ward.pass_seconds(9.9)
    assert lives(seen.pid)
    ward.pass_seconds(0.1)
    assert ward.slots.state(0) is SlotState.TAKEN
    verdict = ward.look_until_buried()
    assert verdict.ending is not None
    assert (verdict.ending.outcome, verdict.ending.reason) == (State.TIMED_OUT, "time_limit")
    assert not lives(left)


def test_a_wish_to_stop_is_polite_first(ward: Ward) -> None:
    seen = ward.body(STUBBORN)
    left = escaped(ward)
    ending = Ending(State.CANCELLED)
    ward.guard.stop(seen.token, ending)
    ward.guard.look()
    ward.pass_seconds(4.9)
    assert lives(seen.pid)
    ward.pass_seconds(0.1)
    assert ward.look_until_buried().ending is ending
    assert not lives(left)


def test_a_forced_stop_is_not(ward: Ward) -> None:
    seen = ward.body(STUBBORN)
    escaped(ward)
    ward.guard.stop(seen.token, Ending(State.CANCELLED), force=True)
    assert ward.look_until_buried().occupant.token == seen.token


def test_a_stop_for_a_claim_that_is_over_touches_nobody(ward: Ward) -> None:
    seen = ward.body(POLITE)
    ward.guard.stop("another", Ending(State.CANCELLED))
    ward.guard.look()
    assert ward.slots.read(0) == seen
    ward.slots.write(0, replace(seen, state=SlotState.RECORDING))
    ward.guard.stop(seen.token, Ending(State.CANCELLED))
    ward.pass_seconds(100)
    assert lives(seen.pid)
    assert ward.slots.state(0) is SlotState.RECORDING


def test_the_soft_limit_is_one_signal_to_the_child_alone(ward: Ward) -> None:
    ward.body(NOTES_USR1, soft=1.0)
    wait_until((ward.folder / "ready").exists, message="the trap is set")
    for _ in range(5):
        ward.pass_seconds(1)
    note = ward.folder / "soft"
    # The shell makes the file a moment before it writes: only a whole line is the signal.
    wait_until(lambda: note.exists() and note.read_text().endswith("\n"), message="the signal arrived")
    assert note.read_text() == "soft\n"


@pytest.mark.parametrize(("killed", "silence"), [(True, 45.0), (False, 450.0)])
def test_silence_of_the_store_ends_only_what_could_be_doubled(ward: Ward, killed: bool, silence: float) -> None:
    seen = ward.body(POLITE, kill_on_outage=killed)
    ward.pass_seconds(silence - 0.1)
    assert ward.slots.state(0) is SlotState.BODY
    ward.pass_seconds(0.1)
    assert (ward.slots.state(0) is SlotState.TAKEN) == killed
    if killed:
        ending = ward.look_until_buried().ending
        assert ending is not None
        assert ending.reason == "store_outage"
    else:
        assert lives(seen.pid)


def test_silence_before_the_claim_does_not_count(ward: Ward) -> None:
    ward.pass_seconds(100)
    ward.body(POLITE, kill_on_outage=True, started=100.0)
    ward.pass_seconds(44.9)
    assert ward.slots.state(0) is SlotState.BODY
    ward.pass_seconds(0.1)
    assert ward.slots.state(0) is SlotState.TAKEN


def test_a_guard_that_stood_still_lets_a_beat_come_first(ward: Ward) -> None:
    seen = ward.body(POLITE, kill_on_outage=True)
    ward.sleep_through(500)
    ward.pass_seconds(0.9)
    assert ward.slots.state(0) is SlotState.BODY
    ward.guard.heard = ward.clock.monotonic()
    ward.pass_seconds(44.5)
    assert ward.slots.read(0) == seen


def test_without_a_beat_after_waking_silence_counts_however_often_it_stands_still(ward: Ward) -> None:
    ward.body(POLITE, kill_on_outage=True)
    ward.sleep_through(500)
    ward.sleep_through(1.1)
    assert ward.slots.state(0) is SlotState.TAKEN


@pytest.mark.parametrize("prepare", [lambda guard: None, lambda guard: setattr(guard, "hurried", True)])
def test_at_the_end_of_the_drain_time_what_runs_is_ended(ward: Ward, prepare: Callable[[Guard], None]) -> None:
    ward.body(POLITE)
    ward.guard.give_up_at = 30.0
    prepare(ward.guard)
    ward.pass_seconds(29.9)
    assert ward.slots.state(0) is SlotState.BODY
    ward.pass_seconds(0.1)
    ending = ward.look_until_buried().ending
    assert ending is not None
    assert ending.reason == "worker_shutdown"


def test_a_pool_without_processes_is_never_signalled(ward: Ward) -> None:
    ward.slots.write(1, Occupant(SlotState.BODY, 6, 1, "m" * 32, os.getpid(), hard=1.0, soft=0.5))
    ward.guard.stop("m" * 32, Ending(State.CANCELLED))
    ward.pass_seconds(100)
    assert ward.slots.state(1) is SlotState.BODY
    assert ward.guard.verdicts.empty()


def test_a_body_that_ended_between_two_looks_at_its_slot_is_no_loss(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = ward.body("exit 0")
    ward.started[0].wait()
    ward.slots.write(0, Occupant(pid=seen.pid))
    monkeypatch.setattr(ward.slots, "busy", lambda: [0])  # what the first look saw
    ward.guard.look()
    assert ward.guard.verdicts.empty()


def test_nobody_asks_for_the_offspring_of_the_whole_machine() -> None:
    with pytest.raises(ValueError, match="no process"):
        processes.offspring(0)
