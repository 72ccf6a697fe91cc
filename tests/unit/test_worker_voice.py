"""What a worker's log lets through: news, not a line for each of several tries a second."""

import logging
import sys

import pytest

from celsched.worker.quiet import Outcomes


def _record(name: str, message: str, at: float) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, (), None)
    record.created = at
    return record


def test_a_broker_that_stays_away_is_told_twice_a_minute() -> None:
    outcomes = Outcomes()
    told = [
        outcomes.filter(_record("celery.worker.consumer.consumer", "Cannot connect", tick / 5)) for tick in range(300)
    ]
    assert sum(map(bool, told)) == 2
    assert outcomes.filter(_record("celery.worker.consumer.consumer", "another trouble", 1.0))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("celery.worker.consumer.consumer", "Frequent restarts detected"),
        ("celery.worker.request", "Couldn't ack %r, reason:%r"),
    ],
)
def test_no_traceback_about_the_broker_and_no_advice_about_its_settings(name: str, message: str) -> None:
    outcomes = Outcomes()
    record = _record(name, message, 0.0)
    try:
        raise RuntimeError("5 in 1s")
    except RuntimeError:
        record.exc_info = sys.exc_info()
    assert outcomes.filter(record)
    assert record.exc_info is None
    assert not outcomes.filter(_record("py.warnings", "consumer.py:427: CPendingDeprecationWarning: ..", 0.0))
    assert outcomes.filter(_record("py.warnings", "jobs.py:1: UserWarning: look", 0.0))
