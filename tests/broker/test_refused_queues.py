"""A queue that RabbitMQ refuses is no RabbitMQ that is down, or one schedule with it would stop all messages."""

from collections.abc import Iterator

import pytest
from kombu.connection import Connection
from kombu.entity import Queue

from celsched.broker.app import make_app
from celsched.broker.errors import PublishRefused
from celsched.broker.message import Message
from celsched.broker.publisher import Publisher
from celsched.errors import BrokerUnreachable
from tests.support.rabbitmq import RabbitServer


@pytest.fixture
def publisher(rabbit_url: str) -> Iterator[Publisher]:
    made = _publisher(rabbit_url)
    yield made
    made.close()


def _publisher(url: str) -> Publisher:
    return Publisher(make_app(url, embedded_folder=None, role="daemon"))


def _send(publisher: Publisher, queue: str) -> None:
    publisher.publish(Message("w", 1, 1), task_id="celsched-w-1.1.1", queue=queue, priority=5)


def _refused(publisher: Publisher, queue: str) -> None:
    with pytest.raises(PublishRefused, match=queue):
        _send(publisher, queue)
    _send(publisher, "default")


def test_reserved_and_locked_queues_are_refused_and_others_go_on(publisher: Publisher, rabbit_url: str) -> None:
    _refused(publisher, "amq.reserved")
    with Connection(rabbit_url) as theirs:
        Queue("locked", exclusive=True)(theirs.channel()).declare()
        _refused(publisher, "locked")


def test_what_the_user_may_not_declare_is_refused_and_what_it_may_not_do_at_all_is_not(
    publisher: Publisher, rabbit_url: str, rabbit_server: RabbitServer
) -> None:
    vhost = rabbit_url.rpartition("/")[2]
    rabbit_server.control("set_permissions", "-p", vhost, "celsched", "^default$", ".*", ".*")
    _refused(publisher, "forbidden")
    rabbit_server.control("set_permissions", "-p", vhost, "celsched", ".*", "^nothing$", ".*")
    publisher.close()  # a channel remembers what it was allowed
    with pytest.raises(BrokerUnreachable):
        _send(publisher, "default")


def test_a_refused_login_is_a_broker_that_cannot_be_used(rabbit_url: str) -> None:
    with pytest.raises(BrokerUnreachable):
        _send(_publisher(rabbit_url.replace("celsched:", "nobody:")), "default")
