"""Owns how a channel of the settings becomes an address that messages are sent to. It never sends."""

from celsched.notify import Address
from celsched.settings import NotifyTarget, Settings, subprocess_environment


def address_of(target: NotifyTarget, settings: Settings | None = None) -> Address:
    """Return where a channel sends; without `settings` its program gets no environment."""
    return Address(
        name=target.name,
        url=target.url.reveal(),
        command=target.command,
        environment=subprocess_environment(settings) if target.command and settings else {},
        key=target.key.reveal() if target.key else None,
        template=target.template,
    )
