"""Turns what PyYAML says about broken YAML into a sentence and a next step for the author of a manifest.

It never parses anything itself.
"""

from yaml.error import Mark, MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

_QUOTE_CRON = 'quote it: cron: "* * * * *"'

_SENTENCES: tuple[tuple[str, str, str], ...] = (
    ("while scanning an alias", "an unquoted `*` begins a YAML alias", _QUOTE_CRON),
    ("while scanning an anchor", "an unquoted `&` begins a YAML anchor", "quote the text"),
    ("found character '\\t'", "a tab stands where YAML allows spaces only", "indent with spaces"),
    ("found character '@'", "text that begins with `@` must be quoted", 'write for example cron: "@daily"'),
    ("found character '%'", "text that begins with `%` must be quoted", "put it in quotes"),
    ("found character '`'", "text that begins with a backtick must be quoted", "put it in quotes"),
    (
        "mapping values are not allowed",
        "a `:` stands where no key can be",
        "quote text that holds `: `, and check the indentation",
    ),
    ("could not find expected ':'", "a key without its `:`", "write `key: value`, and quote text over several lines"),
    (
        "unknown escape character",
        "an unknown escape in double quotes",
        "write a backslash as \\\\, or use single quotes",
    ),
    (
        "while scanning a quoted scalar",
        "this quote is not closed",
        "close it; a quote inside single quotes is doubled",
    ),
    ("while parsing a flow", "this bracket is not closed, or a comma is missing", "close it, or add the comma"),
    (
        "while parsing a block",
        "the indentation does not fit what stands above",
        "keys of one mapping begin in the same column",
    ),
)


def place_of(error: YAMLError, text: str) -> tuple[int, int]:
    """Return line and column (from 1) of a YAML error in `text`."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        return before.count("\n") + 1, len(before) - before.rfind("\n")
    if isinstance(error, MarkedYAMLError):
        mark = _telling_mark(error)
        if mark is not None:
            return mark.line + 1, mark.column + 1
    return 1, 1


def explain(error: YAMLError) -> tuple[str, str | None]:
    """Return what is wrong in one sentence, and the next step."""
    if isinstance(error, ReaderError):
        return f"the character U+{int(error.character):04X} is not allowed in YAML", "remove it"
    if not isinstance(error, MarkedYAMLError):
        return "this is not YAML", None
    said = f"{error.context or ''}\n{error.problem or ''}"
    for needle, sentence, hint in _SENTENCES:
        if needle in said:
            return sentence, hint
    return f"this is not valid YAML: {error.problem or error.context or 'no reason given'}", None


def _telling_mark(error: MarkedYAMLError) -> Mark | None:
    """Return the mark that helps: where an open quote, bracket or key begins, else where the parser stumbled."""
    begun = str(error.context).startswith(_BEGUN) and "escape" not in str(error.problem)
    first, second = error.context_mark, error.problem_mark
    return (first or second) if begun else (second or first)


_BEGUN = (
    "while scanning a quoted",
    "while scanning an alias",
    "while scanning an anchor",
    "while scanning a simple key",
    "while parsing a flow",
)
