"""Owns a real browser (Chromium, no window), spoken to through pipes in its DevTools protocol. It opens only files.

It never downloads one: where none is installed, `find_browser` returns None.
"""

import contextlib
import fcntl
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 60.0
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
)  # fmt: skip


def find_browser() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    return next((path for path in map(shutil.which, _NAMES) if path is not None), None)


@dataclass
class Page:
    """One tab. `requests` are the addresses that it asked for, `complaints` what the browser found wrong with it."""

    commands: int
    answers: int
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _session: dict[str, str] = field(default_factory=dict)
    _number: int = 0
    _rest: bytes = b""
    _loaded: bool = False

    def attach(self) -> None:
        """Make the tab and listen to it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session["sessionId"] = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def open(self, path: Path) -> None:
        """Show a file; return once it is loaded."""
        self._loaded = False
        self.call("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._read()

    def resize(self, width: int, height: int) -> None:
        """Give the page this many pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def darken(self) -> None:
        """Prefer dark colours."""
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        self.call("Emulation.setEmulatedMedia", features=[dark])

    def ask(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def call(self, method: str, **values: Any) -> Any:
        """Send a command and return its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": values} | self._session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.answers], [], [], _SECONDS)
            data = os.read(self.answers, 65536) if ready else b""
            assert data, "the browser has gone" if ready else f"the browser says nothing for {_SECONDS} s"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, said: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method in {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}:
            self.complaints.append(json.dumps(said))


@contextlib.contextmanager
def page_of(program: str, folder: Path) -> Iterator[Page]:
    """Start the browser with a profile of its own in `folder`, hand over a tab, and end it."""
    to_browser, commands = map(_high, os.pipe())
    answers, from_browser = map(_high, os.pipe())
    command = shlex.join([program, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"])
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command} 3<&{to_browser} 4>&{from_browser}"],
        pass_fds=(to_browser, from_browser),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
        start_new_session=True,
    )
    for end in (to_browser, from_browser):
        os.close(end)
    try:
        page = Page(commands, answers)
        page.attach()
        yield page
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
        os.close(commands)
        os.close(answers)


def _high(end: int) -> int:
    """Return the same pipe under a number that the shell does not need for something else."""
    copy = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(end)
    return copy
