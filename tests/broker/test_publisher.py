"""Checks that messages reach a real Redis, and what becomes of them when it is not there."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from celsched.broker.app import BrokerApp, Timing, make_app
from celsched.broker.check import check_broker
from celsched.broker.control import inspect_task, ping
from celsched.broker.errors import PublishRefused
from celsched.broker.message import TASK_EXECUTE, Message, task_id
from celsched.broker.publisher import MessagePublisher, Publisher
from celsched.errors import BrokerUnreachable
from tests.broker.consuming import Delivery, consume
from tests.support.publisher import RecordingPublisher
from tests.support.services import RedisServer


def _app(url: str, *, silence: float = 5.0, keyprefix: str | None = None) -> BrokerApp:
    return make_app(
        url, embedded_folder=None, role="daemon", global_keyprefix=keyprefix, timing=Timing(daemon_socket=silence)
    )


def _send(publisher: MessagePublisher, number: int, *, queue: str = "default", priority: int = 5) -> None:
    publisher.publish(Message("w", number, 1), task_id=task_id("w", number, 1, 1), queue=queue, priority=priority)


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_a_message_arrives_under_its_id_and_with_nothing_but_its_three_arguments(redis_url: str) -> None:
    app = _app(redis_url)
    publisher = Publisher(app)
    _send(publisher, 7, queue="صف نگهداری")
    publisher.close()
    assert consume(app, "صف نگهداری", 1) == [Delivery(TASK_EXECUTE, "celsched-w-7.1.1", Message("w", 7, 1))]


def test_nine_is_most_urgent_and_redis_keeps_four_levels(redis_url: str) -> None:
    app = _app(redis_url)
    publisher = Publisher(app)
    for priority in range(10):
        _send(publisher, priority + 1, priority=priority)
    publisher.close()
    order = [delivery.message.execution_id - 1 for delivery in consume(app, "default", 10)]
    assert order == [7, 8, 9, 4, 5, 6, 1, 2, 3, 0]


def test_a_key_prefix_keeps_two_installations_apart(redis_url: str) -> None:
    app = _app(redis_url, keyprefix="helssa:")
    publisher = Publisher(app)
    _send(publisher, 1)
    publisher.close()
    assert consume(_app(redis_url), "default", 1, patience=0.2) == []
    assert len(consume(app, "default", 1)) == 1


def test_the_environment_does_not_overrule_the_url(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL", "CELERY_BROKER_READ_URL"):
        monkeypatch.setenv(name, "redis://127.0.0.1:1/0")
    app = _app(redis_url)
    publisher = Publisher(app)
    _send(publisher, 1)
    publisher.close()
    assert len(consume(app, "default", 1)) == 1


def test_the_same_publisher_goes_on_after_redis_was_down(mortal_redis: RedisServer) -> None:
    app = _app(mortal_redis.url)
    publisher = Publisher(app)
    _send(publisher, 1)
    mortal_redis.kill()
    for _ in range(2):
        with pytest.raises(BrokerUnreachable, match="does not accept messages"):
            _send(publisher, 2)
    mortal_redis.start()
    _send(publisher, 3)
    assert [delivery.message.execution_id for delivery in consume(app, "default", 1)] == [3]
    publisher.close()


def test_a_flushed_redis_loses_no_later_message(mortal_redis: RedisServer) -> None:
    app = _app(mortal_redis.url)
    publisher = Publisher(app)
    _send(publisher, 1)
    client = mortal_redis.client()
    client.flushall()
    client.close()
    _send(publisher, 2)
    assert [delivery.message.execution_id for delivery in consume(app, "default", 1)] == [2]
    publisher.close()


def test_a_redis_that_refuses_writes_is_unreachable_until_it_takes_them_again(mortal_redis: RedisServer) -> None:
    publisher = Publisher(_app(mortal_redis.url))
    client = mortal_redis.client()
    client.config_set("maxmemory", 1)
    with pytest.raises(BrokerUnreachable, match="maxmemory"):
        _send(publisher, 1)
    client.config_set("maxmemory", 0)
    client.close()
    _send(publisher, 2)
    publisher.close()


def test_a_redis_that_hangs_holds_the_publisher_no_longer_than_its_timeout(mortal_redis: RedisServer) -> None:
    publisher = Publisher(_app(mortal_redis.url, silence=0.5))
    _send(publisher, 1)
    mortal_redis.sigstop()
    began = time.monotonic()
    for _ in range(2):  # once on the open connection, once while making a new one
        with pytest.raises(BrokerUnreachable):
            _send(publisher, 2)
    assert time.monotonic() - began < 8
    mortal_redis.sigcont()
    _send(publisher, 3)
    publisher.close()


@pytest.mark.parametrize(("queue", "priority"), [("", 5), ("\ud800", 5), ("ص" * 128, 5), ("default", 10)])
def test_what_can_never_be_sent_is_refused_for_good(redis_url: str, queue: str, priority: int) -> None:
    with pytest.raises(PublishRefused):
        _send(Publisher(_app(redis_url)), 1, queue=queue, priority=priority)


def test_a_queue_that_redis_refuses_is_no_redis_that_is_down(mortal_redis: RedisServer) -> None:
    with closing(mortal_redis.client()) as client:
        client.set("theirs", "a text, and no list")
        client.acl_setuser(
            "us", enabled=True, passwords=["+gehe!m"], keys=["default*", "theirs*"], categories=["+@all"]
        )
    publisher = Publisher(_app(mortal_redis.url.replace("//", "//us:gehe%21m@")))
    for queue in ("theirs", "forbidden"):
        with pytest.raises(PublishRefused, match=queue) as caught:
            _send(publisher, 1, queue=queue, priority=9)
        assert "gehe" not in caught.value.message
        _send(publisher, 2)
    publisher.close()


def test_checks_tell_the_truth_and_no_password(mortal_redis: RedisServer) -> None:
    secret = mortal_redis.url.replace("//", "//user:gehe%21m@")
    assert check_broker(mortal_redis.url) == f"the broker at {mortal_redis.url} answers"
    mortal_redis.kill()
    with pytest.raises(BrokerUnreachable) as caught:
        check_broker(secret)
    assert "gehe" not in f"{caught.value.message}{caught.value.hint}"
    assert "//user:***@127.0.0.1" in caught.value.message


def test_asking_workers_that_are_not_there(mortal_redis: RedisServer) -> None:
    app = _app(mortal_redis.url)
    assert inspect_task(app, "celsched-w-1.1.1", 0.1) is None
    assert ping(app, 0.1) == ()
    mortal_redis.kill()
    with pytest.raises(BrokerUnreachable):
        ping(app, 0.1)


def test_the_double_keeps_the_publisher_protocol() -> None:
    double = RecordingPublisher(failure=BrokerUnreachable("down"))
    publisher: MessagePublisher = double
    with pytest.raises(BrokerUnreachable):
        _send(publisher, 1)
    double.failure = None
    _send(publisher, 1)
    assert [sent.task_id for sent in double.sent] == ["celsched-w-1.1.1"]
    assert double.attempts == 2
