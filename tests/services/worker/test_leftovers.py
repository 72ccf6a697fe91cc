"""Checks what a body left running: found by the kernel's word, ended politely or not, nothing else touched."""

import os
import subprocess
import sys

from celsched.clock import SystemClock
from celsched.worker import processes
from celsched.worker.leftovers import end_leftovers
from tests.support.project import lives
from tests.support.waiting import wait_until

# In a process of its own, which has no other children and may adopt orphans.
_BODY = """
import subprocess, sys, time
from celsched.clock import SystemClock
from celsched.worker import processes
from celsched.worker.leftovers import end_leftovers

processes.adopt_orphans()
assert not processes.has_children() and processes.children() == set()
mine = subprocess.Popen(["sleep", "60"])
before = processes.children()
assert before == {mine.pid}, before
subprocess.run(["sh", "-c", "(trap '' TERM; setsid sh -c 'trap \\"\\" TERM; echo $$; while :; do sleep 0.2; done' &) "])
print(mine.pid, flush=True)
while len(processes.children()) < 2:
    time.sleep(0.01)
end_leftovers(before, 0.2, SystemClock())
assert processes.children() == before
print("ended", flush=True)
sys.stdin.read()
"""


def test_what_escaped_and_heeds_nothing_is_ended_and_what_was_there_before_is_not() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _BODY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as body:
        assert body.stdout is not None
        words = [body.stdout.readline().strip() for _ in range(3)]
        assert words[2] == "ended", words
        pids = {int(word) for word in words[:2]}
        before = {pid for pid in pids if lives(pid)}
        assert len(before) == 1
        assert body.stdin is not None
        body.stdin.close()
        for pid in before:
            os.kill(pid, 9)
    assert body.returncode == 0


def test_a_zombie_is_a_child_and_no_leftover() -> None:
    child = subprocess.Popen(["true"])
    wait_until(lambda: not lives(child.pid), message="it is a zombie")
    assert processes.has_children()
    assert child.pid in processes.children()
    end_leftovers(processes.children() - {child.pid}, 5.0, SystemClock())  # returns at once, and reaps it
    assert child.pid not in processes.children()
    child.returncode = 0  # reaped above
