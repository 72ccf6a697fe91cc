"""Judges for how long a sign of life has not changed, by time that was really watched. It never reads store or clock.

A sign is compared with itself only, so clocks of several machines, and clocks that step, do not matter; after an outage
of the store, or a pause of this process, one look adds at most `longest_step` (reliability.md, pitfall 5).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Watched:
    sign: object
    silent: float


class Silence:
    """Remembers, per key, for how many seconds its sign was the same. Who is not in a look is forgotten."""

    def __init__(self, longest_step: float) -> None:
        self._longest_step = longest_step
        self._last_look: float | None = None
        self._interrupted = False
        self._watched: dict[str, _Watched] = {}

    def look(
        self, signs: Mapping[str, object], monotonic: float, before: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Take a look at this monotonic second; return the seconds of silence of each key.

        `before`: the silence of those that are there at the very first look, as far as it is known.
        """
        first = self._last_look is None
        step = 0.0
        if self._last_look is not None and not self._interrupted:
            step = min(max(0.0, monotonic - self._last_look), self._longest_step)
        self._last_look, self._interrupted = monotonic, False
        known = dict(before or {}) if first else {}
        self._watched = {key: self._next(key, sign, step, known.get(key, 0.0)) for key, sign in signs.items()}
        return {key: one.silent for key, one in self._watched.items()}

    def interrupt(self, at_most: float) -> None:
        """Note that since the last look nobody could give a sign: that time does not count, and of the silence before
        it only `at_most` seconds, so that who lives has the rest of its patience to say so."""
        self._interrupted = True
        for one in self._watched.values():
            one.silent = min(one.silent, at_most)

    def _next(self, key: str, sign: object, step: float, known: float) -> _Watched:
        seen = self._watched.get(key)
        if seen is None or seen.sign != sign:
            return _Watched(sign, max(0.0, known))
        return _Watched(sign, seen.silent + step)
