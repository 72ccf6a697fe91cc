"""Owns what a fault excuses: which attempts may be lost by it, and how long an end may go unrecorded.

It is pure, and as narrow as what the run noted allows: a fault excuses those whose own processes it hit, or who need
what was away. It judges nothing.
"""

from collections.abc import Callable, Iterator
from functools import cache

from tests.faults.history import Fault, Row, Try
from tests.faults.reading import Reading

FOR_EVER = 2**63
_STOPPED = 0.75
"""The part of a lease after which a worker that hears nothing of the store stops a body that could be repeated."""


def hit(fault: Fault, one: Try) -> bool:
    """Whether the process of this attempt, or its worker's main process, was killed or stopped."""
    return one.pid in fault.pids or one.worker in fault.pids


def may_be_lost(reading: Reading, one: Try, until: int) -> bool:
    """Whether something ended this attempt, which was recorded as lost at `until`.

    Either a killing fault hit its own processes, or its worker could not give a sign of life for so long that the
    rules demand its end.
    """
    faults = reading.history.faults
    # A worker whose daemon was killed, and that is to stop, notices it a moment later.
    patch = reading.history.limits.patch
    killed = any(fault.kills and hit(fault, one) and fault.touches(one.started, until, patch) for fault in faults)
    return killed or any(_demands_its_end(reading, one, *silence) for silence in _silences(reading, one, until))


def _silences(reading: Reading, one: Try, until: int) -> Iterator[tuple[int, bool, bool]]:
    """Give the times in which it could not beat: how long, whether the store was away, whether it stood still.

    Faults that follow so close that no beat need have come between them count as one.
    """
    patch = reading.history.limits.patch
    chain: list[Fault] = []
    for fault in sorted(reading.history.faults, key=lambda fault: fault.began):
        if not (fault.store or hit(fault, one)) or not fault.touches(one.started, until):
            continue
        if chain and fault.began > max(each.ended for each in chain) + patch:
            yield _length(reading, one, until, chain)
            chain = []
        chain.append(fault)
    if chain:
        yield _length(reading, one, until, chain)


def _length(reading: Reading, one: Try, until: int, chain: list[Fault]) -> tuple[int, bool, bool]:
    limits = reading.history.limits
    first, last = max(one.started, chain[0].began), min(until, max(each.ended for each in chain))
    # The last beat was up to a heartbeat before it, and the next one comes a moment after it.
    length = last - first + limits.heartbeat + limits.patch
    return length, any(each.store for each in chain), any(hit(each, one) for each in chain)


def _demands_its_end(reading: Reading, one: Try, length: int, away: bool, still: bool) -> bool:
    lease = reading.history.limits.lease
    if away and length >= _STOPPED * lease and _stopped_on_outage(reading, one):
        return True
    # Observers count only silence that they could see: time in which the store was away is none. So a lease may run
    # out only where the worker itself stood still for a part of it.
    return still and length >= lease


def _stopped_on_outage(reading: Reading, one: Try) -> bool:
    row = reading.row.get(one.execution)
    planned = None if row is None else reading.planned.get(row.schedule)
    return planned is not None and planned.stopped_on_outage


def activity(reading: Reading) -> Callable[[Row], int]:
    """Return what tells until when an execution may have counted as active, at the latest, when others were skipped.

    That is the last sign of life of its bodies, and what it takes from there to the recorded end: a transaction, or
    for a lost one the lease; longer where a fault kept just that from happening.
    """

    @cache
    def until(number: int) -> int:
        return _active_until(reading, reading.row[number])

    return lambda row: until(row.id)


def _active_until(reading: Reading, row: Row) -> int:
    limits = reading.history.limits
    if row.finished is None:
        return FOR_EVER  # told as unfinished
    key = (row.id, row.attempt)
    run, one = reading.runs.get(key), reading.tries.get(key)
    seen = run.last if run is not None else one.started if one is not None else row.created
    lost = row.state == "lost"
    # A body marks its life several times a second, and its worker beats until it is hit: hence the heartbeat.
    ends = limits.lease + limits.heartbeat + limits.margin if lost else limits.record
    by_bodies = _put_off(reading, one, seen, seen + ends, lost=lost)
    # `finished` is when it ended; until the transaction is through, others don't see it.
    return min(by_bodies, _put_off(reading, one, row.finished, row.finished + limits.record, lost=lost))


def _put_off(reading: Reading, one: Try | None, begin: int, end: int, *, lost: bool) -> int:
    """Return `end`, put off by faults that kept an end from being recorded: an observer begins its lease anew."""
    limits = reading.history.limits
    after = limits.lease + limits.boot if lost else limits.margin
    for fault in sorted(reading.history.faults, key=lambda fault: fault.began):
        # Any process may be the observer of a lost one, or hold a lock while it is stopped.
        slows = fault.store or fault.stops or (lost and bool(fault.pids)) or (one is not None and hit(fault, one))
        if slows and fault.began <= end and fault.ended >= begin:
            end = max(end, fault.ended + after)
    return end
