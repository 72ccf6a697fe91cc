"""Owns how many keys stand in one statement: no database takes any number of them. It never runs one."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

MANY = 500
T = TypeVar("T")


def batches(keys: Iterable[T]) -> Iterator[list[T]]:
    """Yield the keys in lists of at most `MANY`."""
    rest = iter(keys)
    while batch := list(islice(rest, MANY)):
        yield batch
