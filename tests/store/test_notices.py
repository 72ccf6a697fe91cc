"""The queue of messages: taken by one, sent again after a death, in order within a group, kept and forgotten.

Nothing is planned or sent here.
"""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from celsched.domain.health.machine_facts import ChannelHealth
from celsched.store import notices
from celsched.store.notices import Leased
from celsched.store.store import Store
from celsched.store.tables_watch import notifications
from tests.store.messages import lease, message, queue
from tests.support.clock import ManualClock

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def refuse(store: Store, leased: Leased | None, error: str = "نشد") -> object:
    assert leased is not None
    now = store.clock.now()
    return store.write(lambda tx: notices.refused(tx, leased, error, now))


def accept(store: Store, leased: Leased | None) -> bool:
    assert leased is not None
    now = store.clock.now()
    return store.write(lambda tx: notices.accepted(tx, leased, now))


def health(store: Store) -> list[ChannelHealth]:
    return store.read(notices.channel_health)


def test_an_incident_is_queued_once_per_channel(store: Store) -> None:
    assert queue(store, message(), message(), message(channel="pager")) == [True, False, True]
    leased = lease(store)
    assert leased is not None
    assert (leased.message, leased.tries, leased.failures) == (message(), 1, 0)
    assert lease(store) is None, "it is being sent"
    assert accept(store, leased)
    assert not accept(store, leased)
    assert queue(store, message()) == [False]
    assert lease(store) is None


def test_who_dies_while_sending_leaves_it_to_be_sent_again(store: Store, clock: ManualClock) -> None:
    queue(store, message())
    dead = lease(store, seconds=30)
    clock.advance(29 * SECOND)
    assert lease(store) is None
    clock.advance(SECOND)
    again = lease(store)
    assert again is not None
    assert (again.message.incident, again.tries) == ("missed#1.1", 2)
    assert refuse(store, dead) is None, "it is not the dead one's any more"
    assert accept(store, again)


def test_a_slow_one_that_was_accepted_after_its_lease_is_accepted(store: Store, clock: ManualClock) -> None:
    queue(store, message())
    slow = lease(store)
    clock.advance(31 * SECOND)
    other = lease(store)
    assert accept(store, slow)
    assert refuse(store, other) is None
    clock.advance(HOUR)
    assert lease(store) is None


def test_a_refused_one_is_tried_again_ever_later_and_given_up_after_a_day(store: Store, clock: ManualClock) -> None:
    queue(store, message())
    pauses = []
    begin = clock.now()
    while (due := refuse(store, lease(store))) is not None:
        pauses.append((due - clock.now()).total_seconds())  # type: ignore[operator]
        clock.advance(timedelta(seconds=pauses[-1] - 0.001))
        assert lease(store) is None
        clock.advance(timedelta(milliseconds=1))
    assert pauses[:8] == [10, 20, 40, 80, 160, 320, 600, 600]
    assert timedelta(hours=24) <= clock.now() - begin < timedelta(hours=24, minutes=10)
    assert lease(store) is None
    assert health(store) == [ChannelHealth("mail", len(pauses) + 1, "نشد", None)]


def test_one_that_fails_holds_up_its_group_and_no_other(store: Store, clock: ManualClock) -> None:
    queue(store, message("a#1.1"), message("a#2.2"), message("b#1.3"))
    assert refuse(store, lease(store))
    leased = lease(store)
    assert leased is not None
    assert leased.message.incident == "b#1.3"
    assert lease(store) is None
    clock.advance(10 * SECOND)
    first = lease(store)
    assert first is not None
    assert first.message.incident == "a#1.1"
    assert accept(store, first)
    second = lease(store)
    assert second is not None
    assert second.message.incident == "a#2.2"


def test_one_dated_by_a_clock_that_was_put_back_since_does_not_wait_for_it(store: Store, clock: ManualClock) -> None:
    queue(store, message())
    refuse(store, lease(store))
    clock.set(clock.now() - HOUR)
    assert lease(store) is not None


def test_of_pushes_only_the_newest_is_sent(store: Store) -> None:
    queue(store, message("push#1.1"))
    slow = lease(store)
    queue(store, message("push#2.1"), message("push#3.1"))
    leased = lease(store)
    assert leased is not None
    assert leased.message.incident == "push#3.1"
    assert accept(store, slow), "it went out although a newer one came"
    kept = select(notifications.c.incident, notifications.c.details).order_by(notifications.c.id)
    held = store.read(lambda tx: [row.incident for row in tx.execute(kept) if row.details])
    assert held == ["push#3.1"], "what the others held is needed by nobody"


def test_health_counts_what_was_refused_since_the_last_that_was_accepted(store: Store, clock: ManualClock) -> None:
    queue(store, message("a#1.1"), message("b#1.2", "pager"), message("c#1.3"))
    at = clock.now()
    refuse(store, lease(store))
    refuse(store, lease(store), "هنوز نه")
    accept(store, lease(store, "pager"))
    assert health(store) == [ChannelHealth("mail", 2, "هنوز نه", None), ChannelHealth("pager", 0, None, at)]
    clock.advance(20 * SECOND)
    assert lease(store) is not None
    assert health(store)[0].failures_in_a_row == 2, "what is being sent has not failed"
    accept(store, lease(store))
    assert health(store)[0] == ChannelHealth("mail", 0, None, clock.now())
    assert store.read(lambda tx: notices.channel_health(tx, ["pager"])) == [ChannelHealth("pager", 0, None, at)]


def test_settled_messages_are_forgotten_and_pending_ones_are_not(store: Store, clock: ManualClock) -> None:
    queue(store, message("push#1.1"), message("a#1.1"), *(message(f"x#{one}", "ping:nightly") for one in (1, 2)))
    for channel in ("mail", "mail", "ping:nightly", "ping:nightly"):
        accept(store, lease(store, channel))
    queue(store, message("a#2.1"))

    def forget(days: float) -> int:
        now = clock.now()
        return store.write(lambda tx: notices.forget(tx, now - timedelta(days=days), now))

    assert forget(30) == 0
    clock.advance(HOUR + SECOND)
    assert forget(30) == 2, "what is routine goes after an hour, but for the newest of a channel"
    clock.advance(timedelta(days=2))
    assert forget(30) == 0
    assert forget(1) == 3, "what nobody took for a day is given up, and old"
    assert health(store) == []


@pytest.mark.parametrize("senders", [4])
def test_of_several_senders_one_takes_each_message(store: Store, senders: int) -> None:
    queue(store, *(message(f"g{number}#1.1") for number in range(12)))
    taken: list[str] = []
    lock = threading.Lock()

    def take_all() -> None:
        misses = 0
        while misses < 3:
            leased = lease(store, seconds=600)
            misses += leased is None
            if leased is not None:
                with lock:
                    taken.append(leased.message.incident)

    threads = [threading.Thread(target=take_all) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"g{number}#1.1" for number in range(12))


def test_a_refusal_whose_commit_was_not_heard_of_counts_once(store: Store, clock: ManualClock) -> None:
    queue(store, message())
    leased = lease(store)
    again_at = refuse(store, leased)
    assert again_at is not None
    assert refuse(store, leased) == again_at
    assert health(store)[0].failures_in_a_row == 1


def test_pings_that_were_given_up_do_not_pile_up_for_a_month(store: Store, clock: ManualClock) -> None:
    queue(store, message("1#1.end", "ping:nightly"), message())
    clock.advance(25 * HOUR)
    for channel in ("ping:nightly", "mail"):
        assert refuse(store, lease(store, channel)) is None, "given up"

    def forget() -> int:
        now = clock.now()
        return store.write(lambda tx: notices.forget(tx, now - timedelta(days=30), now))

    assert forget() == 0
    clock.advance(24 * HOUR)
    assert forget() == 1
    assert [one.channel for one in health(store)] == ["mail"]


def test_a_ping_that_was_given_up_says_nothing_once_a_later_one_was_taken(store: Store, clock: ManualClock) -> None:
    queue(store, message("1#1.end", "ping:nightly"))
    clock.advance(25 * HOUR)
    assert refuse(store, lease(store, "ping:nightly")) is None, "given up"
    queue(store, message("1#2.end", "ping:nightly"))
    at = clock.now()
    accept(store, lease(store, "ping:nightly"))
    clock.advance(HOUR + SECOND)
    store.write(lambda tx: notices.forget(tx, clock.now() - timedelta(days=30), clock.now()))
    assert health(store) == [ChannelHealth("ping:nightly", 0, None, at)]
