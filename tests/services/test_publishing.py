"""The publisher's turn: what it sends, and what it does while the broker is down, refuses, or everything must stop."""

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest

from celsched.broker.errors import PublishRefused
from celsched.broker.message import Message
from celsched.dispatcher.publish import Outbox, PublishResult
from celsched.domain.execution import State
from celsched.domain.policy import RetryPolicy
from celsched.errors import BrokerUnreachable
from celsched.operations.control import cancel
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from celsched.store.store import Store
from tests.support.actors import execution, run, states
from tests.support.clock import ManualClock
from tests.support.factories import add_task
from tests.support.publisher import RecordingPublisher

SECOND = timedelta(seconds=1)
GO_ON = threading.Event()


@pytest.fixture
def publisher() -> RecordingPublisher:
    """Remembers what is sent."""
    return RecordingPublisher()


@pytest.fixture
def outbox(store: Store, clock: ManualClock, publisher: RecordingPublisher) -> Outbox:
    """A publisher's turn to the recording publisher."""
    return Outbox(store, clock, publisher, word="abc", republish=30 * SECOND)


def _ask(scope: Scope, count: int = 1, **options: Any) -> list[int]:
    add_task(scope, **options)
    return [run_now(scope, RunNow("task")) for _ in range(count)]


def test_a_message_names_store_execution_and_attempt_and_nothing_else(
    scope: Scope, outbox: Outbox, publisher: RecordingPublisher
) -> None:
    (asked,) = _ask(scope, queue_name="صف", priority=8)

    assert outbox.run_once(GO_ON) == PublishResult(sent=1)
    assert outbox.run_once(GO_ON) == PublishResult()

    (sent,) = publisher.sent
    assert (sent.message, sent.task_id) == (Message("abc", asked, 1), f"celsched-abc-{asked}.1.1")
    assert (sent.queue, sent.priority) == ("صف", 8)
    assert execution(scope.store, asked).state is State.QUEUED


def test_the_publisher_knows_for_how_long_nothing_could_be_sent(
    scope: Scope, outbox: Outbox, publisher: RecordingPublisher, clock: ManualClock
) -> None:
    publisher.failure = BrokerUnreachable("redis does not answer")
    (first,) = _ask(scope)
    for _ in range(12):
        outbox.run_once(GO_ON)
        clock.advance(10 * SECOND)
    assert outbox.stuck_for() == 120
    publisher.failure = None
    outbox.run_once(GO_ON)
    assert (outbox.stuck_for(), len(publisher.sent)) == (0, 1)
    run(scope.store, first)

    publisher.failure = BrokerUnreachable("redis does not answer")
    (other,) = _ask(scope)
    outbox.run_once(GO_ON)
    clock.advance(60 * SECOND)
    assert outbox.stuck_for() == 60
    cancel(scope, other)
    outbox.run_once(GO_ON)
    assert outbox.stuck_for() == 0, "nothing is due any more"


def test_the_embedded_broker_has_one_queue(store: Store, scope: Scope, publisher: RecordingPublisher) -> None:
    _ask(scope, queue_name="reports")

    Outbox(store, store.clock, publisher, word="abc", republish=SECOND, one_queue="default").run_once(GO_ON)

    assert [sent.queue for sent in publisher.sent] == ["default"]


def test_a_later_attempt_and_a_repeated_message_have_ids_of_their_own(
    scope: Scope, outbox: Outbox, publisher: RecordingPublisher, clock: ManualClock
) -> None:
    (asked,) = _ask(scope, retry=RetryPolicy(jitter=False))
    for pause in (0, 30, 60):
        clock.advance(pause * SECOND)
        outbox.run_once(GO_ON)
    run(scope.store, asked, State.FAILED)
    clock.advance(10 * SECOND)
    outbox.run_once(GO_ON)

    assert [sent.task_id for sent in publisher.sent] == [
        f"celsched-abc-{asked}.{n}" for n in ("1.1", "1.2", "1.3", "2.1")
    ]


def test_while_the_broker_is_down_everything_is_held_back_a_little_longer_each_time_and_said_once(
    scope: Scope,
    outbox: Outbox,
    publisher: RecordingPublisher,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _ask(scope, 3)
    publisher.failure = BrokerUnreachable("redis does not answer")
    pauses: list[float] = []
    waited = timedelta(0)
    with caplog.at_level(logging.INFO):
        while len(pauses) < 8:
            if outbox.run_once(GO_ON).down:
                pauses.append(waited / SECOND)
                waited = timedelta(0)
            clock.advance(SECOND / 4)
            waited += SECOND / 4
        down_tries = publisher.attempts
        publisher.failure = None
        clock.advance(10 * SECOND)
        result = outbox.run_once(GO_ON)

    assert pauses == [0, 0.5, 1, 2, 4, 8, 10, 10]
    assert down_tries == 8  # the first failure ends the batch: the others would wait for the same broker
    assert result == PublishResult(sent=3)
    assert states(scope.store) == ["queued"] * 3
    assert [record.action for record in caplog.records] == ["broker_down", "broker_up"]  # type: ignore[attr-defined]


def test_after_an_outage_the_oldest_goes_first_whatever_fell_due_in_it(
    scope: Scope, outbox: Outbox, publisher: RecordingPublisher, clock: ManualClock
) -> None:
    asked = _ask(scope)
    publisher.failure = BrokerUnreachable("redis does not answer")
    for _ in range(8):
        outbox.run_once(GO_ON)
        clock.advance(SECOND)
        asked.append(run_now(scope, RunNow("task")))
    publisher.failure = None
    for _ in range(40):
        outbox.run_once(GO_ON)
        clock.advance(SECOND / 4)

    assert [sent.message.execution_id for sent in publisher.sent] == asked


def test_what_one_daemon_cannot_send_another_one_may_send_at_once(
    scope: Scope, store: Store, outbox: Outbox, publisher: RecordingPublisher, clock: ManualClock
) -> None:
    asked = _ask(scope, 2)
    publisher.failure = BrokerUnreachable("redis does not answer")
    outbox.run_once(GO_ON)
    other = RecordingPublisher()
    Outbox(store, clock, other, word="abc", republish=30 * SECOND).run_once(GO_ON)

    assert [sent.message.execution_id for sent in other.sent] == asked


def test_what_was_sent_before_the_broker_went_down_is_marked(
    scope: Scope, store: Store, clock: ManualClock, publisher: RecordingPublisher
) -> None:
    first, second = _ask(scope, 2)

    class Failing(RecordingPublisher):
        def publish(self, message: Message, *, task_id: str, queue: str, priority: int) -> None:
            if message.execution_id == second:
                self.failure = BrokerUnreachable("gone")
            super().publish(message, task_id=task_id, queue=queue, priority=priority)

    result = Outbox(store, clock, Failing(), word="abc", republish=30 * SECOND).run_once(GO_ON)

    assert result == PublishResult(sent=1, down=True)
    assert [execution(store, one).state for one in (first, second)] == [State.QUEUED, State.PENDING]


@pytest.mark.parametrize("fault", [PublishRefused("too long"), TypeError("a fault of ours")])
def test_one_message_that_cannot_be_sent_waits_alone(
    scope: Scope, store: Store, clock: ManualClock, fault: Exception
) -> None:
    bad, *good = _ask(scope, 3)

    class Refusing(RecordingPublisher):
        def publish(self, message: Message, *, task_id: str, queue: str, priority: int) -> None:
            self.failure = fault if message.execution_id == bad else None
            super().publish(message, task_id=task_id, queue=queue, priority=priority)

    publisher = Refusing()
    outbox = Outbox(store, clock, publisher, word="abc", republish=30 * SECOND)
    for _ in range(3):
        outbox.run_once(GO_ON)

    assert [sent.message.execution_id for sent in publisher.sent] == good
    assert publisher.attempts == 3
    clock.advance(timedelta(minutes=5))
    outbox.run_once(GO_ON)
    assert publisher.attempts == 3 + 3  # the bad one again, and the good ones republished


def test_a_stop_gives_back_what_is_not_sent_yet(scope: Scope, store: Store, clock: ManualClock) -> None:
    ids = _ask(scope, 3)
    stop = threading.Event()

    class Stopping(RecordingPublisher):
        def publish(self, message: Message, *, task_id: str, queue: str, priority: int) -> None:
            super().publish(message, task_id=task_id, queue=queue, priority=priority)
            stop.set()

    first = Stopping()
    Outbox(store, clock, first, word="abc", republish=30 * SECOND).run_once(stop)
    second = RecordingPublisher()
    Outbox(store, clock, second, word="abc", republish=30 * SECOND).run_once(GO_ON)

    assert [sent.message.execution_id for sent in first.sent] == ids[:1]
    assert [sent.message.execution_id for sent in second.sent] == ids[1:]
    assert [sent.task_id for sent in second.sent] == [f"celsched-abc-{one}.1.2" for one in ids[1:]]


def test_a_full_batch_says_that_more_may_be_due(scope: Scope, outbox: Outbox) -> None:
    _ask(scope, 51)

    assert [outbox.run_once(GO_ON).full for _ in range(2)] == [True, False]


def test_closing_lets_go_of_the_broker(outbox: Outbox, publisher: RecordingPublisher) -> None:
    outbox.close()

    assert publisher.closed
