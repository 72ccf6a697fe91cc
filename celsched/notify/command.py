"""Owns the command channel: a program gets the message on its standard input. It goes through no shell."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from celsched.notify.channel import TIMEOUT, Outgoing, Send, SendFailed

_VARIABLES = ("incident", "severity", "resolved", "title", "body", "group", "reason")


def command(argv: Sequence[str], environment: Mapping[str, str], *, timeout: float = TIMEOUT) -> Send:
    """Return how messages are given to a program: JSON on standard input, CELSCHED_ALERT_* beside `environment`.

    It has `timeout` seconds; then it is killed with everything that it started. An exit status other than 0 is a
    failure, and the last line of what it wrote is why.
    """

    def send(message: Outgoing) -> None:
        payload = message.payload()
        named = {f"CELSCHED_ALERT_{name.upper()}": _text(payload.get(name)) for name in _VARIABLES}
        _run(argv, {**environment, **named}, json.dumps(payload, ensure_ascii=False).encode() + b"\n", timeout)

    return send


def places(program: str, environment: Mapping[str, str]) -> list[str]:
    """Return the files that starting a program would try, in that order; none where it is not there."""
    named = bool(os.path.dirname(program))
    found = [program] if named else [os.path.join(folder, program) for folder in os.get_exec_path(environment)]
    return [place for place in found if os.path.isfile(place)]


def _run(argv: Sequence[str], environment: Mapping[str, str], given: bytes, timeout: float) -> None:
    name = os.path.basename(argv[0])
    try:
        process = subprocess.Popen(
            argv,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise SendFailed(f"{argv[0]} cannot be started: {getattr(error, 'strerror', None) or error}") from None
    with process:
        try:
            said, _ = process.communicate(given, timeout)
        except subprocess.TimeoutExpired:
            raise SendFailed(f"{name} did not end within {timeout:g} s and was killed") from None
        finally:
            # What it left behind goes with it.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        last = (said.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
        raise SendFailed(f"{name} ended with {process.returncode}" + (f": {last}" if last else ""))


def _text(value: object) -> str:
    text = ("1" if value else "0") if isinstance(value, bool) else str(value if value is not None else "")
    return text.replace("\0", "")
