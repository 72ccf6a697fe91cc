"""Checks that what messages tell people to type can be typed. It runs nothing: the words are only parsed."""

import re
import shlex
from pathlib import Path

import pytest

import celsched.domain.health
from celsched.cli.app import build
from celsched.cli.context import CliContext
from celsched.domain.health.subjects import NEXT_COMMANDS

_SOURCES = sorted(Path(celsched.domain.health.__file__).parent.glob("*.py"))
_WRITTEN = {
    re.sub(r"\{[^}]*\}", "7", found)
    for source in _SOURCES
    for found in re.findall(r'f?"celsched ([a-z][^"]*)"', source.read_text(encoding="utf-8"))
}
_CALLED = {
    word for source in _SOURCES for word in re.findall(r'\bcommand\("([a-z ]+)"', source.read_text(encoding="utf-8"))
}
_SAID = sorted(_WRITTEN | {f"{word} 'هر شب'" for word in {*NEXT_COMMANDS.values(), *_CALLED, "why"}})


def test_there_are_some() -> None:
    assert {"doctor", "logs 7", "show schedule 'هر شب'"} <= set(_SAID)


@pytest.mark.parametrize("words", _SAID)
def test_what_a_message_tells_to_type_is_a_whole_command(words: str) -> None:
    command, args = build(), shlex.split(words)
    context = command.make_context("celsched", ["version"], obj=CliContext())
    while args and hasattr(command, "resolve_command"):
        name, command, args = command.resolve_command(context, args)
        # Raises where an argument is missing or an option unknown.
        context = command.make_context(name, list(args), parent=context)
    assert not args or not hasattr(command, "resolve_command")
