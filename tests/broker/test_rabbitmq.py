"""Checks the publisher, the declarations and the questions on a real RabbitMQ, and what they do in its troubles."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu.entity import Exchange, Queue

from celsched.broker.app import BrokerApp, Timing, make_app
from celsched.broker.check import check_broker
from celsched.broker.control import inspect_task, ping
from celsched.broker.message import TASK_EXECUTE, Message, task_id
from celsched.broker.publisher import Publisher
from celsched.errors import BrokerUnreachable
from tests.broker.consuming import Delivery, consume
from tests.support.rabbitmq import PASSWORD, RabbitServer


def _app(url: str, *, silence: float = 5.0) -> BrokerApp:
    return make_app(url, embedded_folder=None, role="daemon", timing=Timing(daemon_socket=silence))


def _send(publisher: Publisher, number: int, *, queue: str = "default", priority: int = 5) -> None:
    publisher.publish(Message("w", number, 1), task_id=task_id("w", number, 1, 1), queue=queue, priority=priority)


@pytest.fixture
def publisher(rabbit_url: str) -> Iterator[Publisher]:
    made = Publisher(_app(rabbit_url))
    yield made
    made.close()


def _declare(url: str, queue: str, **arguments: Any) -> None:
    with Celery("theirs", broker=url).connection_for_write() as connection:
        Queue(queue, Exchange(queue), routing_key=queue, queue_arguments=arguments or None)(connection).declare()


def _delete(url: str, queue: str) -> None:
    with Celery("theirs", broker=url).connection_for_write() as connection:
        Queue(queue)(connection).delete()


def _numbers(app: BrokerApp, count: int, queue: str = "default") -> list[int]:
    return [delivery.message.execution_id for delivery in consume(app, queue, count)]


def test_a_message_arrives_under_its_id_and_with_nothing_but_its_three_arguments(
    rabbit_url: str, publisher: Publisher
) -> None:
    _send(publisher, 7, queue="صف نگهداری")
    found = consume(_app(rabbit_url), "صف نگهداری", 1)
    assert found == [Delivery(TASK_EXECUTE, "celsched-w-7.1.1", Message("w", 7, 1))]


def test_nine_is_most_urgent_and_all_ten_levels_are_kept(rabbit_url: str, publisher: Publisher) -> None:
    for priority in (5, 0, 9, 3, 7, 1, 8, 2, 6, 4):
        _send(publisher, priority + 1, priority=priority)
    assert _numbers(_app(rabbit_url), 10) == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_a_queue_of_somebody_elses_is_used_as_it_is(rabbit_url: str, publisher: Publisher) -> None:
    _declare(rabbit_url, "plain")
    _declare(rabbit_url, "three", **{"x-max-priority": 3})
    for queue in ("plain", "three"):
        for number, priority in ((1, 0), (2, 9), (3, 1)):
            _send(publisher, number, queue=queue, priority=priority)
    assert _numbers(_app(rabbit_url), 3, "plain") == [1, 2, 3]
    assert _numbers(_app(rabbit_url), 3, "three") == [2, 3, 1]


def test_the_default_queue_of_a_worker_has_priorities_too(rabbit_url: str) -> None:
    worker = make_app(rabbit_url, embedded_folder=None, role="worker")
    with worker.connection_for_read() as connection, connection.channel() as channel:
        for name in ("default", "maintenance"):
            worker.amqp.queues[name](channel).declare()
    app = _app(rabbit_url)
    publisher = Publisher(app)
    for queue in ("default", "maintenance"):
        for number in (1, 9):
            _send(publisher, number, queue=queue, priority=number)
        assert _numbers(app, 2, queue) == [9, 1]
    publisher.close()


def test_messages_and_queues_outlive_the_node_and_the_same_publisher_goes_on(own_rabbit: RabbitServer) -> None:
    app = _app(own_rabbit.url)
    publisher = Publisher(app)
    _send(publisher, 1, queue="outlives")
    own_rabbit.kill()
    for _ in range(2):
        with pytest.raises(BrokerUnreachable, match="does not accept messages"):
            _send(publisher, 2, queue="outlives")
    own_rabbit.start()
    _send(publisher, 3, queue="outlives")
    assert _numbers(app, 2, "outlives") == [1, 3]
    publisher.close()


def test_what_rabbitmq_does_not_take_is_not_sent(rabbit_url: str, publisher: Publisher) -> None:
    _declare(rabbit_url, "full", **{"x-max-length": 1, "x-overflow": "reject-publish"})
    _send(publisher, 1, queue="full")
    with pytest.raises(BrokerUnreachable):
        _send(publisher, 2, queue="full")
    assert _numbers(_app(rabbit_url), 1, "full") == [1]
    _send(publisher, 3, queue="full")


def test_what_no_queue_took_is_not_sent_and_the_queue_is_made_again(rabbit_url: str, publisher: Publisher) -> None:
    _send(publisher, 1)
    _delete(rabbit_url, "default")
    with pytest.raises(BrokerUnreachable, match="NO_ROUTE"):
        _send(publisher, 2)
    _send(publisher, 3)
    assert _numbers(_app(rabbit_url), 1) == [3]


@pytest.mark.parametrize("trouble", ["hangs", "has no memory left"])
def test_a_rabbitmq_that_is_silent_holds_the_publisher_no_longer_than_its_timeout(
    own_rabbit: RabbitServer, trouble: str
) -> None:
    app = _app(own_rabbit.url, silence=0.5)
    publisher = Publisher(app)
    _send(publisher, 1, queue=trouble)
    if trouble == "hangs":
        own_rabbit.sigstop()
    else:
        own_rabbit.control("set_vm_memory_high_watermark", "0")
    began = time.monotonic()
    for _ in range(2):  # once on the open connection, once while making a new one
        with pytest.raises(BrokerUnreachable):
            _send(publisher, 2, queue=trouble)
    assert time.monotonic() - began < 8
    if trouble == "hangs":
        own_rabbit.sigcont()
    else:
        own_rabbit.control("set_vm_memory_high_watermark", "0.4")
    _send(publisher, 3, queue=trouble)
    # Whether RabbitMQ took the second one is not known; the sender was told so.
    assert {1, 3} <= set(_numbers(app, 3, trouble))
    publisher.close()


def test_checks_tell_the_truth_and_no_password(own_rabbit: RabbitServer) -> None:
    shown = f"amqp://celsched:***@127.0.0.1:{own_rabbit.port}/"
    assert check_broker(own_rabbit.url) == f"the broker at {shown} answers"
    for url in (
        own_rabbit.url.replace("celsched:", "celsched:wrong"),
        f"{own_rabbit.url}no-such-host",
        own_rabbit.url.replace(str(own_rabbit.port), "1"),
    ):
        with pytest.raises(BrokerUnreachable) as caught:
            check_broker(url)
        said = f"{caught.value.message} {caught.value.hint}"
        assert "amqp://celsched:***@127.0.0.1" in said
        assert PASSWORD not in said
        assert "geh" not in said


def test_asking_workers_that_are_not_there(rabbit_url: str) -> None:
    app = _app(rabbit_url)
    assert inspect_task(app, "celsched-w-1.1.1", 0.1) is None
    assert ping(app, 0.1) == ()


def test_the_services_folder_holds_all_that_the_node_writes(own_rabbit: RabbitServer, tmp_path: Path) -> None:
    assert (own_rabbit.folder / "data").is_dir()
    assert (own_rabbit.folder / ".erlang.cookie").exists()
