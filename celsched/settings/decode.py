"""Owns how one value of one setting is read, from TOML's types or from text. It never knows where a value came from.

Each reader takes the raw value and the folder that relative paths are relative to, and raises `Unusable`.
"""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from celsched.domain.names import clean_name, suggestion
from celsched.domain.policy import OnStoreOutage
from celsched.errors import InvalidDefinition, InvalidRule
from celsched.settings.secret import Secret
from celsched.settings.unusable import Unusable
from celsched.timing.duration import LONGEST, format_duration, parse_duration
from celsched.timing.zone import zone

Reader = Callable[[Any, Path], Any]

_PATTERN = re.compile(r"[^\W\d][\w*]*(\.[\w*]+)*|\*[\w*]*(\.[\w*]+)*")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_KEY_PREFIX = re.compile(r"[!-~]{1,100}")
_WHOLE = re.compile(r"[0-9]{1,12}")
BROKERS = frozenset({"redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp", "memory"})
"""The schemes of brokers that `celsched.broker` speaks to; `memory` is for tests."""
_BROKER_HINT = "use redis(s)://, redis+socket://, sentinel:// or amqp(s)://; with none set, the broker is embedded"
_STORES = ("sqlite", "postgresql", "postgres")
_STORE_EXAMPLES = "sqlite:///celsched.db or postgresql://user@host/name"
_STORE_HINT = f"such as {_STORE_EXAMPLES}"
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)([^?]+)(.*)", re.DOTALL)


def whole(low: int, high: int) -> Reader:
    """Return a reader of whole numbers from `low` to `high`."""

    def read(raw: Any, base: Path) -> int:
        if isinstance(raw, str) and _WHOLE.fullmatch(raw.strip()):
            raw = int(raw)
        if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
            raise Unusable(f"must be a whole number from {low} to {high}, not {raw!r}")
        return raw

    return read


def boolean(raw: Any, base: Path) -> bool:
    """Read true or false; in text also 1, 0, yes, no, on, off."""
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""}:
        return False
    raise Unusable(f"must be true or false, not {raw!r}")


def length(*, least: timedelta = timedelta(milliseconds=1), most: timedelta = LONGEST) -> Reader:
    """Return a reader of durations from `least` to `most`."""

    def read(raw: Any, base: Path) -> timedelta:
        try:
            found = parse_duration(raw)
        except InvalidRule as error:
            raise Unusable(f"is unusable: {error.message}", error.hint) from None
        if found < least:
            raise Unusable(f"must be at least {least.total_seconds():g} s, not {raw!r}")
        if found > most:
            raise Unusable(f"must be at most {format_duration(most)}, not {raw!r}")
        return found

    return read


def minutes(raw: Any, base: Path) -> timedelta:
    """Read a number of minutes, fractions allowed."""
    try:
        found = float(raw) if not isinstance(raw, bool) else -1.0
    except (TypeError, ValueError):
        found = -1.0
    if not 0 < found <= 525_600:
        raise Unusable(f"must be a number of minutes above 0, not {raw!r}")
    return timedelta(minutes=found)


def path(raw: Any, base: Path) -> Path:
    """Read a path; `~` is the home folder, a relative one starts at `base`."""
    if isinstance(raw, Path):
        raw = str(raw)
    if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
        raise Unusable(f"must be a path, not {raw!r}")
    try:
        found = Path(raw).expanduser()
    except RuntimeError:
        raise Unusable(f"names a home folder that does not exist: {raw!r}") from None
    return (base / found).absolute()


def database(raw: Any, base: Path) -> Secret:
    """Read the store's URL; a relative SQLite file starts at `base`, so that every process finds the same one."""
    text = _text(raw, "a URL")
    relative = _SQLITE.fullmatch(text)
    if relative:
        text = f"{relative[1]}{(base / relative[2]).absolute()}{relative[3]}"
    found = url(_STORE_EXAMPLES)(text, base)
    if _scheme(found).partition("+")[0] not in _STORES:
        raise Unusable(f"has the scheme {_scheme(found)!r}, and the store is SQLite or PostgreSQL", _STORE_HINT)
    return found


def url(example: str) -> Callable[[Any, Path], Secret]:
    """Return a reader of URLs of any scheme; none is opened, and the message of a fault does not repeat it."""

    def read(raw: Any, base: Path) -> Secret:
        text = _text(raw, "a URL").strip()
        if not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*://", text):
            raise Unusable(f"must be a URL with a scheme, such as {example}")
        return Secret(text)

    return read


def broker(raw: Any, base: Path) -> Secret | None:
    """Read the broker's URL; the word `embedded` is none."""
    if raw == "embedded":
        return None
    found = url("redis://host:6379/0")(raw, base)
    if _scheme(found) not in BROKERS:
        raise Unusable(f"has the scheme {_scheme(found)!r}, and the broker is Redis or RabbitMQ", _BROKER_HINT)
    return found


def _scheme(found: Secret) -> str:
    return found.reveal().partition(":")[0].lower()


def key_prefix(raw: Any, base: Path) -> str:
    """Read what stands before each of our keys in Redis."""
    # kombu 5.7 cuts the prefix off by characters from a key in bytes; a worker then requeues one message for ever.
    if not isinstance(raw, str) or not _KEY_PREFIX.fullmatch(raw):
        raise Unusable(
            f"must be 1 to 100 printable ASCII characters without a space, not {raw!r}", "choose one like helssa:"
        )
    return raw


def word_of(*words: str) -> Reader:
    """Return a reader of one of `words`."""

    def read(raw: Any, base: Path) -> str:
        if raw not in words:
            hint = suggestion(raw, words) if isinstance(raw, str) else None
            raise Unusable(f"must be one of {', '.join(words)}, not {raw!r}", hint)
        return str(raw)

    return read


def outage(raw: Any, base: Path) -> OnStoreOutage:
    """Read what a worker does while the store is away."""
    return OnStoreOutage(word_of(*(word.value for word in OnStoreOutage))(raw, base))


def timezone(raw: Any, base: Path) -> str:
    """Read the key of a zone."""
    try:
        return zone(_text(raw, "a zone such as Asia/Tehran")).key
    except InvalidRule as error:
        raise Unusable(f"is unusable: {error.message}", error.hint) from None


def pattern(raw: Any, base: Path) -> str:
    """Read a pattern of task paths."""
    if not isinstance(raw, str) or not _PATTERN.fullmatch(raw):
        raise Unusable(f"must hold patterns such as files.tasks.*, not {raw!r}")
    return raw


def module(raw: Any, base: Path) -> str:
    """Read the dotted name of a module."""
    if not isinstance(raw, str) or not _MODULE.fullmatch(raw):
        raise Unusable(f"must hold names of modules, not {raw!r}")
    return raw


def queue(raw: Any, base: Path) -> str:
    """Read the name of a queue."""
    try:
        return clean_name(raw, "queue name")
    except InvalidDefinition as error:
        raise Unusable(f"is not acceptable: {error.message}", error.hint) from None


def word(raw: Any, base: Path) -> str:
    """Read a text that is not blank."""
    return _text(raw, "text").strip()


def some(read_all: Reader) -> Reader:
    """Return a reader of lists, as `read_all` does, that are not empty."""

    def read(raw: Any, base: Path) -> Any:
        found = read_all(raw, base)
        if not found:
            raise Unusable("must not be empty", "leave it out for the default")
        return found

    return read


def many(read_one: Reader, *, separator: str | None = ",") -> Reader:
    """Return a reader of lists: TOML's, a text with separators (None: spaces), or JSON's where it begins with `[`."""

    def read(raw: Any, base: Path) -> tuple[Any, ...]:
        if isinstance(raw, str):
            raw = _split(raw, separator)
        if not isinstance(raw, list | tuple):
            raise Unusable(f"must be a list, not {raw!r}")
        return tuple(dict.fromkeys(read_one(item, base) for item in raw))

    return read


def _split(text: str, separator: str | None) -> list[Any]:
    if text.lstrip().startswith("["):
        try:
            return list(json.loads(text))
        except ValueError as error:
            raise Unusable(f"begins with `[` but is no JSON list: {error}") from None
    return [item.strip() for item in text.split(separator) if item.strip()]


def _text(raw: Any, wanted: str) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise Unusable(f"must be {wanted}, not {raw!r}" if not isinstance(raw, str) else f"must be {wanted}, not blank")
    return Secret.reveal(raw) if isinstance(raw, Secret) else raw
