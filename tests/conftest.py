"""Owns what every ring of tests shares: a clean environment and the real services.

It never touches a service that was running before: each session starts its own.
"""

import os
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, settings

from tests.support.browser import find_browser
from tests.support.extras import ALL_MUST_RUN, installed
from tests.support.rabbitmq import RabbitServer, find_rabbitmq, rabbit_in
from tests.support.services import PostgresServer, RedisServer

# How long an example takes says how busy the machine is, and nothing else.
settings.register_profile("celsched", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("celsched")
_numbers = count(1)
_MOST_PROCESSES = 4
"""Each has services of its own, and tests that wait for a second or two do not like a crowd."""


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected, drop what the caller's shell would decide for the tests and their subprocesses."""
    for name in set(os.environ) - {ALL_MUST_RUN}:
        if name.startswith(("CELSCHED_", "CELERY_", "LC_")) or name in {
            "LANGUAGE",
            "NO_COLOR",
            "FORCE_COLOR",
            "COLUMNS",
        }:
            del os.environ[name]
    os.environ.update(LANG="C.UTF-8", LC_ALL="C.UTF-8", PYTHONUTF8="1", TZ="UTC")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share the whole suite among processes; run what was asked for by name in this one, where a debugger works."""
    whole = list(config.args) == list(config.getini("testpaths"))
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES) if whole else 0


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The session's Redis; a test that stops, kills or freezes one makes its own `RedisServer(tmp_path)`."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of the session's Redis, emptied for this test."""
    client = redis_server.client()
    client.flushall()
    client.close()
    return redis_server.url


@pytest.fixture(scope="session")
def rabbitmq_program() -> str:
    """The path of RabbitMQ's program, which pip cannot install."""
    return installed(find_rabbitmq(), "rabbitmq-server")


@pytest.fixture(scope="session")
def rabbit_server(tmp_path_factory: pytest.TempPathFactory, rabbitmq_program: str) -> Iterator[RabbitServer]:
    """The session's RabbitMQ; a module that stops, kills or freezes one takes `own_rabbit`."""
    with rabbit_in(tmp_path_factory.mktemp("rabbitmq"), rabbitmq_program) as server:
        yield server


@pytest.fixture(scope="module")
def own_rabbit(tmp_path_factory: pytest.TempPathFactory, rabbitmq_program: str) -> Iterator[RabbitServer]:
    """A RabbitMQ that the tests of a module may hurt; each leaves it running."""
    with rabbit_in(tmp_path_factory.mktemp("own-rabbitmq"), rabbitmq_program) as server:
        yield server


@pytest.fixture
def rabbit_url(rabbit_server: RabbitServer) -> str:
    """The URL of a fresh virtual host of the session's RabbitMQ."""
    return rabbit_server.add_vhost(f"test-{next(_numbers)}")


@pytest.fixture(scope="session")
def browser() -> str:
    """The path of a browser, which pip cannot install."""
    return installed(find_browser(), "chromium")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The session's PostgreSQL; a test that restarts one makes its own `PostgresServer(tmp_path)`."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def postgres_template() -> str | None:
    """The database that `postgres_url` copies; a ring that needs tables overrides this fixture in its own conftest."""
    return None


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str | None) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh database, a copy of `postgres_template`, dropped after the test."""
    name = f"celsched_test_{next(_numbers)}"
    yield postgres_server.create_database(name, postgres_template)
    postgres_server.drop_database(name)
