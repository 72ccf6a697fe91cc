"""Owns the page of `celsched stats report`: one file of HTML that needs nothing else. It never counts or queries.

Every text from the store goes through `_cell` or `_text`; there is no script, and no address outside the page.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape

from celsched.cli import format as human
from celsched.cli.stats_chart import most_on_a_day, runs_per_day, span_of, spark
from celsched.cli.stats_style import STYLE
from celsched.cli.stats_tables import said
from celsched.domain.report import Percentiles
from celsched.operations.breakdown import Subject
from celsched.operations.stats import Overview, Performance
from celsched.timing.instant import format_instant

_SUBJECT = "Schedule or task"
_LISTED = 10
"""So many tasks and queues at most."""
_HEAD = (
    "<thead><tr><th rowspan=2>Schedule or task<th rowspan=2>Runs<th rowspan=2>Success"
    "<th colspan=4 class=group>Duration<th>Wait<th>Late<th rowspan=2>Attempts<br>per run<th rowspan=2>CPU<br>time"
    "<th rowspan=2>Peak<br>memory<th rowspan=2>Skipped<th colspan=2 class=group>Runs per day</tr>"
    "<tr><th>p50<th>p95<th>p99<th>Max<th>p95<th>p95<th>Most<th class=span>{span}</tr></thead>"
)
_WORDS = (
    ("Run", "an execution that succeeded, failed, timed out or was lost; it counts on the day it ended."),
    ("Success", "succeeded runs of all runs. What was cancelled, skipped or has expired says nothing about a task."),
    ("p50, p95, p99", "half, 95 of 100, 99 of 100 took at most so long: exact, by nearest rank, never interpolated."),
    ("Duration", "how long the last attempt of a run took."),
    ("Wait", "from when it could start until it did, of runs that needed one attempt."),
    ("Late", "from when a run was due until its first attempt began."),
    ("Attempts per run", "1.00 where nothing was tried again."),
    ("CPU time, peak memory", "of all attempts together, and of the largest of them."),
    ("Skipped", "fire times that made no execution."),
    ("Runs per day", "in the table each row has a scale of its own: its largest day is the number before it."),
)


def page(overview: Overview, subjects: Sequence[Performance], now: datetime) -> str:
    """Return the whole page; times are shown in the zone of the window."""
    window = overview.window
    since, until, made = (human.wall(instant, window.zone) for instant in (window.since, window.until, now))
    body = "".join(
        (
            f"<header><h1>celsched: what ran, how well and how fast</h1>"
            f"<p>{_time(window.since, since)} to {_time(window.until, until)}</p></header>",
            _cards(overview),
            _section("Runs per day", runs_per_day(overview.per_day, window)),
            f'<div class="columns">{_details(overview)}</div>',
            _section(_each(subjects), _performance(subjects)),
            _section("What the words mean", _words()),
            f"<footer>Made {_text(made)} by celsched. Days and times are those of {_text(window.zone)}.</footer>",
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>celsched: {_text(since)} to {_text(until)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _words() -> str:
    listed = "".join(f"<div><dt>{word}</dt><dd>{meaning}</dd></div>" for word, meaning in _WORDS)
    return f"<dl>{listed}</dl>"


def _cards(overview: Overview) -> str:
    sums, live = overview.outcomes, overview.live
    rate = sums.success_rate
    cards = (
        ("Success", "-" if rate is None else human.percent(rate), f"of {sums.runs:,} runs{_before(overview)}"),
        ("Failures", f"{sums.failures:,}", f"{sums.timed_out:,} of them timed out, {sums.lost:,} lost; "
                                           f"in the same time before: {overview.previous.failures:,}"),
        ("Retries", f"{sums.retries:,}", "attempts of runs after their first"),
        ("Skipped fire times", f"{sums.skipped:,}", f"beside {sums.cancelled:,} cancelled and {sums.expired:,} expired "
                                                    "executions"),
        ("Running now", f"{live.running:,}", f"{live.queued:,} queued, {live.pending + live.retrying:,} to come, "
                                             f"{live.waiting:,} waiting"),
    )  # fmt: skip
    made = (f'<div class="card"><h2>{title}</h2><b>{value}</b><p>{note}</p></div>' for title, value, note in cards)
    return f'<div class="cards">{"".join(made)}</div>'


def _before(overview: Overview) -> str:
    past = overview.previous
    return (
        ""
        if past.success_rate is None
        else f"; in the same time before: {human.percent(past.success_rate)} of {past.runs:,}"
    )


def _details(overview: Overview) -> str:
    failing = [
        (_subject(one.subject), f"{one.outcomes.failures:,}", f"{one.outcomes.runs:,}",
         _percent(one.outcomes.success_rate)) for one in overview.failing
    ]  # fmt: skip
    slow = [
        (_subject(one.subject), f"{one.runs:,}", _length(one.mean), _length(one.max)) for one in overview.slowest
    ]  # fmt: skip
    skipping = [
        (_subject(one.subject), f"{one.skipped:,}", _listed(said(one.reasons))) for one in overview.skipping
    ]  # fmt: skip
    tasks, queues = (
        [(shown, f"{sums.runs:,}", f"{sums.failures:,}", _percent(sums.success_rate)) for shown, sums in part]
        for part in (
            [(_text(subject.name), sums) for subject, sums in overview.tasks[:_LISTED]],
            [(_text(queue), sums) for queue, sums in overview.queues[:_LISTED]],
        )
    )
    busy = [
        (_text(one.minute), f"{one.executions:,}", f"{one.days:,}", f"{one.most:,}", _length(one.lateness_mean),
         _length(one.lateness_max)) for one in overview.slots
    ]  # fmt: skip
    skipped = [(_text(reason), f"{count:,}") for reason, count in overview.skipped.items()]
    causes = [(_text(cause.value), f"{count:,}") for cause, count in overview.causes.items() if count]
    coming = [(_text(one.schedule), _time(one.at, human.wall(one.at, overview.window.zone))) for one in overview.coming]
    parts = (
        ("Most failures", (_SUBJECT, "Failures", "Runs", "Success"), failing),
        ("Slowest", (_SUBJECT, "Runs", "Mean", "Max"), slow),
        ("Most skipped", (_SUBJECT, "Fire times", "Why"), skipping),
        (_of("By task", len(overview.tasks)), ("Task", "Runs", "Failures", "Success"), tasks if len(tasks) > 1 else ()),
        (
            _of("By queue", len(overview.queues)),
            ("Queue", "Runs", "Failures", "Success"),
            queues if len(queues) > 1 else (),
        ),
        ("Busiest minutes of the day", ("Minute", "Due", "Days", "Most a day", "Mean late", "Most late"), busy),
        ("Why fire times were skipped", ("Reason", "Fire times"), skipped),
        ("Why executions exist", ("Cause", "Executions"), causes),
        ("Next fire times", ("Schedule", "At"), coming),
    )
    return "".join(_section(title, _table(headings, rows)) for title, headings, rows in parts if rows)


def _of(title: str, count: int) -> str:
    """Return the title; where the table is cut, with how many rows there would be."""
    return f"{title} (the first {_LISTED} of {count})" if count > _LISTED else title


def _each(subjects: Sequence[Performance]) -> str:
    tasks = bool(subjects) and all(one.subject.kind == "task" for one in subjects)
    return "Each task" if tasks else "Each schedule"


def _performance(subjects: Sequence[Performance]) -> str:
    if not subjects:
        return '<p class="none">No schedule.</p>'
    rows = "".join(f"<tr>{_cells(_performance_row(one))}</tr>" for one in subjects)
    head = _HEAD.format(span=max((span_of(one.per_day) for one in subjects), key=len))
    return f'<div class="wide"><table>{head}<tbody>{rows}</tbody></table></div>'


def _performance_row(one: Performance) -> tuple[str, ...]:
    took, sums, used = one.lengths, one.outcomes, one.usage
    return (
        _subject(one.subject),
        f"{sums.runs:,}",
        _percent(sums.success_rate),
        *(_length(value) for value in _all(took.duration)),
        _length(took.wait.p95),
        _length(took.lateness.p95),
        "-" if sums.attempts_per_run is None else f"{sums.attempts_per_run:.2f}",
        "-" if used.cpu_seconds is None else _length(timedelta(seconds=used.cpu_seconds)),
        "-" if used.peak_memory_bytes is None else human.size(used.peak_memory_bytes),
        f"{sums.skipped:,}",
        f"{most_on_a_day(one.per_day):,}",
        spark(one.per_day),
    )


def _all(values: Percentiles) -> tuple[timedelta | None, ...]:
    return values.p50, values.p95, values.p99, values.max


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _table(headings: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _listed(words: str) -> str:
    """Return a list that is broken only between its parts."""
    unbroken = ", ".join(part.replace(" ", "\u00a0") for part in words.split(", "))
    return f'<span class="prose">{_text(unbroken)}</span>'


def _cells(row: Iterable[str]) -> str:
    return "".join(f"<td>{cell}</td>" for cell in row)


def _subject(subject: Subject) -> str:
    remarks = [word for word, said in (("task", subject.kind == "task"), ("deleted", subject.deleted)) if said]
    return _text(subject.name) + "".join(f" <small>{word}</small>" for word in remarks)


def _text(text: str) -> str:
    """Return a text of the store, harmless, and in its own direction."""
    return f'<bdi dir="auto">{escape(human.printable(text))}</bdi>'


def _time(instant: datetime, shown: str) -> str:
    return f'<time datetime="{format_instant(instant)}">{escape(shown)}</time>'


def _length(length: timedelta | None) -> str:
    return "-" if length is None else human.duration(length)


def _percent(share: float | None) -> str:
    if share is None:
        return "-"
    kind = "good" if share >= 0.99 else "fair" if share >= 0.9 else "bad"
    return f'<span class="rate {kind}">{human.percent(share)}</span>'.replace("<0.1", "&lt;0.1")
