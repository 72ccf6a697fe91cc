"""Owns the daemon's look at watchers: whoever watches everything else cannot tell its own death.

It opens that one alert; the look of a watcher that comes back resolves it. Where none ever came it says nothing.
"""

import logging
from datetime import timedelta

from celsched.clock import Clock
from celsched.domain.health.judge import examine
from celsched.domain.health.look import Look
from celsched.domain.health.machine_facts import MachineFacts
from celsched.domain.health.watched import RuleBook
from celsched.domain.silence import Silence
from celsched.monitor.gaps import GapLog
from celsched.monitor.observe import heard, hidden
from celsched.store import alerts, watch_machine
from celsched.store.store import Store

log = logging.getLogger(__name__)


class WatcherCheck:
    """Looks whether a watcher that was there still reports; `heartbeat` is how often instances do."""

    def __init__(self, store: Store, clock: Clock, *, rules: RuleBook, heartbeat: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._heartbeat = heartbeat
        self._silence = Silence(2 * heartbeat.total_seconds())
        self._gaps = GapLog("this daemon cannot tell whether a watcher lives")

    def run_once(self) -> None:
        """Look once; log what failed to be judged; raise what the store raises."""
        now, moment = self._clock.now(), self._clock.monotonic()
        seen = self._store.read(lambda tx: watch_machine.everybody(tx, now))
        watchers = heard(self._silence, [one for one in seen.of("watcher") if one.stopped_at is None], now, moment)
        unread = hidden(seen.unread, watchers, self._heartbeat)
        machine = MachineFacts(watchers=watchers, watcher_stopped_at=seen.watcher_stopped_at)
        look = Look(now, self._heartbeat, rules=self._rules, machine=machine, unread=unread)
        judgement = examine(look)
        findings = judgement.findings
        self._gaps.tell(judgement.gaps())
        if findings:
            settled = self._store.write(lambda tx: alerts.settle(tx, findings, (), now, self._clock.now()))
            for alert in settled.opened:
                said = {"action": "alert", "alert": alert.id}
                log.warning("alert %d %s: %s", alert.id, alert.kind, alert.summary, extra=said)
