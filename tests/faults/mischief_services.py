"""Owns the ways to break what celsched stands on: Redis and PostgreSQL, or the SQLite file and the broker's folder.

It never touches a process of celsched.
"""

import random
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import redis
from psycopg import sql

from tests.faults.mischief import Mischief, pause
from tests.faults.site import Site
from tests.support.services import PostgresServer, RedisServer

_NOBODY: frozenset[int] = frozenset()


def of_services(site: Site) -> list[Mischief]:
    """Return what can be done to the services or files that this installation stands on."""
    if site.redis and site.postgres:
        return _of_redis(site.redis) + _of_postgres(site.postgres)
    return _of_files()


def _of_redis(server: RedisServer) -> list[Mischief]:
    def restart(site: Site, chance: random.Random) -> frozenset[int]:
        server.restart()
        return _NOBODY

    def down(site: Site, chance: random.Random) -> frozenset[int]:
        server.kill()
        pause(chance.uniform(2.5, 7))
        server.start()
        return _NOBODY

    def flush(site: Site, chance: random.Random) -> frozenset[int]:
        with closing(server.client()) as client:
            client.flushall()
        return _NOBODY

    def hang(site: Site, chance: random.Random) -> frozenset[int]:
        server.sigstop()
        try:
            pause(chance.uniform(2, 8))
        finally:
            server.sigcont()
        return _NOBODY

    def refuse(site: Site, chance: random.Random) -> frozenset[int]:
        name, harm, well = chance.choice((("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")))
        with closing(server.client()) as client:
            client.config_set(name, harm)
            try:
                pause(chance.uniform(2, 5))
            finally:
                client.config_set(name, well)
        return _NOBODY

    def drop(site: Site, chance: random.Random) -> frozenset[int]:
        with closing(server.client()) as client, suppress(redis.RedisError):
            client.client_kill_filter(_type=chance.choice(("normal", "pubsub")), skipme=True)
        return _NOBODY

    return [
        Mischief("redis restart", restart),
        Mischief("redis down", down),
        Mischief("redis flush", flush),
        Mischief("redis hangs", hang),
        Mischief("redis refuses", refuse),
        Mischief("redis drops clients", drop),
    ]


def _of_postgres(server: PostgresServer) -> list[Mischief]:
    def fast(site: Site, chance: random.Random) -> frozenset[int]:
        server.restart("fast")
        return _NOBODY

    def immediate(site: Site, chance: random.Random) -> frozenset[int]:
        server.restart("immediate")
        return _NOBODY

    def down(site: Site, chance: random.Random) -> frozenset[int]:
        server.stop(chance.choice(("fast", "immediate")))
        pause(chance.uniform(2.5, 9))
        server.start()
        return _NOBODY

    def drop(site: Site, chance: random.Random) -> frozenset[int]:
        # The reply of a COMMIT may be lost with the connection.
        for _ in range(3):
            server.execute(
                sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}").format("faults")
            )
            pause(chance.uniform(0, 0.3))
        return _NOBODY

    return [
        Mischief("postgres restart fast", fast, store=True),
        Mischief("postgres restart immediate", immediate, store=True),
        Mischief("postgres down", down, store=True),
        Mischief("postgres drops clients", drop, store=True),
    ]


def _of_files() -> list[Mischief]:
    @contextmanager
    def opened(site: Site) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(site.database, timeout=10, isolation_level=None)) as connection:
            yield connection

    def snapshot(site: Site, chance: random.Random) -> frozenset[int]:
        with opened(site) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM executions").fetchone()
            pause(chance.uniform(3, 10))
            connection.execute("ROLLBACK")
        return _NOBODY

    def write_lock(site: Site, chance: random.Random) -> frozenset[int]:
        with opened(site) as connection:
            connection.execute("BEGIN IMMEDIATE")
            pause(chance.uniform(1, 3.5))
            connection.execute("ROLLBACK")
        return _NOBODY

    def junk(site: Site, chance: random.Random) -> frozenset[int]:
        queue = next((site.broker_folder / "queues").iterdir())
        for content in (b"", b'{"body": "aGFsZi', secrets.token_bytes(200), b'{"headers": {}, "properties": 7}'):
            (queue / f"{secrets.token_hex(8)}.msg").write_bytes(content)
        (queue / f"{secrets.token_hex(8)}.msg").mkdir()
        (queue / f".{secrets.token_hex(8)}.tmp").write_bytes(b"half")
        (queue / "README").write_text("not a message")
        return _NOBODY

    def delete(site: Site, chance: random.Random) -> frozenset[int]:
        shutil.rmtree(site.broker_folder, ignore_errors=True)
        return _NOBODY

    return [
        Mischief("sqlite snapshot held", snapshot),
        Mischief("sqlite write lock held", write_lock, store=True),
        Mischief("broker junk", junk),
        Mischief("broker folder deleted", delete),
    ]
