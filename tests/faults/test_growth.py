"""Owns the tests of what the soak calls growth. It never looks at a process."""

import pytest

from tests.faults.growth import courses, growing

_LOOKS = 100


def test_what_stays_flat_is_no_finding() -> None:
    breathing = [80.0 + 5 * (look % 7) for look in range(_LOOKS)]
    assert list(growing({"worker1 MB": breathing, "daemon1 files": [31.0] * _LOOKS})) == []


def test_warming_up_is_no_growth() -> None:
    warming = [min(40.0 + 4 * look, 90.0) for look in range(_LOOKS)]
    assert list(growing({"daemon1 MB": warming})) == []


@pytest.mark.parametrize(
    ("name", "step"), [("worker1 MB", 0.5), ("daemon1 files", 0.4), ("PostgreSQL connections", 0.2), ("Redis keys", 1)]
)
def test_a_leak_is_found_with_its_numbers(name: str, step: float) -> None:
    leaking = [40.0 + step * look for look in range(_LOOKS)]
    [(kind, evidence)] = growing({name: leaking})
    assert kind == "grows"
    assert name in evidence
    assert f"{courses({name: leaking})[name].late:.0f} in the end" in evidence


def test_a_single_peak_is_told_and_not_blamed() -> None:
    peak = [40.0] * _LOOKS
    peak[-1] = 400.0
    assert list(growing({"WAL MB": peak})) == []
    assert courses({"WAL MB": peak})["WAL MB"].most == 400.0


def test_too_few_looks_say_nothing() -> None:
    assert courses({"worker1 MB": [1.0, 900.0]}) == {}
