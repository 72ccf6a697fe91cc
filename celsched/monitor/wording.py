"""Owns how planned messages get their words, each behind a fence, before anything is written. It queues and sends none.

An alert that cannot be put into words is told in few, among the others of its group, rather than not at all.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from celsched.domain.alert import Alert
from celsched.domain.health.gap import Gap
from celsched.domain.notices import Notice

M = TypeVar("M")


def worded(
    notice: Notice, word: Callable[[Notice], M], now: datetime, gaps: list[Gap], barely: dict[int, Exception]
) -> M | None:
    """Return the message of a notice in words; None, and a gap more, where there are none even without details.

    `barely`: takes the alerts that are told without their details, and why.
    """
    try:
        return word(notice)
    except Exception as error:  # of whatever kind: one alert's words must not hold up the others
        silent = {one.id for one in (*notice.firing, *notice.over) if not _can(word, _alone(notice, one))}
        silent = silent or {one.id for one in (*notice.firing, *notice.over)}
        barely |= dict.fromkeys(silent, error)
    try:
        return word(_without_details(notice, silent, now))
    except Exception as error:  # likewise
        gaps.append(Gap(f"word {notice.incident} for {notice.channel}", error))
        return None


def storable(*texts: str) -> None:
    """Raise ValueError of a text that no database takes: before anything is written."""
    for text in texts:
        text.encode()
        if "\0" in text:
            raise ValueError("there is a NUL in its text")


def _without_details(notice: Notice, silent: set[int], now: datetime) -> Notice:
    def told(alerts: Iterable[Alert]) -> list[Alert]:
        return [_bare(one, now) if one.id in silent else one for one in alerts]

    return replace(notice, firing=told(notice.firing), over=told(notice.over))


def _alone(notice: Notice, alert: Alert) -> Notice:
    firing, over = ([], [alert]) if alert.over else ([alert], [])
    return replace(notice, firing=firing, over=over)


def _can(word: Callable[[Notice], object], notice: Notice) -> bool:
    try:
        word(notice)
    except Exception:  # the same as its caller met
        return False
    return True


def _bare(alert: Alert, now: datetime) -> Alert:
    """Return an alert with what can be worded whatever it holds; `show alert` is the next command of such a one."""
    summary = f'{alert.kind} of "{alert.subject}": the rest of it could not be put into words'
    ended = now if alert.over else None
    return replace(alert, summary=summary, since=now, opened_at=None, resolved_at=ended, evidence={}, labels={})
