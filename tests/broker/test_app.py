"""Checks the settings that reliability stands on, and the declaration of queues on RabbitMQ."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from celsched.broker.app import Role, clean_environment, make_app
from celsched.broker.check import masked
from celsched.broker.queues import direct_queue
from celsched.errors import SettingsError


@pytest.mark.parametrize("role", ["daemon", "worker"])
def test_the_settings_that_reliability_requires(tmp_path: Path, role: Role) -> None:
    conf = make_app("redis://localhost/0", embedded_folder=None, role=role).conf
    assert conf.task_acks_late is False
    assert conf.task_reject_on_worker_lost is False
    assert (conf.worker_prefetch_multiplier, conf.worker_disable_prefetch) == (1, True)
    assert conf.task_publish_retry is False
    assert conf.broker_connection_max_retries is None
    assert conf.broker_channel_error_retry is True
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False
    assert conf.accept_content == ["json"]
    options = conf.broker_transport_options
    assert options["socket_timeout"] == (10 if role == "worker" else 5)
    assert "retry_on_timeout" not in options
    assert "global_keyprefix" not in options


def test_a_result_backend_is_used_only_where_one_is_named() -> None:
    assert make_app("memory://", embedded_folder=None, role="daemon").conf.task_ignore_result is True
    app = make_app("memory://", embedded_folder=None, role="daemon", result_backend="cache+memory://")
    assert app.conf.task_ignore_result is False


def test_the_environments_backend_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "cache+memory://")
    app = make_app("memory://", embedded_folder=None, role="daemon")
    assert type(app.backend).__name__ == "DisabledBackend"


@pytest.mark.parametrize("url", ["sqla+sqlite:///x", "filesystem://", "geheim@host", ""])
def test_other_brokers_are_refused_without_showing_the_url(url: str) -> None:
    with pytest.raises(SettingsError, match="cannot use a broker") as caught:
        make_app(url, embedded_folder=None, role="daemon")
    assert "geheim" not in caught.value.message


def test_children_get_an_environment_that_celery_cannot_use_against_us() -> None:
    env = {"CELERY_BROKER_URL": "a", "CELERY_RESULT_BACKEND": "b", "CELSCHED_X": "c", "PATH": "d"}
    assert clean_environment(env) == {"CELSCHED_X": "c", "PATH": "d"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amqp://u:pä:ss@h//", "amqp://u:***@h//"),
        ("redis://:p@h:1/0", "redis://:***@h:1/0"),
        ("redis://h:1/0", "redis://h:1/0"),
        ("sentinel://:a@h:1;sentinel://:b@i:1", "sentinel://:***@h:1;sentinel://:***@i:1"),
        ("redis+socket:///tmp/s?password=p&x=1", "redis+socket:///tmp/s?password=***&x=1"),
    ],
)
def test_passwords_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


class _NotFound(Exception):
    reply_code = 404


class _Channel:
    """Stands in for py-amqp's channel: a real RabbitMQ, in test_rabbitmq.py, is not always installed."""

    def __init__(self, existing: set[str], log: list[tuple[str, bool, Any]]) -> None:
        self.existing, self.log = existing, log
        self.connection = SimpleNamespace(channel=lambda: _Channel(existing, log), channel_errors=(_NotFound,))

    def queue_declare(self, queue: str, passive: bool, arguments: Any, **options: Any) -> tuple[str, int, int]:
        self.log.append((queue, passive, arguments))
        if passive and queue not in self.existing:
            raise _NotFound
        return queue, 0, 0

    def prepare_queue_arguments(self, arguments: Any, **options: Any) -> Any:
        return arguments

    def close(self) -> None:
        self.log.append(("closed", True, None))


def test_rabbitmq_gets_a_priority_queue_where_none_is_there() -> None:
    log: list[tuple[str, bool, Any]] = []
    direct_queue("صف").queue_declare(channel=_Channel(set(), log))
    assert log == [("صف", True, {"x-max-priority": 9}), ("صف", False, {"x-max-priority": 9})]


def test_rabbitmqs_existing_queue_is_used_as_it_is() -> None:
    log: list[tuple[str, bool, Any]] = []
    direct_queue("صف").queue_declare(channel=_Channel({"صف"}, log))
    assert [(name, passive) for name, passive, _ in log] == [("صف", True), ("closed", True), ("صف", True)]
