"""Owns the channels that Apprise speaks to: mail, chats, phones. It never lets one take longer than its deadline."""

import logging
import threading
import warnings
from typing import Any

from celsched.errors import SettingsError
from celsched.notify.channel import TIMEOUT, Outgoing, Send, SendFailed, scrub

_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}


class _Said(logging.Handler):
    """Keeps what Apprise last complained of, by thread: its answers are only yes and no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last: dict[int, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the line."""
        self._last[threading.get_ident()] = record.getMessage()

    def take(self) -> str | None:
        """Return what was said in this thread since the last time."""
        return self._last.pop(threading.get_ident(), None)


_said = _Said()


def service(name: str, url: str, *, hint: str | None = None, timeout: float = TIMEOUT) -> Send:
    """Return how messages are sent through the service at this Apprise URL; `hint`: what may have been meant by it.

    Raises:
        SettingsError: Apprise is not installed, or makes nothing of the URL.
    """
    try:
        import apprise
    except ModuleNotFoundError:
        install = "pip install 'celsched[alerts]'"
        raise SettingsError(f"the channel {name!r} needs Apprise", hint=hint or install) from None
    _listen()
    with warnings.catch_warnings():
        # It imports every plugin here; what those are told to be deprecated is nobody's business but theirs.
        warnings.simplefilter("ignore")
        plugin = apprise.Apprise.instantiate(url)
    _said.take()
    if plugin is None:
        scheme = url.partition("://")[0]
        raise SettingsError(
            f"the channel {name!r}: Apprise makes nothing of its URL {scheme}://***",
            hint=hint or "see https://github.com/caronc/apprise/wiki for the form of each service's URL",
        )
    plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout
    if "overflow=" not in url.lower():
        # What is too long for a service it refuses for ever; the beginning of our messages says most.
        plugin.overflow_mode = apprise.OverflowMode.TRUNCATE
    return _with_deadline(plugin, url, timeout)


def _listen() -> None:
    # What Apprise logs can hold parts of URLs; it goes nowhere but into errors, masked.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if _said not in logger.handlers:
        logger.addHandler(_said)


def _with_deadline(plugin: Any, url: str, timeout: float) -> Send:
    busy = threading.Semaphore()

    def send(message: Outgoing) -> None:
        if not busy.acquire(blocking=False):
            raise SendFailed("the send before still hangs")
        outcome: list[str | None] = []

        def work() -> None:
            try:
                outcome.append(_notify(plugin, message))
            finally:
                busy.release()

        thread = threading.Thread(target=work, name="apprise", daemon=True)
        thread.start()
        thread.join(timeout)
        if not outcome:
            raise SendFailed(f"no answer within {timeout:g} s")
        if outcome[0] is not None:
            raise SendFailed(scrub(outcome[0], url))

    return send


def _notify(plugin: Any, message: Outgoing) -> str | None:
    """Return None where the service took it, else why not."""
    kind = "success" if message.resolved else _TYPES[message.severity]
    try:
        taken = plugin.notify(body=message.body, title=message.title, notify_type=kind, body_format="text")
    except Exception as error:  # whatever a plugin does wrong is a failure of this send only
        _said.take()
        return f"{type(error).__name__}: {error}"
    said = _said.take()
    return None if taken else said or "the service refused it"
