"""An alert that cannot be read is ended by hand all the same; every other command says that it is there."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select, text, update

from celsched.domain.health.kinds import AlertKind
from celsched.errors import Conflict, NotFound
from celsched.operations import alerts as operations
from celsched.operations.scope import Scope
from celsched.store.store import Store
from celsched.store.tables_watch import alerts, audit
from tests.store.messages import find, settle
from tests.support.deaf import Deaf
from tests.support.factories import scope_of

K = AlertKind
POISON: tuple[Mapping[str, Any], ...] = ({"kind": "no_such_kind_yet"}, {"severity": "catastrophic"}, {"labels": 3})


def _spoilt(store: Store, values: Mapping[str, Any]) -> None:
    settle(store, find(K.MISSED, since=store.clock.now()), find(K.NO_NEXT, since=store.clock.now()))
    store.write(lambda tx: tx.execute(update(alerts).where(alerts.c.id == 1).values(**values)))


@pytest.mark.parametrize("values", POISON)
def test_it_is_resolved_by_its_id_with_the_others_and_audited_once(
    store: Store, scope: Scope, values: Mapping[str, Any]
) -> None:
    _spoilt(store, values)
    deaf = scope_of(Deaf(store.engine, store.dialect, clock=store.clock))
    found = operations.resolve(deaf, [1, 2], "حل شد")
    assert sorted((one.id, one.state, one.resolved_by) for one in found) == [
        (number, "resolved", deaf.by.user) for number in (1, 2)
    ]
    lost = next(one for one in found if one.id == 1)
    assert operations.comes_back(lost) is (None if "kind" in values else False)
    rows = store.read(lambda tx: tx.execute(select(alerts.c.state, alerts.c.note)).all())
    assert [tuple(row) for row in rows] == [("resolved", "حل شد")] * 2
    deeds = store.read(lambda tx: tx.execute(select(audit.c.action, audit.c.subject)).all())
    assert len(deeds) == 2
    with pytest.raises(Conflict, match="alert 1 is resolved"):
        operations.resolve(scope, [1], "again")


def test_nor_does_an_instant_that_no_column_takes_keep_it(store: Store, scope: Scope) -> None:
    _spoilt(store, {"kind": "missed"})
    far = "infinity" if store.dialect.row_locks else "tomorrow"
    store.write(lambda tx: tx.execute(text("UPDATE alerts SET opened_at = :far WHERE id = 1"), {"far": far}))
    (found,) = operations.resolve(scope, [1], "by hand")
    assert (found.id, found.kind, found.state) == (1, "missed", "resolved")


def test_the_other_commands_say_that_it_is_there_and_how_to_end_it(store: Store, scope: Scope) -> None:
    _spoilt(store, POISON[0])
    for command in (operations.detail, lambda scope, number: operations.acknowledge(scope, [number])):
        with pytest.raises(Conflict, match="alert 1 cannot be read: a newer celsched wrote it") as caught:
            command(scope, 1)
        assert "celsched resolve 1 --note" in str(caught.value.hint)
    with pytest.raises(NotFound):
        operations.resolve(scope, [3], "gone")
