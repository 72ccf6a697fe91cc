"""Owns how instants, lengths and commands read inside sentences; lists have forms of their own. Pure."""

import shlex
from datetime import datetime, timedelta

from celsched.timing.duration import format_duration
from celsched.timing.zone import zone

_MINUTE = timedelta(minutes=1)


def moment(instant: datetime, zone_key: str) -> str:
    """Return the wall time in the zone with its abbreviation or offset: `2026-11-24 02:00 +0330`; seconds if any."""
    local = instant.astimezone(zone(zone_key))
    return f"{local:%Y-%m-%d %H:%M:%S %Z}" if local.second or local.microsecond else f"{local:%Y-%m-%d %H:%M %Z}"


def span(length: timedelta) -> str:
    """Return a length as people say it: `340 ms`, `3.2 s`, `2m5s`, `1d3h`."""
    if length < timedelta(seconds=1):
        return f"{max(length, timedelta(0)) / timedelta(milliseconds=1):.0f} ms"
    if length < _MINUTE:
        return f"{length.total_seconds():.1f}".removesuffix(".0") + " s"
    unit = timedelta(seconds=1) if length < timedelta(hours=1) else _MINUTE
    return format_duration(round(length / unit) * unit)


def command(*words: str | int) -> str:
    """Return a command line of ours that can be pasted into a shell."""
    return shlex.join(["celsched", *(str(word) for word in words)])


def times(count: int, what: str = "fire time") -> str:
    """Return `1 fire time`, `12 fire times`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def sentence(text: str) -> str:
    """Return the text with a capital letter at its start and a full stop at its end."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
