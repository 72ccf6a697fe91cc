"""Owns one execution in the process that runs it: claim, body, end, each handed over through the slot.

It never decides what the body's outcome is (`body` does) nor when it must stop (the main process does).
"""

import contextlib
import logging
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from celsched.context import Current, Frame, frame
from celsched.domain.execution import Execution, Recipe
from celsched.domain.policy import OnStoreOutage, Overlap
from celsched.errors import CelschedError, StoreUnreachable
from celsched.store import claims, endings, logs
from celsched.store.claims import Claimant, Refusal
from celsched.store.endings import Ended, Ending
from celsched.store.store import FOR_EVER, Tx
from celsched.worker import processes
from celsched.worker.body import perform
from celsched.worker.capture import Recorder, capturing, redirecting
from celsched.worker.interrupts import interruptible
from celsched.worker.ledger import report_progress
from celsched.worker.leftovers import end_leftovers
from celsched.worker.outcome import tell
from celsched.worker.output_files import OutputFiles, files_of
from celsched.worker.runtime import Runtime
from celsched.worker.shipping import Shipper
from celsched.worker.slots import NOTHING_IS_OURS, Marks, Occupant, SlotState
from celsched.worker.usage import Usage

logger = logging.getLogger("celsched.worker")

_PREDECESSOR = 10.0  # seconds to wait until the main process has buried a dead child of this slot
_PATIENCE = 15.0

Claim = Callable[[Tx, Claimant], Execution | Refusal]
Twice = Callable[[Tx], bool]


@dataclass(frozen=True, slots=True)
class _Job:
    """One claim in this process."""

    runtime: Runtime
    index: int
    token: str
    files: OutputFiles


def execute(runtime: Runtime, claim: Claim, *, what: str, task_id: str, twice: Twice | None = None) -> None:
    """Claim by `claim`, run the body, record the end. `what` names the message in the log.

    `twice`: whether what is refused because another holds it, or has ended it, was delivered a second time.

    A refused claim, or a store that cannot be reached, ends quietly: the store publishes again what must run.
    """
    if runtime.slots.draining:
        logger.debug("%s is left: this worker stops", what)
        return
    with runtime.slot() as index:
        job = _Job(runtime, index, uuid4().hex, files_of(runtime.folder, index))
        if not _enter(job):
            logger.warning("%s is left: the slot of a dead child was not cleared", what)
            return
        try:
            execution = _claimed(job, claim, what, twice)
            if execution is not None and execution.recipe is not None:
                runtime.fault("claim.committed")
                _run_or_die(job, execution, execution.recipe, task_id)
        finally:
            with runtime.slots.lock(index):
                if runtime.slots.read(index).token == job.token:
                    runtime.slots.write(index, Occupant(pid=os.getpid()))


def _enter(job: _Job) -> bool:
    """Put the claim into the slot; what a dead predecessor left in it must first be buried by the main process."""
    slots, clock = job.runtime.slots, job.runtime.clock
    until = clock.monotonic() + _PREDECESSOR
    while True:
        with slots.lock(job.index):
            seen = slots.read(job.index)
            if seen.state is SlotState.FREE or seen.pid == os.getpid():
                slots.write(job.index, Occupant(SlotState.CLAIMING, token=job.token, pid=os.getpid()))
                return True
        if clock.monotonic() >= until:
            return False
        clock.wait(threading.Event(), 0.02)


def _claimed(job: _Job, claim: Claim, what: str, twice: Twice | None) -> Execution | None:
    """Claim it; None where it is refused, or where the store does not answer.

    What was claimed after all is then given up by the main process, which finds a claim without a body.
    """
    job.runtime.store.refresh_clock()  # a child may live for days; at most one question each 30 s
    job.runtime.fault("claim.before")
    try:
        found = _asked(job, claim)
        if isinstance(found, Execution):
            return found
        logger.debug("%s is refused: %s", what, found or "this worker stops")
        if found is Refusal.TAKEN and twice is not None and job.runtime.store.read(twice):
            job.runtime.slots.count_duplicate(job.index)  # the store learns of it with the worker's next heartbeat
    except StoreUnreachable as error:
        logger.warning("%s was not claimed: %s", what, error.message)
    return None


def _asked(job: _Job, claim: Claim) -> Execution | Refusal | None:
    """Ask for the claim; a COMMIT may have happened and only its reply be lost: the token says."""
    identity, store = job.runtime.identity, job.runtime.store
    by = Claimant(job.token, identity.id, identity.host, os.getpid())

    def take(tx: Tx) -> Execution | Refusal | None:
        if job.runtime.slots.draining:  # since this transaction began to wait for its turn
            return None
        found = claim(tx, by)
        if not isinstance(found, Refusal):
            job.runtime.fault("claim.taken")
        return found

    def mine(tx: Tx) -> Execution | None:
        return claims.claimed_by(tx, job.token)

    try:
        found = store.write(take, patience=_PATIENCE)
    except StoreUnreachable:
        return store.read(mine, patience=2 * _PATIENCE)
    if found is not Refusal.TAKEN:
        return found
    return store.read(mine, patience=2 * _PATIENCE) or found  # re-run after a lost reply, a claim meets itself


def _run_or_die(job: _Job, execution: Execution, recipe: Recipe, task_id: str) -> None:
    """Run it; a pool process that cannot go on ends with its slot as it is.

    Then the main process finds a claim of the dead, ends what its body left running, and records it. Outside a body
    a SIGTERM comes here as SystemExit: so billiard answers it, for the sake of `finally` blocks.
    """
    try:
        _run(job, execution, recipe, task_id)
    except BaseException as error:
        if job.runtime.index is None:
            raise
        if not isinstance(error, SystemExit):
            logger.exception("execution %d.%d cannot go on in its process, which ends", execution.id, execution.attempt)
        os._exit(1)


def _run(job: _Job, execution: Execution, recipe: Recipe, task_id: str) -> None:
    slots, clock = job.runtime.slots, job.runtime.clock
    began = clock.monotonic()
    # Before the slot says "body": from then on the main process reads these files.
    marks = Marks()
    with slots.output_lock(job.index):
        try:
            job.files.begin()
        except OSError:  # told where the body's output is to be captured
            marks = NOTHING_IS_OURS
    slots.forget_progress(job.index)
    with slots.lock(job.index):
        slots.write(job.index, replace(_occupant(job, execution, recipe, began), marks=marks))
    ending = _body(job, execution, recipe, task_id)
    if not slots.change(job.index, job.token, SlotState.BODY, SlotState.RECORDING):
        # Taken by the main process, which records the end once this process is gone.
        os._exit(0)
    job.runtime.fault("body.ended")
    ended = _record(job, ending)
    job.runtime.fault("end.recorded")
    tell(execution.id, execution.attempt, ended, ending, clock.monotonic() - began, job.runtime.store.clock.now())


def _occupant(job: _Job, execution: Execution, recipe: Recipe, began: float) -> Occupant:
    return Occupant(
        SlotState.BODY,
        execution.id,
        execution.attempt,
        job.token,
        os.getpid(),
        began,
        _seconds(recipe.soft_time_limit),
        _seconds(recipe.time_limit),
        _killed_on_outage(recipe),
    )


def _seconds(limit: timedelta | None) -> float:
    return 0.0 if limit is None else limit.total_seconds()


def _killed_on_outage(recipe: Recipe) -> bool:
    """Whether a second copy could be started while the store is away from us only (pitfall 6)."""
    if recipe.on_store_outage is not OnStoreOutage.AUTO:
        return recipe.on_store_outage is OnStoreOutage.KILL
    return recipe.retry_on_lost > 0 or recipe.overlap in (Overlap.SKIP, Overlap.QUEUE_ONE)


def _body(job: _Job, execution: Execution, recipe: Recipe, task_id: str) -> Ending:
    runtime = job.runtime
    current = Current(execution.id, execution.attempt, execution.fire_time, execution.schedule, execution.task)
    mine = Frame(current, lambda progress: runtime.slots.report(job.index, progress))
    token = frame.set(mine)
    usage = Usage()
    before = processes.children()
    body = f"{runtime.identity.id}/{execution.id}.{execution.attempt}"
    try:
        with interruptible(recipe.soft_time_limit) as stoppable:
            with processes.marked(body, alone=runtime.index is not None), _captured(job, mine):
                ending = perform(execution, recipe, runtime.rules, task_id=task_id, stoppable=stoppable)
            # A request to stop must not end this process meanwhile: what the body left has its grace, and is then gone.
            if runtime.index is not None:
                end_leftovers(before, runtime.settings.kill_grace.total_seconds(), runtime.clock)
    finally:
        frame.reset(token)
    cpu, peak = usage.read()
    return replace(ending, cpu_seconds=cpu, peak_memory_bytes=peak)


@contextlib.contextmanager
def _captured(job: _Job, mine: Frame) -> Iterator[None]:
    """Capture the body's output; where that cannot be set up the body runs all the same."""
    with contextlib.ExitStack() as stack:
        try:
            recorder = Recorder(job.files, job.runtime.rules.redactor, job.runtime.store.clock.now)
            stack.callback(recorder.close)
            alone = job.runtime.index is not None
            stack.enter_context(capturing(recorder, lambda: alone or frame.get() is mine))
            programs = stack.enter_context(redirecting(recorder, job.files)) if alone else None
            trouble: Exception | None = recorder.trouble or programs
        except (OSError, CelschedError) as error:
            trouble = error
        if trouble is not None:
            me = mine.current
            logger.warning("the output of execution %d.%d is not kept: %s", me.execution_id, me.attempt, trouble)
        yield


def _record(job: _Job, ending: Ending) -> Ended | None:
    """Store the rest of the output and the end, in one transaction, again until the store answers."""
    runtime = job.runtime
    store = runtime.store
    with runtime.slots.output_lock(job.index):
        seen = runtime.slots.read(job.index)
        lines, _ = Shipper(runtime.rules.redactor, store.clock.now).collect(job.files, seen, final=True)
    ending, chance = replace(ending, ended_at=store.clock.now()), random.random()
    _, last = runtime.slots.progress(job.index)

    def finish(tx: Tx) -> Ended | None:
        if last is not None:  # what the main process, which looks about once a second, has not seen yet
            report_progress(tx, [(job.token, last)], runtime.rules.redactor)
        return endings.finish(tx, job.token, ending, store.clock.now(), chance=chance)

    def both(tx: Tx) -> Ended | None:
        ended = finish(tx)
        if ended is not None:
            logs.append(tx, lines)
        return ended

    try:
        return store.write(both, patience=FOR_EVER)
    except Exception:  # lines that the database refuses must not cost the end of the execution
        logger.warning("the last %d captured lines could not be stored", len(lines), exc_info=True)
        return store.write(finish, patience=FOR_EVER)
