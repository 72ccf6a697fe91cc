"""Owns the option `--metrics` of `run` and `watch`, and what it starts. It knows no metric."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.storage import store_of
from celsched.errors import UsageError

MetricsOption = Annotated[
    str | None, typer.Option("--metrics", metavar="HOST:PORT", help="Answer Prometheus' scrapes on this address.")
]


@contextmanager
def answering(cli: CliContext, address: str | None) -> Iterator[None]:
    """Answer scrapes within the block; without an address do nothing.

    Raises:
        UsageError: it is no address. SettingsError: it cannot be used, or the extra is not installed.
    """
    if address is None:
        yield
        return
    # Imported here: the library is an extra.
    from celsched.monitor.metrics import serve_metrics

    host, port = _parts(address)
    stop = serve_metrics(store_of(cli), cli.clock, host, port, cli.settings.heartbeat)
    try:
        yield
    finally:
        stop()


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"--metrics {address} is not HOST:PORT", hint="write for example 127.0.0.1:9150")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)
