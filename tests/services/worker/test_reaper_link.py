"""The reaper of a worker is replaced when it dies, and one that cannot live is not started all the time.

No test here tells it a process: what it is told, it kills.
"""

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from celsched.worker import reaper, reaper_link
from celsched.worker.reaper_link import ReaperLink


@pytest.fixture
def now() -> list[float]:
    """The monotonic clock, as a list of one number."""
    return [100.0]


@pytest.fixture
def link(tmp_path: Path, now: list[float]) -> Iterator[ReaperLink]:
    made = ReaperLink("nobody", tmp_path / "folder", lambda: now[0])
    yield made
    made.close()


def _pid(link: ReaperLink) -> int:
    assert link._process is not None
    return link._process.pid


def test_a_reaper_that_died_is_replaced_after_a_pause(link: ReaperLink, now: list[float]) -> None:
    link.start()
    first = _pid(link)
    assert link._process is not None
    link._process.kill()
    link._process.wait(10)
    link.tell(set())
    assert _pid(link) == first
    now[0] += 5
    link.tell(set())
    assert _pid(link) != first


def test_one_that_cannot_be_started_is_tried_now_and_then_and_told_once(
    link: ReaperLink, now: list[float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[float] = []

    def refuse(*_: object, **__: object) -> None:
        tries.append(now[0])
        raise OSError("Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", refuse)
    with caplog.at_level(logging.WARNING, logger=reaper_link.__name__):
        link.start()
        for _ in range(110):
            now[0] += 0.1
            link.tell(set())
    assert len(tries) == 3
    assert len(caplog.records) == 1


def test_the_ancestor_of_everything_is_nobodys_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("+0\n+1\n"))
    assert reaper._told() == set()
