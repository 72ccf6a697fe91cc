"""Who is told to stop before it can hear is killed by that; who can hear ends cleanly, or is found out."""

import sys
from pathlib import Path

import pytest

from tests.faults.crew import Crew, Member
from tests.support.waiting import wait_until

_HEARS = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: {}); print('up', flush=True); signal.pause()"
_DEAF = "import signal; print('up', flush=True); signal.pause()"


@pytest.mark.parametrize(
    ("program", "found"),
    [
        (_DEAF, []),
        (_HEARS.format("sys.exit(0)"), []),
        (_HEARS.format("sys.exit(3)"), ["exit code"]),
        (_HEARS.format("(signal.signal(15, signal.SIG_DFL), signal.raise_signal(15))"), ["exit code"]),
    ],
)
def test_an_end_by_sigterm_is_clean_only_before_there_is_a_handler(
    tmp_path: Path, program: str, found: list[str]
) -> None:
    member = Member("one", "daemon", [sys.executable, "-c", program], tmp_path, {})
    crew = Crew([member])
    crew.start()
    try:
        wait_until(lambda: member.log.read_text() == "up\n", timeout=20, message="it is up")
        crew.stop(20)
    finally:
        crew.abandon()
    assert [kind for kind, _ in crew.findings] == found
