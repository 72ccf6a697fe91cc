"""Checks the embedded broker's folders: nothing is lost, nothing comes twice, and strangers end nobody."""

import logging
import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from celsched.broker.app import BrokerApp, make_app
from celsched.broker.check import check_broker
from celsched.broker.control import inspect_task, ping
from celsched.broker.message import Message, task_id
from celsched.broker.publisher import Publisher
from celsched.broker.spool import Spool
from celsched.clock import SystemClock
from celsched.errors import BrokerUnreachable
from tests.broker.consuming import consume, consume_on


@pytest.fixture
def app(tmp_path: Path) -> BrokerApp:
    return make_app("", embedded_folder=tmp_path / "spool", role="daemon")


def _send(publisher: Publisher, number: int, queue: str = "default") -> None:
    publisher.publish(Message("w", number, 1), task_id=task_id("w", number, 1, 1), queue=queue, priority=5)


def _numbers(app: BrokerApp, queue: str, count: int) -> list[int]:
    return [delivery.message.execution_id for delivery in consume(app, queue, count, patience=0.3)]


def _queue_folder(tmp_path: Path, queue: str) -> Path:
    return tmp_path / "spool" / "queues" / f"q-{queue}"


def test_messages_come_out_once_and_in_the_order_they_went_in(app: BrokerApp) -> None:
    publisher = Publisher(app)
    for number in range(1, 51):
        _send(publisher, number)
    assert _numbers(app, "default", 51) == list(range(1, 51))


@pytest.mark.parametrize("queue", ["صف نگهداری", "نیم‌فاصله", "..", "a/b", "x" * 255, "ص" * 127, "celery@host", "Ω%"])
def test_any_queue_name_has_a_folder_of_its_own(app: BrokerApp, tmp_path: Path, queue: str) -> None:
    publisher = Publisher(app)
    _send(publisher, 1, queue)
    _send(publisher, 2, "default")
    assert _numbers(app, queue, 2) == [1]
    assert {path.name for path in tmp_path.iterdir()} == {"spool"}


def test_3000_messages_of_two_processes_reach_two_consumers_exactly_once(app: BrokerApp, tmp_path: Path) -> None:
    folder = str(tmp_path / "spool")
    command = [sys.executable, "-m", "tests.broker.flood", folder]
    floods = [subprocess.Popen([*command, *bounds]) for bounds in (("1", "1501"), ("1501", "3001"))]

    taken: list[tuple[int, int]] = []

    def drain(consumer: int) -> None:
        with app.connection_for_read() as connection:
            silent = 0
            while len(taken) < 3000 and silent < 20:
                found = consume_on(connection, "سیل", 100, patience=0.5)
                taken.extend((delivery.message.execution_id, consumer) for delivery in found)
                silent = 0 if found else silent + 1

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(drain, range(2)))
    assert [flood.wait() for flood in floods] == [0, 0]
    assert Counter(number for number, _ in taken) == Counter(range(1, 3001))
    assert {consumer for _, consumer in taken} == {0, 1}


def test_strangers_are_set_aside_once_and_the_next_message_comes(
    app: BrokerApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher(app)
    _send(publisher, 1)
    folder = _queue_folder(tmp_path, "default")
    whole = next(folder.glob("*.msg")).read_bytes()
    (folder / "0-half.msg").write_bytes(whole[: len(whole) // 2])
    (folder / "0-empty.msg").touch()
    (folder / "0-binary.msg").write_bytes(b"\xff\x00" * 10)
    (folder / "0-list.msg").write_text("[]")
    (folder / "0-type.msg").write_text('{"__type__": "uuid", "__value__": 3}')
    (folder / "0-deep.msg").write_text("[" * 200_000)
    (folder / "0-body.msg").write_bytes(whole.replace(b'"body": "W', b'"body": "*'))
    (folder / "0-link.msg").symlink_to("/etc/hostname")
    (folder / "0-folder.msg").mkdir()
    os.mkfifo(folder / "0-pipe.msg")
    (folder / "notes.txt").write_text("یادداشت")
    with caplog.at_level(logging.WARNING, logger="celsched.broker.spool"):
        assert _numbers(app, "default", 2) == [1]
    set_aside = ["half", "empty", "binary", "list", "type", "deep", "body"]
    left_alone = ["link", "folder", "pipe"]
    quarantined = "\n".join(path.name for path in (tmp_path / "spool" / "quarantine").iterdir())
    assert [name for name in set_aside if f"0-{name}.msg" not in quarantined] == []
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"0-{name}.msg" for name in left_alone), "notes.txt"]
    )
    assert len(caplog.records) == len(set_aside) + len(left_alone)


def test_what_cannot_be_read_is_left_behind(app: BrokerApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(app)
    _send(publisher, 1)
    (broken,) = _queue_folder(tmp_path, "default").glob("*.msg")
    _send(publisher, 2)
    really_open = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if Path(path).name == broken.name:
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, whom no mode keeps out
    assert _numbers(app, "default", 2) == [2]


def test_the_quarantine_keeps_the_newest_hundred(tmp_path: Path) -> None:
    spool = Spool(tmp_path, SystemClock())
    spool.declare("q")
    for number in range(130):
        (tmp_path / "queues" / "q-q" / f"{number:03d}.msg").touch()

    def refuse(raw: bytes) -> None:
        raise ValueError("never")

    assert spool.take("q", refuse) is None
    kept = sorted(path.name[-7:-4] for path in (tmp_path / "quarantine").iterdir())
    assert kept == [f"{number:03d}" for number in range(30, 130)]


def test_a_folder_removed_while_both_sides_run_is_made_again(app: BrokerApp, tmp_path: Path) -> None:
    publisher = Publisher(app)
    with app.connection_for_read() as connection:
        _send(publisher, 1)
        assert len(consume_on(connection, "default", 1, patience=1.0)) == 1
        shutil.rmtree(tmp_path / "spool")
        assert consume_on(connection, "default", 1, patience=0.1) == []
        shutil.rmtree(tmp_path / "spool")
        _send(publisher, 2)
        assert [delivery.message.execution_id for delivery in consume_on(connection, "default", 1, patience=1.0)] == [2]


def test_a_folder_that_cannot_be_written_is_an_unreachable_broker(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    publisher = Publisher(make_app("", embedded_folder=tmp_path / "file", role="daemon"))
    with pytest.raises(BrokerUnreachable):
        _send(publisher, 1)
    with pytest.raises(BrokerUnreachable, match="cannot be written"):
        check_broker("", embedded_folder=tmp_path / "file")


@pytest.mark.parametrize("first", ["check", "put"])
def test_every_folder_made_is_closed_to_others(tmp_path: Path, first: str) -> None:
    data = tmp_path / ".celsched"
    before = os.umask(0o022)
    try:
        if first == "check":
            check_broker("", embedded_folder=data / "broker")
        Spool(data / "broker", SystemClock()).put("q", b"strange")
    finally:
        os.umask(before)
    made = [data, *(path for path in data.rglob("*") if path.is_dir())]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in made} == dict.fromkeys(
        [".celsched", "broker", "queues", "q-q"], 0o700
    )


def test_workers_of_the_embedded_broker_are_not_asked(app: BrokerApp) -> None:
    assert inspect_task(app, "celsched-w-1.1.1", 0.1) is None
    assert ping(app, 0.1) == ()


def test_purge_and_size(app: BrokerApp) -> None:
    publisher = Publisher(app)
    _send(publisher, 1, "ص")
    _send(publisher, 2, "ص")
    with app.connection_for_write() as connection:
        channel = connection.channel()
        assert channel.queue_declare("ص").message_count == 2
        assert channel.queue_purge("ص") == 2
        assert channel.queue_declare("ص").message_count == 0
