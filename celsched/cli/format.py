"""Owns how single values read for people: times, lengths, shares, sizes, sparklines. Pure, and never for machines."""

import math
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from celsched.timing.zone import zone

_BARS = "▁▂▃▄▅▆▇█"
_STEPS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_TOLD = (("s", 1, 60), ("min", 60, 60), ("h", 3_600, 24), ("d", 86_400, 1_000))
_FAR = timedelta(days=60)


def relative(instant: datetime, now: datetime, zone_key: str = "UTC") -> str:
    """Return `in 3 h`, `5 min ago`, `now`; a date in the zone where it is over 60 days away.

    Rounded, not cut: of what was just asked for 2 h nobody wants to read that it ends in 1 h.
    """
    distance = instant - now
    if abs(distance) > _FAR:
        return f"{instant.astimezone(zone(zone_key)):%Y-%m-%d}"
    seconds = abs(distance).total_seconds()
    if seconds < 1:
        return "now"
    amount, unit = next((round(seconds / size), unit) for unit, size, most in _TOLD if round(seconds / size) < most)
    return f"in {amount} {unit}" if distance > timedelta(0) else f"{amount} {unit} ago"


def wall(instant: datetime, zone_key: str = "UTC") -> str:
    """Return the wall time in the zone, to the second, with the zone's abbreviation or offset."""
    local = instant.astimezone(zone(zone_key))
    return f"{local:%Y-%m-%d %H:%M:%S %Z}"


def duration(length: timedelta) -> str:
    """Return two units at most: `340 ms`, `1.2 s`, `2 min 5 s`, `3 d 4 h`."""
    seconds = length.total_seconds()
    if seconds < 0:
        return f"-{duration(-length)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for (unit, size), (smaller, small) in pairwise(_STEPS):
        if whole >= size:
            amount, rest = whole // size, whole % size // small
            return f"{amount} {unit} {rest} {smaller}" if rest else f"{amount} {unit}"
    return f"{whole} s"


def percent(share: float) -> str:
    """Return a share of 1 as `97.5 %`; never `100 %` for less than all, nor `0 %` for more than none."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return "99.9 %"
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def size(amount: int) -> str:
    """Return bytes as `512 B`, `12.5 MiB`."""
    if amount < 1024:
        return f"{amount} B"
    power = min(int(math.log(amount, 1024)), 5)
    return f"{amount / 1024**power:.1f}".removesuffix(".0") + f" {' KMGTP'[power]}iB"


def sparkline(values: Iterable[float | None]) -> str:
    """Return one bar per value, scaled from 0 to the largest; a space where there is none."""
    found = list(values)
    largest = max((value for value in found if value is not None), default=0)
    return "".join(" " if value is None else _bar(value, largest) for value in found)


def _bar(value: float, largest: float) -> str:
    if largest <= 0 or value <= 0:
        return _BARS[0]
    return _BARS[min(len(_BARS) - 1, math.ceil(value / largest * (len(_BARS) - 1)))]


def printable(text: str) -> str:
    """Return the text with control characters shown as escapes, so that no stored text can steer a terminal.

    Line feeds and tabs stay; joiners, which Persian needs, do too.
    """
    if text.isprintable():
        return text
    return "".join(character if _harmless(character) else _escape(character) for character in text)


def one_line(text: str) -> str:
    """Return the text without tabs, line breaks and control characters; `\\` escapes make it reversible."""
    plain = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return printable(plain)


def _harmless(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cs"}


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
