"""Owns the tables of the overview on a terminal: their titles, columns and rows. It never counts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from celsched.cli.output import Column, Kind, Table
from celsched.cli.stats_rows import FAILURES, RATE, row
from celsched.operations.stats import Overview

_LISTED = 10
_RUNS = Column("runs", kind=Kind.NUMBER)
_WORSE = (Column("timed_out", kind=Kind.NUMBER, rank=2), Column("lost", kind=Kind.NUMBER, rank=2))
_FAILING = (Column("name"), _RUNS, FAILURES, RATE, *_WORSE)
_QUEUES = (Column("queue_name", "queue"), _RUNS, FAILURES, RATE, *_WORSE)
_SLOW = (Column("name"), _RUNS, Column("mean", kind=Kind.DURATION), Column("max", kind=Kind.DURATION))
_SKIPPING = (Column("name"), Column("skipped", kind=Kind.NUMBER), Column("reasons", rank=1))
_SLOTS = (
    Column("minute", kind=Kind.WORD),
    Column("executions", kind=Kind.NUMBER),
    Column("days", kind=Kind.NUMBER),
    Column("most", kind=Kind.NUMBER),
    Column("most_at", "most at", Kind.WALL, rank=1),
    Column("lateness_mean", "late on average", Kind.DURATION),
    Column("lateness_max", "at most", Kind.DURATION),
)
_COMING = (Column("name", "schedule"), Column("task", rank=1), Column("at", kind=Kind.TIME))
Rows = Sequence[Mapping[str, Any]]


def tables(found: Overview) -> Iterator[tuple[str, Table]]:
    """Yield each table that has rows, with its title."""
    for title, columns, rows in _parts(found):
        if rows:
            more = f" (the first {_LISTED} of {len(rows)})" if len(rows) > _LISTED and columns is not _SLOTS else ""
            yield title + more, Table(columns, rows[:_LISTED] if more else rows)


def _parts(found: Overview) -> Iterator[tuple[str, tuple[Column, ...], Rows]]:
    # One task or one queue is the whole, which stands above already.
    if len(found.tasks) > 1:
        yield "By task", _FAILING, [row(*part) for part in found.tasks]
    if len(found.queues) > 1:
        yield "By queue", _QUEUES, [_queue(*part) for part in found.queues]
    yield "Most failures", _FAILING, [row(one.subject, one.outcomes) for one in found.failing]
    yield (
        "Slowest",
        _SLOW,
        [{"name": one.subject.name, "runs": one.runs, "mean": one.mean, "max": one.max} for one in found.slowest],
    )
    yield (
        "Most skipped",
        _SKIPPING,
        [{"name": one.subject.name, "skipped": one.skipped, "reasons": said(one.reasons)} for one in found.skipping],
    )
    yield (
        "Busiest minutes of the day",
        _SLOTS,
        [{column.key: getattr(one, column.key) for column in _SLOTS} for one in found.slots],
    )
    yield "Next", _COMING, [{"name": one.schedule, "task": one.task, "at": one.at} for one in found.coming]


def _queue(name: str, sums: Any) -> dict[str, Any]:
    keys = ("runs", "failures", "success_rate", "timed_out", "lost")
    return {"queue_name": name} | {key: getattr(sums, key) for key in keys}


def said(reasons: Mapping[str, int]) -> str:
    """Return reasons with their counts, in words."""
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
