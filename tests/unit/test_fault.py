"""The test hook of the named fault points: what it accepts, and what the process that passes there does to itself.

It never waits for a process by time: a child that was to die or freeze is told by its wait status.
"""

import os
import signal

import pytest

from celsched.errors import SettingsError
from celsched.settings.fault import POINTS, fault_of


def status_after(setting: str | None, *passed: str) -> int:
    """Return the wait status of a child that passes these points and then exits with 7."""
    pid = os.fork()
    if pid == 0:
        os.close(2)  # what it says there is not this test's
        os.open(os.devnull, os.O_WRONLY)
        fault = fault_of(setting)
        for point in passed:
            fault(point)
        os._exit(7)
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(pid, signal.SIGCONT)
        _, after = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(after) == 7, "what was frozen goes on where it stood"
    return status


@pytest.mark.parametrize(
    ("setting", "passed"),
    [
        ("claim.taken", ["claim.before", "claim.taken"]),
        ("claim.taken:3", ["claim.taken"] * 3),
    ],
)
def test_it_dies_at_the_counted_pass(setting: str, passed: list[str]) -> None:
    assert os.WTERMSIG(status_after(setting, *passed)) == signal.SIGKILL
    assert os.waitstatus_to_exitcode(status_after(setting, *passed[:-1])) == 7


@pytest.mark.parametrize(
    ("setting", "passed"),
    [
        ("fires.recorded:stop", ["fires.committed", "fires.recorded"]),
        ("fires.recorded:2:stop", ["fires.recorded"] * 2),
    ],
)
def test_it_freezes_at_the_counted_pass_and_goes_on(setting: str, passed: list[str]) -> None:
    status = status_after(setting, *passed)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGSTOP
    assert os.waitstatus_to_exitcode(status_after(setting, *passed[:-1])) == 7


def test_without_a_setting_every_point_is_passed() -> None:
    assert os.waitstatus_to_exitcode(status_after(None, *sorted(POINTS))) == 7


@pytest.mark.parametrize(
    "setting", ["", "claim", "claim.taken:", "claim.taken:0", "claim.taken:x", "claim.taken:1:2", "claim.taken:stop:1"]
)
def test_anything_else_is_refused(setting: str) -> None:
    with pytest.raises(SettingsError, match=r"`fault` must be one of body\.ended"):
        fault_of(setting)
