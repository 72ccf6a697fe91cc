"""Owns what one watcher remembers of the living alerts from look to look, so that only what has changed is parsed.

It never decides about alerts. What is changed by hand without `seen_at` is noticed by the next process only.
"""

from sqlalchemy import Connection

from celsched.domain.health.gap import Gap
from celsched.domain.health.watched import Living
from celsched.store.alert_refresh import Known, living_again
from celsched.store.alert_rows import StoredAlert
from celsched.store.alerts import as_judged


class AlertMemory:
    """The living alerts as the last look left them. `known` are those as the present look has read them."""

    def __init__(self) -> None:
        self.known: Known = {}
        self._judged: dict[int, tuple[StoredAlert, Living]] = {}

    def look(self, tx: Connection, gaps: list[Gap]) -> dict[str, Living]:
        """Read every alert that is not resolved, and return them as judges see them, by fingerprint.

        Those that cannot be read are left out, and added to `gaps`.
        """
        self.known = living_again(tx, self.known, gaps=gaps)
        before, self._judged = self._judged, {}
        for alert in self.known.values():
            was = before.get(alert.id)
            self._judged[alert.id] = was if was is not None and was[0] is alert else (alert, as_judged(alert))
        return {alert.fingerprint: living for alert, living in self._judged.values()}
