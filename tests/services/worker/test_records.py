"""What is stored of results and failures."""

import pytest
from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from celsched.redact import Redactor
from celsched.worker.failure import describe
from celsched.worker.result import storable
from celsched.worker.text import bounded, bounded_end, clean

REDACTOR = Redactor()


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ({"a": [1, 2.5, "سلام", None, True]}, {"a": [1, 2.5, "سلام", None, True]}),
        ({1: "x"}, {"1": "x"}),
        ({"password": "p", "n": {"text": "token=abcdefgh1"}}, {"password": "***", "n": {"text": "token=***"}}),
        ("nul \0 here", "nul \ufffd here"),
        ({1, 2}, {"repr": "{1, 2}", "stored": "its repr: not JSON"}),
        (float("nan"), {"repr": "nan", "stored": "its repr: not JSON"}),
    ],
)
def test_results(value: object, stored: object) -> None:
    assert storable(value, REDACTOR) == stored


def test_results_that_no_store_should_hold() -> None:
    large = storable("x" * 70_000, REDACTOR)
    assert large["stored"].startswith("cut")
    assert len(large["repr"]) <= 4096
    circle: list[object] = []
    circle.append(circle)
    assert storable(circle, REDACTOR)["repr"] == "[[...]]"
    assert "Hostile" in storable(Hostile(), REDACTOR)["repr"]


def test_a_failure_begins_at_the_users_frame_and_is_masked() -> None:
    try:
        raise ValueError("password=hunter2")
    except ValueError as error:
        told = describe(error, REDACTOR)
    assert (told.type, told.message) == ("ValueError", "password=***")
    assert told.traceback is not None
    assert "test_records.py" in told.traceback.splitlines()[1]


def test_failures_that_are_hard_to_tell() -> None:
    assert describe(Hostile(), REDACTOR).message.startswith("Hostile")
    assert describe(ValueError(), REDACTOR).message == "ValueError"
    assert len(describe(ValueError("x" * 100_000), REDACTOR).message) <= 8192
    long = describe(ValueError("y" * 100_000), REDACTOR).traceback
    assert long is not None
    assert len(long) <= 32 * 1024


class _Worded(SoftTimeLimitExceeded):  # type: ignore[misc]  # billiard has no types
    def __str__(self) -> str:
        return "the body's own words"


def test_a_time_limit_is_told_without_its_name_twice() -> None:
    told = describe(SoftTimeLimitExceeded("the soft time limit of 4 s was reached"), REDACTOR)
    assert (told.type, told.message) == ("SoftTimeLimitExceeded", "the soft time limit of 4 s was reached")
    assert describe(SoftTimeLimitExceeded(), REDACTOR).message == "SoftTimeLimitExceeded"
    assert describe(_Worded(1), REDACTOR).message == "the body's own words"
    assert describe(TimeLimitExceeded(5), REDACTOR).message == "5"


@pytest.mark.parametrize(
    ("error", "last"),
    [
        (SoftTimeLimitExceeded("too late"), "billiard.exceptions.SoftTimeLimitExceeded: too late"),
        (SoftTimeLimitExceeded(), "billiard.exceptions.SoftTimeLimitExceeded"),
        (ValueError("no"), "ValueError: no"),
    ],
)
def test_a_traceback_ends_with_words_that_name_the_exception_once(error: Exception, last: str) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    traceback = describe(caught.value, REDACTOR).traceback
    assert traceback is not None
    assert traceback.splitlines()[-1] == last


def test_texts() -> None:
    assert clean("سلام \ud800 \0") == "سلام ? \ufffd"
    assert bounded("abc", 3) == "abc"
    assert len(bounded("a" * 100, 50)) == 50
    assert bounded_end("a" * 100 + "end", 50).endswith("end")
    assert len(bounded_end("a" * 100 + "end", 50)) == 50
