"""What people do with alerts, run again as if the reply to its first COMMIT had been lost: done and audited once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from celsched.domain.health.kinds import AlertKind
from celsched.domain.silencing import Matchers
from celsched.operations import alerts as operations
from celsched.operations.scope import Scope
from celsched.store import alerts, silences
from celsched.store.store import Store
from celsched.store.tables_watch import audit
from tests.store.messages import find, settle
from tests.support.clock import ManualClock
from tests.support.deaf import Deaf
from tests.support.factories import scope_of


@pytest.fixture
def deaf(store: Store) -> Scope:
    """A person at a store with one open alert and one silence."""
    settle(store, find(AlertKind.MISSED))
    operations.silence(scope_of(store), Matchers(queue="reports"), store.clock.now() + timedelta(hours=1), "work")
    assert isinstance(store.clock, ManualClock)
    store.clock.advance(timedelta(seconds=1))
    return scope_of(Deaf(store.engine, store.dialect, clock=store.clock))


def _deeds(store: Store) -> list[str]:
    return list(store.read(lambda tx: tx.scalars(select(audit.c.action).order_by(audit.c.id))))


def test_an_alert_is_acknowledged_and_resolved_once(store: Store, deaf: Scope) -> None:
    (alert,) = store.read(alerts.living)
    operations.acknowledge(deaf, [alert.id])
    (resolved,) = operations.resolve(deaf, [alert.id], "mended")
    assert resolved.state == "resolved"
    assert _deeds(store) == ["silence", "acknowledge", "resolve"]


def test_a_silence_is_made_and_ended_once(store: Store, deaf: Scope) -> None:
    made, _ = operations.silence(deaf, Matchers(subject="*"), deaf.now() + timedelta(hours=1), "more work")
    assert operations.unsilence(deaf, made.id).ends_at < deaf.now()
    assert len(store.read(silences.every)) == 2
    assert _deeds(store) == ["silence", "silence", "unsilence"]
