"""Owns the check of user code at definition time: all task paths are imported in one child process.

It never imports user code into the calling process: a crash, an exit or a hang there is only a problem of that task.
"""

import json
import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from celsched.errors import SettingsError

_STDERR = 2


@dataclass(frozen=True, slots=True)
class Variant:
    """One set of parameters to be checked; `label` is the caller's word for it (a schedule, or `default_params`)."""

    label: str
    params: Mapping[str, Any]
    partial: bool = False
    """More parameters will follow: nothing is missing yet."""


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """A task to be checked, by its name."""

    name: str
    task_path: str
    params_schema: Mapping[str, Any] | None = None
    variants: Sequence[Variant] = ()


@dataclass(frozen=True, slots=True)
class Misfit:
    """A variant whose parameters do not fit."""

    label: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was found of one task: `error` (of `key`), or the variants that do not fit, or nothing wrong."""

    name: str
    error: str | None = None
    hint: str | None = None
    key: str = "task_path"
    misfits: tuple[Misfit, ...] = ()


@dataclass(frozen=True, slots=True)
class _Surroundings:
    python: str
    folder: str
    python_path: Sequence[str]
    preload: Sequence[str]
    timeout: float


@dataclass(slots=True)
class _Round:
    """What one child got through; `stopped` says why it did not come to its end."""

    results: list[ProbeResult] = field(default_factory=list)
    started: bool = False
    stopped: str | None = None


def probe(
    requests: Sequence[ProbeRequest],
    *,
    python: str,
    folder: str,
    python_path: Sequence[str],
    preload: Sequence[str],
    timeout: float = 30.0,
) -> list[ProbeResult]:
    """Return one result per request, in order; names are unique. The child's output goes to our standard error.

    What is handed in must be what a worker has. `timeout` is in seconds: for the start, and for each single task. Where
    a child dies or hangs, the task it was at is to blame, with the others of its module; a new child does the rest.

    Raises:
        SettingsError: the child does not come as far as the first task, as with a bad module in `preload`.
    """
    surroundings = _Surroundings(python, folder, python_path, preload, timeout)
    results: dict[str, ProbeResult] = {}
    rest = list(requests)
    while rest:
        done = _run(rest, surroundings)
        results.update((result.name, result) for result in done.results)
        rest = [request for request in rest if request.name not in results]
        if rest:
            culprit = _module(rest[0].task_path)
            hint = f"see why: {python} -c 'import {culprit}'"
            for request in (request for request in rest if _module(request.task_path) == culprit):
                results[request.name] = ProbeResult(request.name, f"importing `{culprit}` {done.stopped}", hint)
        rest = [request for request in rest if request.name not in results]
    return [results[request.name] for request in requests]


def _module(task_path: str) -> str:
    return task_path.partition(":")[0] if ":" in task_path else task_path.rpartition(".")[0]


def _run(requests: Sequence[ProbeRequest], surroundings: _Surroundings) -> _Round:
    """Run one child over `requests`, which writes a line for what it begins with and one for each result."""
    done = _Round()
    with _child(requests, surroundings) as (process, lines):
        for line in lines:
            if line is None:
                done.stopped = f"took longer than {surroundings.timeout:g} s"
                break
            message = json.loads(line)
            if "settings_error" in message:
                raise SettingsError(message["settings_error"])
            if "result" in message:
                done.results.append(_result(message["result"]))
            done.started = True
        done.stopped = done.stopped or _ending(process, surroundings.timeout)
    if not done.started:
        at = "a module of `preload`" if surroundings.preload else "celsched"
        raise SettingsError(
            f"the check of task paths failed: importing {at} {done.stopped}", hint="--no-import skips it"
        )
    return done


@contextmanager
def _child(
    requests: Sequence[ProbeRequest], surroundings: _Surroundings
) -> Iterator[tuple["subprocess.Popen[bytes]", Iterator[str | None]]]:
    with tempfile.TemporaryFile() as order:
        order.write(json.dumps(_order(requests, surroundings)).encode())
        order.seek(0)
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                # -P: the working folder is no place to import from unless `python_path` says so.
                [surroundings.python, "-P", "-m", "celsched.callables.probe_child", str(order.fileno()), str(writing)],
                cwd=surroundings.folder,
                stdin=subprocess.DEVNULL,
                stdout=_STDERR,
                pass_fds=(order.fileno(), writing),
                start_new_session=True,
            )
        except OSError as error:
            os.close(reading)
            raise SettingsError(f"{surroundings.python} cannot be started in {surroundings.folder}: {error}") from error
        finally:
            os.close(writing)
        try:
            yield process, _lines(reading, surroundings.timeout)
        finally:
            _kill(process)
            os.close(reading)


def _order(requests: Sequence[ProbeRequest], surroundings: _Surroundings) -> dict[str, Any]:
    return {
        "python_path": list(surroundings.python_path),
        "preload": list(surroundings.preload),
        "requests": [asdict(request) for request in requests],
    }


def _lines(reading: int, timeout: float) -> Iterator[str | None]:
    """Yield the lines that come; None where none came for `timeout` seconds; the end where the pipe is closed."""
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while True:
            if not selector.select(timeout):
                yield None
                return
            chunk = os.read(reading, 65536)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            yield from (line.decode() for line in lines)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the child and what it started; the group is its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ending(process: "subprocess.Popen[bytes]", timeout: float) -> str:
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"closed its files and took longer than {timeout:g} s"
    if code < 0:
        return f"crashed the interpreter ({signal.Signals(-code).name})"
    return f"ended the interpreter with exit code {code}"


def _result(message: dict[str, Any]) -> ProbeResult:
    misfits = tuple(Misfit(**misfit) for misfit in message.pop("misfits"))
    return ProbeResult(**message, misfits=misfits)
