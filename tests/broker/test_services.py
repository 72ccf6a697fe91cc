"""Checks the test servers themselves, since every other ring stands on them."""

from pathlib import Path

import psycopg
import pytest
import redis

from tests.support.services import PostgresServer, RedisServer


def _connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(url.replace("+psycopg", ""))


def test_a_template_is_copied_and_every_test_gets_a_fresh_database(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    template = postgres_server.create_database("template_of_services")
    with _connect(template) as connection:
        connection.execute("CREATE TABLE kept (نام text)")
        connection.execute("INSERT INTO kept VALUES ('پاک‌سازی')")
    copy = postgres_server.create_database("copy_of_services", "template_of_services")
    with _connect(copy) as connection:
        assert connection.execute("SELECT * FROM kept").fetchall() == [("پاک‌سازی",)]
    with _connect(postgres_url) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM kept")
    postgres_server.drop_database("copy_of_services")
    postgres_server.drop_database("template_of_services")


def test_postgres_keeps_committed_rows_through_an_immediate_restart(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path)
    server.start()
    try:
        with _connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        server.restart("immediate")
        with _connect(server.url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    finally:
        server.stop("immediate")
    with pytest.raises(psycopg.OperationalError):
        _connect(server.url)


def test_redis_can_be_frozen_killed_and_restarted_on_its_port(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        with redis.Redis.from_url(server.url, socket_timeout=0.2) as client:
            client.set("key", "value")
            server.sigstop()
            with pytest.raises(redis.TimeoutError):
                client.get("key")
            server.sigcont()
            server.restart()
            assert client.get("key") is None
    finally:
        server.kill()
