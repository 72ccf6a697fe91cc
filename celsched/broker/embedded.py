"""Owns the names of the embedded broker: its folder and its one queue. It never opens them."""

from pathlib import Path

EMBEDDED_QUEUE = "celsched"
"""Without a broker one worker serves every queue, so that no queue name can be forgotten: all goes through this one."""


def embedded_folder(data_folder: Path) -> Path:
    """Return the folder that stands for the broker where none is configured."""
    return data_folder / "broker"
