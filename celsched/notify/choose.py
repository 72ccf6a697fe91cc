"""Chooses how a channel sends, by the scheme of its URL. It never sends."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from celsched.clock import Clock
from celsched.domain.message_template import MessageTemplate
from celsched.domain.names import suggestion
from celsched.errors import SettingsError
from celsched.notify.alertmanager import alertmanager
from celsched.notify.channel import TIMEOUT, Send
from celsched.notify.command import command
from celsched.notify.http import check_url
from celsched.notify.log import journal
from celsched.notify.services import service
from celsched.notify.webhook import webhook

LOG = "log"
ALERTMANAGER = "alertmanager+"
WEBHOOK = "webhook+"
_WEB = ("http", "https")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel sends: a URL, or a program with its arguments and environment; `template` is a webhook's."""

    name: str
    url: str = field(repr=False)
    command: tuple[str, ...] = field(default=(), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str | None = field(default=None, repr=False)
    template: MessageTemplate | None = field(default=None, repr=False)

    @property
    def pushes(self) -> bool:
        """Whether the other side forgets, and is to be told again and again."""
        return self.url.startswith(ALERTMANAGER)


def needs_apprise(url: str, command: tuple[str, ...] = ()) -> bool:
    """Whether a channel with this URL or program is sent by Apprise, which is an extra."""
    return not command and url.partition(":")[0] != LOG and not url.startswith((ALERTMANAGER, WEBHOOK))


def sender_of(address: Address, clock: Clock, *, timeout: float = TIMEOUT) -> Send:
    """Return how messages are sent to this address; nothing is connected to yet.

    Raises:
        SettingsError: the URL is unusable, or what it needs is not installed.
    """
    url = address.url
    if address.command:
        return command(address.command, address.environment, timeout=timeout)
    if url.partition(":")[0] == LOG:
        return journal()
    for prefix in (ALERTMANAGER, WEBHOOK):
        if url.startswith(prefix):
            target = url.removeprefix(prefix)
            wrong = check_url(target)
            if wrong:
                raise SettingsError(f"the channel {address.name!r}: what follows {prefix} {wrong}")
            if prefix == WEBHOOK:
                return webhook(target, address.key, address.template, timeout=timeout)
            return alertmanager(target, clock, timeout=timeout)
    return service(address.name, url, hint=_meant(url), timeout=timeout)


def _meant(url: str) -> str | None:
    """Return a hint where the URL was rather meant for a channel that needs no Apprise."""
    scheme = url.partition(":")[0]
    if scheme in _WEB:  # Apprise knows some services by these, so they are no mistake by themselves
        return f"to post JSON there write {WEBHOOK}{scheme}://; for a service that Apprise knows see celsched[alerts]"
    return suggestion(scheme, [f"{prefix}{web}" for prefix in (WEBHOOK, ALERTMANAGER) for web in _WEB])
