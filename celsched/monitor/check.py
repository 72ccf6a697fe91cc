"""Owns one look of the watcher: facts in, alerts opened or resolved. It never sends a notification."""

import logging
from dataclasses import dataclass

from celsched.clock import Clock
from celsched.domain.health import Severity, Thresholds, examine
from celsched.store import alerts, health
from celsched.store.alerts import StoredAlert
from celsched.store.store import Store, Tx

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What is wrong now."""

    firing: list[StoredAlert]

    def at_least(self, severity: Severity) -> list[StoredAlert]:
        """Return the firing alerts of this severity or worse."""
        return [alert for alert in self.firing if alert.severity.rank >= severity.rank]


class Watcher:
    """Looks at the store again and again; several may watch the same one."""

    def __init__(self, store: Store, clock: Clock, limits: Thresholds) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits

    def run_once(self) -> CheckResult:
        """Look once; log each alert that opens or resolves; raise what the store raises."""

        def work(tx: Tx) -> tuple[alerts.Flips, list[StoredAlert]]:
            now = self._clock.now()
            findings = examine(health.facts(tx, now), self._limits, now)
            flips = alerts.settle(tx, findings, now)
            return flips, alerts.living(tx)

        flips, firing = self._store.write(work)
        for alert in flips.opened:
            log.warning(
                "alert %d %s: %s", alert.id, alert.kind, alert.summary, extra={"action": "alert", "alert": alert.id}
            )
        for alert in flips.resolved:
            log.info("alert %d %s of %r is over", alert.id, alert.kind, alert.subject, extra={"action": "alert_over"})
        return CheckResult(firing)
