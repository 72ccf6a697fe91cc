"""Owns one look of the watcher: facts in, alerts opened or resolved. It never sends a notification.

What fails inside a look is told with its result, and the rest goes on; what the store raises ends the look.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from celsched.clock import Clock
from celsched.domain.health.explained import explained, unexplained
from celsched.domain.health.finding import Finding
from celsched.domain.health.gap import Gap
from celsched.domain.health.judge import examine
from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.health.look import Look
from celsched.domain.health.troubles import JUDGES as TROUBLES
from celsched.domain.health.watched import Living, RuleBook, Trouble
from celsched.domain.options import Layer
from celsched.monitor.observe import Observer, Surroundings
from celsched.store import alerts, watch_schedules
from celsched.store.alert_memory import AlertMemory
from celsched.store.alerts import StoredAlert
from celsched.store.edits import EditReader
from celsched.store.last_failures import last_failures
from celsched.store.readable import attempt
from celsched.store.store import Store, Tx

log = logging.getLogger(__name__)
_FIRST = timedelta(days=7)
"""How far back the first look searches for what went wrong: nobody may have watched over a long weekend."""
_AGAIN = timedelta(minutes=10)
"""How far each later one overlaps the one before: for commits that came late, and clocks that disagree."""
_EXPLAIN = "say what failed last"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What is wrong now, and what the look could not do: with a gap in it, it is no proof that nothing is wrong."""

    firing: Sequence[StoredAlert]
    gaps: Sequence[Gap] = ()

    def at_least(self, severity: Severity) -> list[StoredAlert]:
        """Return the firing alerts of this severity or worse."""
        return [alert for alert in self.firing if alert.severity.rank >= severity.rank]


class Watcher:
    """Looks at the store again and again; several may watch the same one.

    `heartbeat`: how often instances report; `settings`: the layer of options below all definitions; `around`: what it
    looks at besides the store.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        rules: RuleBook,
        heartbeat: timedelta,
        settings: Layer,
        around: Surroundings | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._heartbeat = heartbeat
        self._memory = AlertMemory()
        self._edits = EditReader()
        self._roster = watch_schedules.Roster(rules, settings)
        self._observer = Observer(around or Surroundings(), heartbeat)
        self._looked_at: datetime | None = None

    def run_once(self) -> CheckResult:
        """Look once; log each alert that opens or resolves; raise what the store raises."""
        self._store.refresh_clock()
        now = self._clock.now()
        self._observer.begin(self._clock.monotonic())
        try:
            look, gaps = self._store.read(lambda tx: self._look(tx, now))
        except Exception:
            self._observer.failed()
            raise
        judgement = examine(look)
        gaps += judgement.gaps()
        findings, judged = self._explained(look, judgement.findings, gaps), judgement.judged(look)

        def work(tx: Tx) -> alerts.Flips:
            return alerts.settle(tx, findings, judged, now, self._clock.now(), self._memory.known)

        quiet = not findings and not look.living
        flips = alerts.Flips((), ()) if quiet else self._store.write(work)
        self._memory.known = flips.known
        if TROUBLES.keys().isdisjoint(judgement.failed):  # else the next look begins where this one did
            self._looked_at = now
        self._observer.end(now, judgement.failed)
        _tell(flips)
        return CheckResult(flips.firing, gaps)

    def _explained(self, look: Look, findings: list[Finding], gaps: list[Gap]) -> list[Finding]:
        """Return the findings with what failed last; as they are, and a gap more, where that cannot be said."""
        try:
            wanted = unexplained(look, findings)
        except Exception as error:  # words that are missing must not keep the finding away
            gaps.append(Gap(_EXPLAIN, error))
            return findings
        unread: dict[str, Exception] = {}
        read = attempt(
            lambda: self._store.read(lambda tx: last_failures(tx, wanted)) if wanted else {}, [_EXPLAIN], unread
        )
        gaps += [Gap(place, error) for place, error in unread.items()]
        try:
            return explained(look, findings, read or {})
        except Exception as error:  # likewise
            gaps.append(Gap(_EXPLAIN, error))
            return findings

    def _look(self, tx: Tx, now: datetime) -> tuple[Look, list[Gap]]:
        gaps: list[Gap] = []
        lost: list[Gap] = []
        unread: dict[AlertKind, Exception] = {}
        living, schedules = self._memory.look(tx, gaps), self._roster.look(tx, lost)
        edited = attempt(lambda: self._edits.look(tx), [AlertKind.CONFIG_DRIFT], unread)
        troubles = attempt(lambda: self._troubles(tx, now, living.values()), TROUBLES, unread)
        look = Look(
            now=now,
            heartbeat=self._heartbeat,
            schedules=schedules,
            troubles=troubles[0] if troubles else (),
            started=watch_schedules.started(tx),
            task_successes=troubles[1] if troubles else {},
            living=living,
            rules=self._rules,
            edited=edited or (),
            unread=unread,
            unknown=frozenset(gap.key for gap in lost if isinstance(gap.key, int)),
        )
        return self._observer.facts(tx, look, gaps), gaps + lost

    def _troubles(
        self, tx: Tx, now: datetime, living: Iterable[Living]
    ) -> tuple[list[Trouble], dict[int, datetime | None]]:
        since = now - _FIRST if self._looked_at is None else max(self._looked_at - _AGAIN, now - _FIRST)
        troubles = watch_schedules.troubles(tx, since)
        return troubles, watch_schedules.task_successes(tx, troubles, living)


def _tell(flips: alerts.Flips) -> None:
    for alert in flips.opened:
        level = logging.INFO if alert.severity is Severity.INFO else logging.WARNING
        log.log(
            level, "alert %d %s: %s", alert.id, alert.kind, alert.summary, extra={"action": "alert", "alert": alert.id}
        )
    for alert in flips.resolved:
        log.info("alert %d %s of '%s' is over", alert.id, alert.kind, alert.subject, extra={"action": "alert_over"})
