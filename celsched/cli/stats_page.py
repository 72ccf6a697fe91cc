"""Owns the page of `celsched stats report`: one file of HTML that needs nothing else. It never counts or queries.

Every text from the store goes through `_cell` or `_text`; there is no script, and no address outside the page.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape

from celsched.cli import format as human
from celsched.cli.stats_style import STYLE
from celsched.cli.stats_tables import said
from celsched.domain.report import DayCount, Percentiles
from celsched.operations.breakdown import Subject
from celsched.operations.stats import Overview, Performance
from celsched.timing.instant import format_instant

_LISTED = 10
"""So many tasks and queues at most."""
_HEADINGS = (
    "Schedule or task", "Runs", "Success", "p50", "p95", "p99", "Max", "Wait p95", "Late p95", "Tries", "CPU", "Memory",
    "Skipped", "Per day",
)  # fmt: skip


def page(overview: Overview, subjects: Sequence[Performance], now: datetime) -> str:
    """Return the whole page; times are shown in the zone of the window."""
    window = overview.window
    since, until, made = (human.wall(instant, window.zone) for instant in (window.since, window.until, now))
    body = "".join(
        (
            f"<header><h1>celsched</h1><p>{_time(window.since, since)} to {_time(window.until, until)}</p></header>",
            _cards(overview),
            _section("Per day", _chart(overview.per_day)),
            f'<div class="columns">{_details(overview)}</div>',
            _section("Performance", _performance(subjects)),
            f"<footer>Made {_text(made)}. {_NOTES} Days are those of {_text(window.zone)}.</footer>",
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>celsched: {_text(since)} to {_text(until)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


_NOTES = (
    "An execution counts when it ended. Success is succeeded / (succeeded + failed + timed out + lost). Percentiles are"
    " exact (nearest rank), of the last attempt of each run; wait is from ready to start, late from due to first start."
)


def _cards(overview: Overview) -> str:
    sums, live = overview.outcomes, overview.live
    rate = sums.success_rate
    cards = (
        ("Success", "-" if rate is None else human.percent(rate), f"of {sums.runs:,} runs{_before(overview)}"),
        ("Failures", f"{sums.failures:,}", f"{sums.timed_out:,} timed out, {sums.lost:,} lost; "
                                           f"{overview.previous.failures:,} before"),
        ("Retries", f"{sums.retries:,}", "attempts after the first"),
        ("Skipped", f"{sums.skipped:,}", f"fire times; {sums.cancelled:,} cancelled, {sums.expired:,} expired"),
        ("Running now", f"{live.running:,}", f"{live.queued:,} queued, {live.pending + live.retrying:,} to come, "
                                             f"{live.waiting:,} waiting"),
    )  # fmt: skip
    made = (f'<div class="card"><h2>{title}</h2><b>{value}</b><p>{note}</p></div>' for title, value, note in cards)
    return f'<div class="cards">{"".join(made)}</div>'


def _before(overview: Overview) -> str:
    past = overview.previous
    return "" if past.success_rate is None else f"; before {human.percent(past.success_rate)} of {past.runs:,}"


def _chart(days: Sequence[DayCount]) -> str:
    largest = max((day.succeeded + day.failed for day in days), default=0)
    if not largest:
        return '<p class="none">Nothing ran.</p>'
    step = -(-len(days) // 12)
    bars = "".join(_bar(day, largest, labelled=n % step == 0) for n, day in enumerate(days))
    legend = '<p class="legend"><i class="good"></i>succeeded <i class="bad"></i>failed, timed out, lost</p>'
    return f'<div class="chart">{bars}</div>{legend}'


def _bar(day: DayCount, largest: int, *, labelled: bool) -> str:
    title = f"{day.date.isoformat()}: {day.succeeded:,} succeeded, {day.failed:,} failed, {day.skipped:,} skipped"
    label = f"<span>{day.date:%m-%d}</span>" if labelled else "<span></span>"
    return f'<div title="{title}"><div class="stack">{_segments(day, largest)}</div>{label}</div>'


def _segments(day: DayCount, largest: int) -> str:
    parts = (("bad", day.failed), ("good", day.succeeded))
    # A day with one failure among thousands must still show it.
    return "".join(f'<i class="{kind}" style="height:max(2px,{count / largest:.2%})"></i>'
                   for kind, count in parts if count)  # fmt: skip


def _details(overview: Overview) -> str:
    failing = [
        (_subject(one.subject), f"{one.outcomes.failures:,}", f"{one.outcomes.runs:,}",
         _percent(one.outcomes.success_rate)) for one in overview.failing
    ]  # fmt: skip
    slow = [
        (_subject(one.subject), f"{one.runs:,}", _length(one.mean), _length(one.max)) for one in overview.slowest
    ]  # fmt: skip
    skipping = [(_subject(one.subject), f"{one.skipped:,}", _text(said(one.reasons))) for one in overview.skipping]
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
        ("Most failures", ("", "Failures", "Runs", "Success"), failing),
        ("Slowest", ("", "Runs", "Mean", "Max"), slow),
        ("Most skipped", ("", "Fire times", "Why"), skipping),
        (_of("By task", len(overview.tasks)), ("", "Runs", "Failures", "Success"), tasks if len(tasks) > 1 else ()),
        (_of("By queue", len(overview.queues)), ("", "Runs", "Failures", "Success"), queues if len(queues) > 1 else ()),
        ("Busiest minutes of the day", ("", "Due", "Days", "Most", "Late", "At most"), busy),
        ("Why fire times were skipped", ("", "Fire times"), skipped),
        ("Why executions exist", ("", "Executions"), causes),
        ("Next", ("", "At"), coming),
    )
    return "".join(_section(title, _table(headings, rows)) for title, headings, rows in parts if rows)


def _of(title: str, count: int) -> str:
    """Return the title; where the table is cut, with how many rows there would be."""
    return f"{title} (the first {_LISTED} of {count})" if count > _LISTED else title


def _performance(subjects: Sequence[Performance]) -> str:
    if not subjects:
        return '<p class="none">No schedule.</p>'
    return f'<div class="wide">{_table(_HEADINGS, map(_performance_row, subjects))}</div>'


def _performance_row(one: Performance) -> tuple[str, ...]:
    took, sums, used = one.lengths, one.outcomes, one.usage
    largest = max((day.succeeded + day.failed for day in one.per_day), default=0) or 1
    bars = "".join(f"<i>{_segments(day, largest)}</i>" for day in one.per_day[-62:])
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
        f'<span class="spark">{bars}</span>',
    )


def _all(values: Percentiles) -> tuple[timedelta | None, ...]:
    return values.p50, values.p95, values.p99, values.max


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _table(headings: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


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
