"""Owns how a command line call becomes the scope of operations: its store, its settings, and who sits there.

It is a module of its own so that commands which need no store load no SQLAlchemy.
"""

import getpass
import socket

from celsched.cli.context import CliContext
from celsched.cli.storage import store_of
from celsched.domain.execution import Requester
from celsched.operations.scope import Scope


def requester() -> Requester:
    """Return who asks: the login name and this machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return Requester(user, socket.gethostname())


def scope_of(cli: CliContext) -> Scope:
    """Return the scope of this call, its store opened; raises what opening a store raises."""
    return cli.once(_scope)


def _scope(cli: CliContext) -> Scope:
    return Scope(store_of(cli), cli.settings.fallback_layer(), requester(), cli.settings.timezone)
