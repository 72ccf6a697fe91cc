"""Owns which keys and columns the reports have; for machines they are a contract. It never queries."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from celsched.cli import format as human
from celsched.cli.output import Column, Kind
from celsched.domain.report import DayCount, Outcomes, Percentiles, rate
from celsched.operations.breakdown import Subject
from celsched.operations.stats import Overview, Performance

_BARS = 31
"""A sparkline on a terminal shows so many days at most, the newest."""


def _rate_style(value: object) -> str | None:
    if not isinstance(value, float):
        return None
    return "green" if value >= 0.99 else "yellow" if value >= 0.9 else "red"


def _bad_style(value: object) -> str | None:
    return "red" if value else "dim"


RATE = Column("success_rate", "success", Kind.PERCENT, style=_rate_style)
FAILURES = Column("failures", kind=Kind.NUMBER, style=_bad_style)

EYES = (
    Column("name"),
    Column("runs", kind=Kind.NUMBER),
    RATE,
    Column("duration_p50", "took p50", Kind.DURATION),
    Column("duration_p95", "p95", Kind.DURATION),
    Column("duration_p99", "p99", Kind.DURATION, rank=2),
    Column("duration_max", "max", Kind.DURATION, rank=3),
    Column("wait_p95", "wait p95", Kind.DURATION, rank=5),
    Column("lateness_p95", "late p95", Kind.DURATION, rank=4),
    Column("attempts_per_run", "tries", Kind.NUMBER, rank=6),
    Column("cpu_seconds", "cpu s", Kind.NUMBER, rank=8),
    Column("peak_memory_bytes", "memory", Kind.SIZE, rank=7),
    Column("skipped", kind=Kind.NUMBER, rank=6),
    Column("bars", "per day", Kind.WORD, rank=9),
    Column("bad_bars", "failures", Kind.WORD, rank=10, style=_bad_style),
)
"""The columns of performance on a terminal; lengths without a word are durations."""

_RANKS = ("p50", "p95", "p99", "max")
_LENGTHS = ("duration", "wait", "lateness")


def columns() -> list[Column]:
    """Return the columns of performance for machines."""
    keys = [*_subject(Subject("", "")), *_outcomes(Outcomes())]
    keys += [f"{length}_{rank}" for length in _LENGTHS for rank in _RANKS]
    keys += ["attempts", "cpu_seconds", "peak_memory_bytes", "per_day", *_previous(Outcomes())]
    return [Column(key) for key in keys]


def machine_row(one: Performance) -> dict[str, Any]:
    """Return a subject's row for machines."""
    return _numbers(one) | {"per_day": _days(one.per_day)} | _previous(one.previous)


def eyes_row(one: Performance, *, mark_tasks: bool) -> dict[str, Any]:
    """Return a subject's row for a terminal; `mark_tasks` tells a task among schedules."""
    found = _numbers(one)
    rounded = {key: None if found[key] is None else round(found[key], 2) for key in ("attempts_per_run", "cpu_seconds")}
    remarks = [" (task)"] if mark_tasks and one.subject.kind == "task" else []
    remarks += [" (deleted)"] if one.subject.deleted else []
    name = "".join((one.subject.name, *remarks))
    return found | rounded | {"name": name, "bars": bars(one.per_day), "bad_bars": bad_bars(one.per_day)}


def _numbers(one: Performance) -> dict[str, Any]:
    found = row(one.subject, one.outcomes) | asdict(one.usage)
    for length in _LENGTHS:
        values: Percentiles = getattr(one.lengths, length)
        found |= {f"{length}_{rank}": getattr(values, rank) for rank in _RANKS}
    return found


def _previous(sums: Outcomes) -> dict[str, Any]:
    return {
        "previous_runs": sums.runs,
        "previous_failures": sums.failures,
        "previous_success_rate": sums.success_rate,
        "previous_skipped": sums.skipped,
    }


def row(subject: Subject, outcomes: Outcomes) -> dict[str, Any]:
    """Return who it is and how its executions ended."""
    return _subject(subject) | _outcomes(outcomes)


def machine_fields(found: Overview) -> list[tuple[Column, Any]]:
    """Return the fields of the overview for machines."""
    window = found.window
    values: dict[str, Any] = {"since": window.since, "until": window.until, "timezone": window.zone}
    before = found.previous_window
    values |= _outcomes(found.outcomes) | {
        "shares": {name: rate(getattr(found.outcomes, name), found.outcomes.decided) for name in _STATES},
        "previous": {"since": before.since, "until": before.until} | _outcomes(found.previous),
        "causes": {cause.value: count for cause, count in found.causes.items()},
        "skipped_reasons": dict(found.skipped),
        "per_day": _days(found.per_day),
        "tasks": [row(*part) for part in found.tasks],
        "queues": [{"queue_name": queue} | _outcomes(sums) for queue, sums in found.queues],
        "failing": [row(one.subject, one.outcomes) for one in found.failing],
        "slowest": [
            _subject(one.subject) | {"runs": one.runs, "mean": one.mean, "max": one.max} for one in found.slowest
        ],
        "most_skipped": [
            _subject(one.subject) | {"skipped": one.skipped, "reasons": dict(one.reasons)} for one in found.skipping
        ],
        "slots": [asdict(one) for one in found.slots],
        "live": asdict(found.live),
        "due": found.due,
        "next": [{"schedule": one.schedule, "task": one.task, "at": one.at} for one in found.coming],
    }
    return [(Column(key), value) for key, value in values.items()]


def eyes_fields(found: Overview) -> list[tuple[Column, Any]]:
    """Return the fields of the overview for a terminal."""
    sums = found.outcomes
    fields = [
        (Column("since", kind=Kind.WALL), found.window.since),
        (Column("until", kind=Kind.WALL), found.window.until),
        (Column("runs", kind=Kind.NUMBER), sums.runs),
        (RATE, sums.success_rate),
        (Column("previous", "the same time before"), _compared(found)),
        (Column("ended"), _counts({key: getattr(sums, key) for key in _STATES})),
        (Column("retries", kind=Kind.NUMBER), sums.retries),
        (Column("cause"), _counts({cause.value: count for cause, count in found.causes.items()})),
        (Column("skipped", "skipped fire times"), _counts(found.skipped)),
        (Column("now"), _counts(asdict(found.live) | {"schedules due": found.due})),
    ]
    if len(found.per_day) > 1 and sums.runs:
        fields.append(
            (Column("per_day", "runs per day", kind=Kind.WORD), f"{bars(found.per_day)}  {_span(found.per_day)}")
        )
        fields.append(
            (Column("failures", "failures per day", kind=Kind.WORD, style=_bad_style), bad_bars(found.per_day) or None)
        )
    return fields


def _compared(found: Overview) -> str:
    """Return what happened in the window before, and by how much it is more or less now."""
    now, past = found.outcomes, found.previous
    if not past.runs:
        return f"no runs, {past.skipped:,} skipped fire times" if past.skipped else "nothing"
    rates = [sums.success_rate for sums in (now, past)]
    words = [f"{past.runs:,} runs ({now.runs / past.runs - 1:+.0%})", f"{past.failures:,} failures"]
    if rates[0] is not None and rates[1] is not None:
        words.append(f"success {human.percent(rates[1])} ({(rates[0] - rates[1]) * 100:+.1f} points)")
    return ", ".join(words)


def bars(days: Iterable[DayCount]) -> str:
    """Return runs per day."""
    return human.sparkline([day.succeeded + day.failed for day in days][-_BARS:])


def bad_bars(days: Iterable[DayCount]) -> str:
    """Return failures per day, blank where there was none; nothing where there were none at all."""
    return human.sparkline([day.failed or None for day in days][-_BARS:]).rstrip()


_STATES = ("succeeded", "failed", "timed_out", "lost", "cancelled", "expired", "skipped")


def _counts(counts: Mapping[str, int]) -> str | None:
    said = [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count]
    return ", ".join(said) or None


def _span(days: tuple[DayCount, ...]) -> str:
    shown = days[-_BARS:]
    return (
        f"{shown[0].date:%m-%d} to {shown[-1].date:%m-%d}, at most {max(d.succeeded + d.failed for d in shown):,} a day"
    )


def _subject(subject: Subject) -> dict[str, Any]:
    return {"kind": subject.kind, "name": subject.name, "deleted": subject.deleted}


def _outcomes(sums: Outcomes) -> dict[str, Any]:
    rates = {"success_rate": sums.success_rate, "attempts_per_run": sums.attempts_per_run}
    return {"runs": sums.runs, "failures": sums.failures} | asdict(sums) | rates


def _days(days: Iterable[DayCount]) -> list[dict[str, Any]]:
    return [asdict(day) | {"date": day.date.isoformat(), "success_rate": day.success_rate} for day in days]
