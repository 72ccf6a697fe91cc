"""Decides what is left of changes that people made to a definition by hand. It never reads them or any file."""

from collections.abc import Mapping, Sequence
from typing import Any

Differences = Mapping[str, tuple[Any, Any]]
"""Fields that are not as the manifest said: what it said, and what they are now; as JSON holds them."""


def with_edit(before: Differences, edit: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, Any]]:
    """Return the differences after one more edit, whose fields hold the old and the new value.

    What was changed back is no difference any more.
    """
    found = dict(before)
    for name, (old, new) in edit.items():
        said = found.pop(name, (old, None))[0]
        if said != new:
            found[name] = (said, new)
    return found
