"""`celsched top` in a real pseudo terminal: keys, resizes, signals, an outage, and the terminal it leaves behind."""

import fcntl
import os
import pty
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.cli_project import CliProject
from tests.support.waiting import wait_until

MANIFEST = """\
version: 1
set: a
tasks: {سلام: {task_path: jobs.greet}}
schedules:
  پاکسازی فایل‌ها: {task: سلام, every: 1h}
"""
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Screen:
    """A pseudo terminal with the live view in it."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int, slave: int) -> None:
        self.process = process
        self.master = master
        self.slave = slave
        self.output = b""

    def read(self) -> bytes:
        """Take what was written so far."""
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536)
        return self.output

    def wait_for(self, text: str, since: int = 0) -> int:
        """Wait until this was drawn after a place; return the present place."""
        wait_until(lambda: text.encode() in self.read()[since:], timeout=40, message=f"{text!r} is drawn")
        return len(self.output)

    def press(self, keys: str) -> int:
        """Type; return the place before it."""
        place = len(self.read())
        os.write(self.master, keys.encode())
        return place

    def resize(self, rows: int, columns: int) -> int:
        """Change the size, as a window manager does; return the place before it."""
        place = len(self.read())
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)
        return place

    def ended(self) -> int:
        """Wait for the end and return the exit code."""
        wait_until(lambda: bool(self.read()) and self.process.poll() is not None, timeout=40, message="it ends")
        self.read()
        return self.process.returncode


@contextmanager
def top(project: CliProject) -> Iterator[Screen]:
    """Start the live view; afterwards the terminal must be as it was."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(slave)
    env = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1"}
    for name in ("COLUMNS", "LINES"):
        env.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "celsched", "top"], cwd=project.folder, env=env,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    screen = Screen(process, master, slave)
    try:
        yield screen
        assert termios.tcgetattr(slave) == before
        assert screen.output.count(ENTER) == screen.output.count(LEAVE) == 1
        assert screen.output.rindex(b"\x1b[?25h") > screen.output.rindex(b"\x1b[?25l"), "the cursor is hidden"
        assert b"Traceback" not in screen.output
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> CliProject:
    made = CliProject(tmp_path_factory.mktemp("top"))
    made.write("good.yaml", MANIFEST)
    made.done("apply", "-f", "good.yaml", "--no-import")
    return made


def test_keys_act_on_the_store_and_q_leaves_the_terminal_as_it_was(project: CliProject) -> None:
    with top(project) as screen:
        screen.wait_for("پاکسازی فایل‌ها")
        assert b"\x1b[31m" not in screen.output, "NO_COLOR is set"
        screen.wait_for("paused 'پاکسازی فایل‌ها'", screen.press("p"))
        assert '"status": "paused"' in project.done("schedules", "-o", "json")
        screen.wait_for("resumed 'پاکسازی فایل‌ها'", screen.press("p"))
        screen.wait_for("Enter keeps it", screen.press("/"))
        screen.wait_for("filter: فا", screen.press("فا\r"))
        screen.press("q")
        assert screen.ended() == 0


def test_a_resize_draws_anew_in_the_new_size(project: CliProject) -> None:
    with top(project) as screen:
        screen.wait_for("RUNNING")
        screen.wait_for("too small", screen.resize(8, 30))
        screen.wait_for("RUNNING", screen.resize(40, 132))
        screen.press("q")
        assert screen.ended() == 0


@pytest.mark.parametrize("how", ["\x03", signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_cleanly(project: CliProject, how: str | signal.Signals) -> None:
    with top(project) as screen:
        screen.wait_for("RUNNING")
        if isinstance(how, str):
            # Ctrl-C reaches only a terminal's own session; here the signal stands for it.
            screen.process.send_signal(signal.SIGINT)
        else:
            screen.process.send_signal(how)
        assert screen.ended() == 0


def test_a_store_that_cannot_be_read_is_told_while_it_goes_on(project: CliProject) -> None:
    with top(project) as screen, sqlite3.connect(project.folder / ".celsched" / "celsched.db") as store:
        screen.wait_for("0 running")
        store.execute("ALTER TABLE instances RENAME TO away")
        store.commit()
        place = screen.wait_for("the store was not read: the store has no celsched tables")
        assert screen.process.poll() is None
        store.execute("ALTER TABLE away RENAME TO instances")
        store.commit()
        screen.wait_for("0 running", place)
        screen.press("q")
        assert screen.ended() == 0
    store.close()
