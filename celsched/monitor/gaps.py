"""Owns how the log tells of what could not be done: each place once, with its traceback, and its end. It mends nothing.

A place that fails at every look must not fill the log, nor may it be forgotten when it fails in another way.
"""

import logging
from collections.abc import Sequence

from celsched.domain.health.gap import Gap

log = logging.getLogger(__name__)


class GapLog:
    """Remembers what was said; for one loop only. `rest` are the words for what goes on meanwhile."""

    def __init__(self, rest: str) -> None:
        self._rest = rest
        self._said: dict[str, str] = {}

    def tell(self, gaps: Sequence[Gap]) -> None:
        """Say what is new among the gaps of this turn, and what is mended since the last one."""
        for gap in gaps:
            if not gap.told and self._said.get(gap.place) != gap.why:
                words = ("could not %s: %s; %s", gap.place, gap.why, self._rest)
                log.error(*words, extra={"action": "gap"}, exc_info=gap.error)
        present = {gap.place: gap.why for gap in gaps}
        for place in self._said.keys() - present.keys():
            log.info("could %s again", place, extra={"action": "gap_over"})
        self._said = present
