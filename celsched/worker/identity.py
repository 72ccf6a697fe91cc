"""Owns who a worker is: an id that no other start of any process on any machine ever had. It never talks to a store."""

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Identity:
    """One start of one process. `name` is what people call it, `id` what the store keeps."""

    id: str
    name: str
    host: str
    pid: int


def identify(name: str | None = None) -> Identity:
    """Return the identity of this process, new at each call.

    A host name and a process id may both come again after a restart of a container; the boot id and a random part do
    not.
    """
    host, pid = socket.gethostname(), os.getpid()
    try:
        boot = _BOOT_ID.read_text().strip()[:8]
    except OSError:
        boot = "unknown"
    return Identity(f"{host}-{pid}-{boot}-{secrets.token_hex(4)}", name or f"worker-{pid}", host, pid)
