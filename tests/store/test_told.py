"""Which messages told of one alert: searched in what is queued, bounded, and whatever else is there."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from celsched.domain.health.kinds import AlertKind, Severity
from celsched.domain.notice_text import details_of
from celsched.domain.notice_times import NoticeTimes
from celsched.domain.notices import Channel
from celsched.store import alerts, notice_plan, notices
from celsched.store.notices import GIVE_UP, Message
from celsched.store.store import Store, Tx
from celsched.store.tables_watch import notifications
from celsched.store.told import Told, told_of
from tests.store.messages import MAIL, find, lease, queue, settle
from tests.support.clock import ManualClock
from tests.support.stores import START

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PUSHED = Channel("prom", pushes=True)


def about(number: int, *alerts: int, channel: str = "mail", **details: Any) -> Message:
    """Return a message that lists these alerts."""
    listed = [{"id": one, "status": "firing", "subject": "گزارش شب"} for one in alerts]
    return Message(channel, f"missed#{number}.1", Severity.WARNING, "عنوان", "متن",
                   {"reason": "firing", "alerts": listed} | details)  # fmt: skip


def told(store: Store, alert: int = 5, most: int = 500) -> Told:
    return store.read(lambda tx: told_of(tx, alert, START, most))


def states(store: Store, alert: int = 5) -> list[tuple[str, str | None, str]]:
    return [(one.channel, one.reason, one.state) for one in told(store, alert).messages]


def planned(store: Store, *channels: Channel) -> None:
    """Plan and queue with the details that messages really have."""
    now = store.clock.now()
    draft = store.read(lambda tx: notice_plan.draft(tx, channels, NoticeTimes(), now))
    letters = [
        notice_plan.Letter(one.group, Message(one.notice.channel, one.notice.incident, one.notice.severity, "عنوان",
                                              "متن", details_of(one.notice)) if one.notice else None)
        for one in draft.planned
    ]  # fmt: skip
    store.write(lambda tx: notice_plan.carry_out(tx, draft.marks, letters, now))


def test_a_message_waits_is_refused_given_up_or_sent(store: Store, clock: ManualClock) -> None:
    queue(store, about(1, 5))
    waits = told(store).messages[0]
    assert (waits.state, waits.failures, waits.created_at, waits.sent_at, waits.error) == (
        "pending",
        0,
        START,
        None,
        None,
    )
    leased = lease(store)
    assert leased is not None
    again = store.write(lambda tx: notices.refused(tx, leased, "نامه نرفت", START))
    refused = told(store).messages[0]
    assert (refused.state, refused.failures, refused.next_try_at, refused.error) == ("pending", 1, again, "نامه نرفت")
    clock.advance(GIVE_UP)
    last = lease(store)
    assert last is not None
    store.write(lambda tx: notices.refused(tx, last, "نشد", clock.now()))
    over = told(store).messages[0]
    assert (over.state, over.next_try_at, over.error) == ("failed", None, "نشد")
    store.write(lambda tx: tx.execute(update(notifications).values(state="pending")))
    store.write(lambda tx: notices.accepted(tx, last, clock.now()))
    sent = told(store).messages[0]
    assert (sent.state, sent.sent_at, sent.next_try_at, sent.error) == ("sent", clock.now(), None, None)


def test_what_the_planner_queues_is_found_by_each_alert_of_it(store: Store, clock: ManualClock) -> None:
    settle(store, find(), find(scope="schedule:2"))
    clock.advance(MINUTE)
    planned(store, MAIL, PUSHED)
    first, second = (alert.id for alert in store.read(alerts.living))
    assert set(states(store, first)) == set(states(store, second)) == {
        ("mail", "firing", "pending"), ("prom", "push", "pending"),
    }  # fmt: skip
    clock.advance(HOUR)
    settle(store, find(scope="schedule:2"), find(AlertKind.MISSED, "schedule:3"))
    clock.advance(MINUTE)
    planned(store, MAIL)
    # One message: of the third that it fires, of the first that it is over.
    assert states(store, first)[0] == ("mail", "resolved", "pending")
    assert states(store, second)[0] == ("mail", "firing", "pending")


def test_of_pushes_the_newest_keeps_what_it_told(store: Store, clock: ManualClock) -> None:
    settle(store, find())
    planned(store, PUSHED)
    clock.advance(MINUTE)
    planned(store, PUSHED)
    (alert,) = store.read(alerts.living)
    (push,) = told(store, alert.id).messages
    assert (push.reason, push.state, push.created_at) == ("push", "pending", clock.now())


def test_only_this_alert_counts_not_what_looks_like_it(store: Store) -> None:
    queue(store, about(1, 55, 15), about(2, 6, note='"id":5,'), about(3, alerts={"id": 5}), about(4, alerts=[5]),
          Message("ping:x", "x#1", Severity.INFO, "", "", {"alerts": [{"id": 5}]}))  # fmt: skip
    assert told(store) == Told()
    queue(store, about(9, 4, 5, 6, reason=["of a newer version"]))
    assert states(store) == [("mail", None, "pending")]


def test_only_what_was_made_since_and_at_most_so_many_newest_first(store: Store, clock: ManualClock) -> None:
    clock.set(START - HOUR)
    queue(store, about(1, 5))
    clock.set(START)
    queue(store, about(2, 5), about(3, 5, channel="pager"), about(4, 6), about(5, 5, channel="sms"))
    assert [one.channel for one in told(store, most=4).messages] == ["sms", "pager", "mail"]
    assert not told(store, most=4).more
    fewer = told(store, most=3)
    assert ([one.channel for one in fewer.messages], fewer.more) == (["sms", "pager"], True)


def test_a_message_that_cannot_be_read_hides_no_other(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    queue(store, about(1, 5), about(2, 5, channel="pager"))
    details = "[]" if store.dialect.documents else '{"id":5'
    spoilt = f"UPDATE notifications SET details = '{details}' WHERE channel = 'mail'"
    store.write(lambda tx: tx.exec_driver_sql(spoilt))
    assert [one.channel for one in told(store).messages] == ["pager"]
    if not store.dialect.documents:  # a server takes only an instant for one
        store.write(lambda tx: tx.exec_driver_sql("UPDATE notifications SET sent_at = 'دیروز' WHERE channel = 'mail'"))
        assert [one.channel for one in told(store).messages] == ["pager"]
        assert "could not read message 1" in caplog.text


def test_it_is_one_query_with_a_limit(store: Store) -> None:
    queue(store, about(1, 5))
    asked: list[str] = []

    def remember(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    def look(tx: Tx) -> Told:
        event.listen(store.engine, "before_cursor_execute", remember)
        try:
            return told_of(tx, 5, START)
        finally:
            event.remove(store.engine, "before_cursor_execute", remember)

    assert len(store.read(look).messages) == 1
    (only,) = asked
    assert only.startswith("SELECT")
    assert "LIMIT" in only
