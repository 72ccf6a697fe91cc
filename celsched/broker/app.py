"""Owns the plain Celery app that daemon and worker are built on, with the settings that reliability asks for.

It never registers tasks and never reads the environment: the broker's URL is handed in and stays.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from celery import Celery

from celsched.broker import filesystem
from celsched.broker.prefetch import TakeOnlyForFreeChildren
from celsched.broker.prefetch_amqp import ConsumeOnlyForFreeChildren
from celsched.broker.queues import PriorityAMQP
from celsched.broker.strangers import OutliveStrangers
from celsched.errors import SettingsError

Kind = Literal["embedded", "redis", "amqp", "memory"]
Role = Literal["daemon", "worker"]

WORKER_FLAGS = ("--without-gossip", "--without-mingle", "--without-heartbeat")
"""Flags of `celery worker` that have no setting; gossip fails at reconnects, mingle adds a second to each."""

_KINDS: dict[str, Kind] = {
    filesystem.SCHEME: "embedded",
    "redis": "redis",
    "rediss": "redis",
    "redis+socket": "redis",
    "sentinel": "redis",
    "amqp": "amqp",
    "amqps": "amqp",
    "pyamqp": "amqp",
    "memory": "memory",
}

# Celery reads these by itself and lets them beat what its app was given.
_CELERY_VARIABLES = frozenset(
    {
        "CELERY_BROKER_URL",
        "CELERY_BROKER_READ_URL",
        "CELERY_BROKER_WRITE_URL",
        "CELERY_RESULT_BACKEND",
        "CELERY_CONFIG_MODULE",
        "CELERY_LOADER",
    }
)

_SETTINGS: dict[str, Any] = {
    # The store is the truth: redelivery adds nothing, and late acks repeat every task longer than visibility_timeout.
    "task_acks_late": False,
    # Retries are rows in the store.
    "task_reject_on_worker_lost": False,
    # One message a child; with worker_disable_prefetch (Redis) or our prefetch steps none waits behind a busy one.
    "worker_prefetch_multiplier": 1,
    # The publisher's loop retries; Celery's own tries would add up while it holds its thread.
    "task_publish_retry": False,
    # The default of 100 lets a worker give up after a long outage.
    "broker_connection_retry": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_connection_timeout": 3,
    # Redis that refuses writes (full disk, read-only) answers with a channel error; the worker must outlive it.
    "broker_channel_error_retry": True,
    # A blip of the broker must not kill running bodies; the default turns around in Celery 6.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # Leaks in parent and child are an old theme; a child is replaced after its task, never within it.
    "worker_max_tasks_per_child": 500,
    "worker_max_memory_per_child": 1024 * 1024,  # KiB
    # A child that imports a large Django project needs more than the default of 4 s to report in.
    "worker_proc_alive_timeout": 60.0,
    # Logging and output belong to our capture.
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    # Events nobody reads make Redis grow.
    "worker_send_task_events": False,
    "task_send_sent_event": False,
    # Nothing but JSON is read, so a forged message can run no code.
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "timezone": "UTC",
    "enable_utc": True,
    # A queue is a name: whatever a task definition names is made, direct, with the routing key equal to the name.
    "task_create_missing_queues": True,
    "task_default_queue": "default",
}


class BrokerApp(Celery):  # type: ignore[misc] # Celery carries no types
    """A Celery app whose connections use `url`, whatever CELERY_BROKER_URL says in the environment."""

    url: str
    kind: Kind

    def connection_for_read(self, url: str | None = None, **kwargs: Any) -> Any:
        """Return a lazy connection for consuming."""
        return super().connection_for_read(url or self.url, **kwargs)

    def connection_for_write(self, url: str | None = None, **kwargs: Any) -> Any:
        """Return a lazy connection for publishing."""
        return super().connection_for_write(url or self.url, **kwargs)


class Timing(NamedTuple):
    """How long the app may be held up, in seconds: by a silent broker, and by running tasks at shutdown."""

    daemon_socket: float = 5.0
    worker_socket: float = 10.0
    drain: float = 30.0


def make_app(
    broker_url: str,
    *,
    embedded_folder: Path | None,
    role: Role,
    global_keyprefix: str | None = None,
    result_backend: str | None = None,
    timing: Timing = Timing(),  # noqa: B008 # immutable
) -> BrokerApp:
    """Build the app for a daemon or a worker; nothing is connected yet.

    With `embedded_folder` the broker is a spool in that folder and `broker_url` is not looked at. `global_keyprefix`
    stands before every key in Redis; other brokers know none.

    Raises:
        SettingsError: the URL is not one of Redis or RabbitMQ.
    """
    url = filesystem.URL if embedded_folder is not None else broker_url
    kind = broker_kind(url)
    if kind == "redis":
        # Only here: it loads the client.
        from celsched.broker import redis_close

        redis_close.install()
    app = BrokerApp(
        "celsched",
        broker=url,
        loader="app",
        set_as_current=role == "worker",  # a body's current_app is its worker's; a daemon leaves the process alone
        fixups=None if role == "worker" else [],  # Django's fix-up closes stale connections round a body
        amqp=PriorityAMQP if kind == "amqp" else None,
    )
    app.url, app.kind = url, kind
    app.backend_cls = result_backend or "disabled"  # what is only configured, CELERY_RESULT_BACKEND beats
    app.conf.update(
        _SETTINGS,
        **_settings_of(kind),
        broker_url=url,
        broker_read_url=url,
        broker_write_url=url,
        broker_transport_options=_transport_options(kind, role, embedded_folder, global_keyprefix, timing),
        # Results live in the store; a backend that the user names gets them as well.
        task_ignore_result=result_backend is None,
        # Prefork children and their tasks would die at once of a second signal.
        worker_soft_shutdown_timeout=timing.drain,
    )
    app.steps["consumer"].add(OutliveStrangers)
    if kind in _PREFETCH:
        app.steps["consumer"].add(_PREFETCH[kind])
    return app


_PREFETCH = {"embedded": TakeOnlyForFreeChildren, "amqp": ConsumeOnlyForFreeChildren}


def _settings_of(kind: Kind) -> dict[str, Any]:
    return {
        "worker_disable_prefetch": kind == "redis",
        # On RabbitMQ our prefetch step alone says how much is taken, after a reconnect too.
        "worker_enable_prefetch_count_reduction": kind != "amqp",
        # RabbitMQ keeps an exclusive queue locked for a connection that it does not know to be dead; its worker, back
        # on a new one, is refused, and tries again without a pause. The durable one goes by itself when unused.
        "control_queue_exclusive": kind != "amqp",
        "control_queue_durable": kind == "amqp",
        # Broadcasts need fan-out, which the spool does not have; `cancel` goes through the store anyway.
        "worker_enable_remote_control": kind != "embedded",
    }


def broker_kind(url: str) -> Kind:
    """Say which family `url` belongs to.

    Raises:
        SettingsError: celsched does not speak to it; the message shows the scheme only, never the password.
    """
    scheme = urlsplit(url).scheme.lower()
    if scheme not in _KINDS:
        raise SettingsError(
            f"broker_url: celsched cannot use a broker with the scheme {scheme!r}",
            hint="use redis(s)://, redis+socket://, sentinel:// or amqp(s)://; with none set, the broker is embedded",
        )
    return _KINDS[scheme]


def clean_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return `env` without the variables by which Celery would overrule the settings of a process we start."""
    return {name: value for name, value in env.items() if name not in _CELERY_VARIABLES}


def _transport_options(
    kind: Kind, role: Role, folder: Path | None, keyprefix: str | None, timing: Timing
) -> dict[str, Any]:
    silence = timing.worker_socket if role == "worker" else timing.daemon_socket
    if kind == "embedded":
        return {"folder": str(folder), "polling_interval": filesystem.Transport.polling_interval}
    if kind == "amqp":
        # Confirms: "sent" means that RabbitMQ has it. A consumer reads without limit; its heartbeat finds a dead peer.
        timeouts = {"read_timeout": silence, "write_timeout": silence} if role == "daemon" else {}
        return {"confirm_publish": True, **timeouts}
    if kind == "memory":
        return {}
    options: dict[str, Any] = {
        # The default is None: a Redis that hangs would hold us for ever.
        "socket_timeout": silence,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "visibility_timeout": 3600,
    }
    # Only where the user sets one: their own Celery application must see the same keys.
    return options if keyprefix is None else {**options, "global_keyprefix": keyprefix}
