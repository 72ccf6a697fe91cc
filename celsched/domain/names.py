"""Owns what may be a name: of a task, a schedule, a queue, a set. It never looks anything up in a store."""

import difflib
import unicodedata
from collections.abc import Iterable

from celsched.errors import InvalidDefinition

MAX_LENGTH = 200
_ALLOWED_FORMAT_CHARACTERS = {"\u200c", "\u200d"}  # Persian needs the non-joiner, Indic scripts the joiner


def as_stored(name: str) -> str:
    """Return a name in the form of Unicode in which all are stored (NFC), to be looked up."""
    return unicodedata.normalize("NFC", name)


def clean_name(text: object, what: str = "name") -> str:
    """Return `text` NFC-normalised if it is a name: 1-200 printable characters, no leading or trailing space.

    Raises:
        InvalidDefinition: it is not; the message says which character or rule.
    """
    if not isinstance(text, str):
        raise InvalidDefinition(f"a {what} must be text, not {text!r}", key=what, hint="quote it")
    name = as_stored(text)
    if not name:
        raise InvalidDefinition(f"a {what} may not be empty", key=what)
    if len(name) > MAX_LENGTH:
        raise InvalidDefinition(f"this {what} has {len(name)} characters; at most {MAX_LENGTH} are allowed", key=what)
    if name != name.strip():
        raise InvalidDefinition(f"the {what} {name!r} begins or ends with a space", key=what)
    for character in name:
        if not character.isprintable() and character not in _ALLOWED_FORMAT_CHARACTERS:
            raise InvalidDefinition(
                f"the {what} {name!r} holds the unprintable character U+{ord(character):04X}", key=what
            )
    return name


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Return "did you mean `x`?" for the known word nearest to `word`, or None where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None
