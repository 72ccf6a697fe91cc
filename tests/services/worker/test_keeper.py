"""The worker's two threads: what one piece of work cannot do, or the store does not let it, stops no other one."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from celsched.clock import SystemClock
from celsched.errors import NotPermitted
from celsched.worker.keeper import Keeper, Turns
from tests.support.waiting import wait_until


class Parts:
    """Stands for guard, ledger and reaper, and counts what they are asked."""

    give_up_at: float | None = None

    def __init__(self, failing: str, error: Exception) -> None:
        self.calls: Counter[str] = Counter()
        self._failing, self._error = failing, error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def called(*_: object) -> Any:
            self.calls[name] += 1
            if name == self._failing:
                raise self._error
            return set() if name == "children" else True

        return called


@contextmanager
def _kept(parts: Parts) -> Iterator[None]:
    part = cast(Any, parts)
    keeper = Keeper(part, part, part, SystemClock(), 0.0, Turns(part.alive, part.check))
    keeper.start()
    try:
        yield
    finally:
        keeper.close(0.0)


@pytest.mark.parametrize("failing", ["settle", "ship", "check"])
def test_an_error_of_one_work_stops_no_heartbeat_and_is_told_once(
    failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts(failing, RuntimeError("a fault of ours"))
    with _kept(parts):
        wait_until(lambda: parts.calls[failing] >= 2 and parts.calls["beat"] >= 4, timeout=20, message="two turns")
    assert len([one for one in caplog.records if one.exc_info]) == 1


def test_a_store_that_refuses_is_told_once_and_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts("beat", NotPermitted("this user may not write the store"))
    with caplog.at_level(logging.WARNING), _kept(parts):
        wait_until(lambda: parts.calls["beat"] >= 3, timeout=20, message="three tries")
    (told,) = caplog.records
    assert told.getMessage().startswith("this user may not write the store; bodies go on")
    assert not told.exc_info
