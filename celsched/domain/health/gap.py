"""Owns the record of what a look, or a plan of messages, could not do while the rest went on. It mends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Gap:
    """One place that failed: `place` in words that follow "could not", such as `judge missed`.

    `told`: whoever met it has logged it already. `key`: of a row that could not be read.
    """

    place: str
    error: Exception
    told: bool = False
    key: object = None

    @property
    def why(self) -> str:
        """What went wrong there, in one line."""
        said = str(self.error).strip().splitlines()
        return f"{type(self.error).__name__}: {said[0]}" if said else type(self.error).__name__


def summary(gaps: Sequence[Gap]) -> str | None:
    """Return which places failed, None for none. What is said of errors stays in the log: this is shown to many."""
    places = sorted({gap.place for gap in gaps})
    more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    return f"could not {', '.join(places[:_LISTED])}{more}" if places else None
