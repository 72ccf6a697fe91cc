"""Owns how channels and pings are read and written. It never shows a URL, and opens none."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celsched.domain.health.kinds import UNLABELLED, AlertKind
from celsched.domain.message_template import MessageTemplate, TemplateMistake
from celsched.domain.names import suggestion
from celsched.settings import decode as read
from celsched.settings.decode import Reader
from celsched.settings.model import SEVERITIES, NotifyTarget, PingTarget
from celsched.settings.secret import Secret
from celsched.settings.unusable import Unusable

_KEYS = ("url", "name", "severity", "kinds", "labels", "command", "key", "template")
_COMMAND = "command:"
_LOG = "log:"
_WEBHOOK = "webhook+"
_SEVERITY_LIST = read.many(read.word_of(*SEVERITIES))
_KIND_LIST = read.many(read.word_of(*(kind.value for kind in AlertKind)))


def channel(raw: Any, base: Path) -> NotifyTarget:
    """Read a channel: its URL, or a table with `url` or `command`, and `name`, `severity`, `kinds`, `labels`,
    and of a webhook `key` and `template`.

    `log:` is the log; `command:PROGRAM ARGUMENT...` is split as a shell would. Which URL is good, the channel says.
    """
    table = {"url": raw} if isinstance(raw, str) else raw
    if not isinstance(table, dict):
        raise Unusable(f"must hold URLs or tables with `url`, not {raw!r}")
    for key in table:
        if key not in _KEYS:
            raise Unusable(f"has a channel with the unknown key `{key}`", suggestion(key, _KEYS))
    called = f"channel {table['name']!r}" if "name" in table else "channel"
    target, argv = _where(table, called, base)
    default = Path(argv[0]).name if argv else target.reveal().partition(":")[0]
    name, secret = _value("name", table.get("name", default), read.word, "channel", base), table.get("key")
    called = f"channel {name!r}"
    kinds, labels = _value("kinds", table.get("kinds", []), _KIND_LIST, called, base), _labels(table.get("labels", {}))
    if labels and kinds and UNLABELLED.issuperset(kinds):
        raise Unusable(f"has a {called} with `labels`, which no alert of its `kinds` carries", "leave `labels` out")
    return NotifyTarget(
        name=name,
        url=target,
        severities=_value("severity", table.get("severity", list(SEVERITIES)), _SEVERITY_LIST, called, base),
        kinds=kinds,
        labels=labels,
        command=argv,
        key=None if secret is None else Secret(_value("key", secret, read.word, called, base)),
        template=_template(table["template"], name, target) if "template" in table else None,
    )


def _value(key: str, raw: Any, reader: Reader, called: str, base: Path) -> Any:
    """Return what stands under a key of a channel; a fault names both."""
    try:
        return reader(raw, base)
    except Unusable as error:
        raise Unusable(f"has a {called} whose `{key}` {error.message}", error.hint) from None


def _where(table: dict[str, Any], called: str, base: Path) -> tuple[Secret, tuple[str, ...]]:
    given = table.get("url")
    if "command" in table:
        if given:
            raise Unusable("has a channel with both `url` and `command`", "a channel is one of them")
        return Secret(""), _argv(table["command"])
    if isinstance(given, str) and given.startswith(_COMMAND):
        return Secret(""), _argv(given.removeprefix(_COMMAND))
    if isinstance(given, str) and given in {_LOG, f"{_LOG}//"}:
        return Secret(f"{_LOG}//"), ()
    if given is None:
        raise Unusable(f"has a {called} without a `url`", 'write its `url`, or a `command`; the log is url = "log:"')
    return _value("url", given, read.url("mailto://user:password@host, or log:"), called, base), ()


def _template(raw: Any, name: str, target: Secret) -> MessageTemplate:
    if not target.reveal().startswith(_WEBHOOK):
        raise Unusable(f"has for {name!r} a `template`, which only a webhook takes", "its URL begins with webhook+")
    if not isinstance(raw, str):
        raise Unusable(f"has for {name!r} a `template` that is no text", "write the JSON as text, between ''' in TOML")
    try:
        return MessageTemplate.parse(raw)
    except TemplateMistake as mistake:
        raise Unusable(f"has for {name!r} a `template` that {mistake.message}", mistake.hint) from None


def _argv(raw: Any) -> tuple[str, ...]:
    try:
        words = shlex.split(raw) if isinstance(raw, str) else raw
    except ValueError as error:
        raise Unusable(f"has a `command` that cannot be split: {error}") from None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise Unusable("needs as `command` a program with its arguments, as a list of texts")
    return tuple(words)


def _labels(raw: Any) -> dict[str, str]:
    if not isinstance(raw, Mapping) or not all(isinstance(text, str) for text in raw.values()):
        raise Unusable(f"needs as `labels` a table from text to text, not {raw!r}")
    return {str(name): text for name, text in raw.items()}


def pings(raw: Any, base: Path) -> tuple[PingTarget, ...]:
    """Read a table from a ping's name to its URL; in text as JSON."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except ValueError:
            raise Unusable("is no JSON") from None  # the text holds secrets
    if not isinstance(raw, Mapping):
        raise Unusable("must be a table from name to URL")
    return tuple(PingTarget(read.word(name, base), _ping_url(name, text, base)) for name, text in raw.items())


def _ping_url(name: str, raw: Any, base: Path) -> Secret:
    try:
        found = read.url("https://hc-ping.com/UUID")(raw, base)
    except Unusable as error:
        raise Unusable(f"has a ping {name!r} whose URL {error.message}", error.hint) from None
    if found.reveal().partition(":")[0] not in {"http", "https"}:
        raise Unusable(f"needs for {name!r} an http or https URL")
    return found


def written(target: NotifyTarget) -> dict[str, Any]:
    """Return a channel as a settings file writes it, secrets and all: for the environment of our own processes."""
    where = {"command": list(target.command)} if target.command else {"url": target.url.reveal()}
    secret = {"key": target.key.reveal()} if target.key else {}
    return where | _plain(target) | secret | ({"template": target.template.text} if target.template else {})


def shown(target: NotifyTarget) -> dict[str, Any]:
    """Return a channel as it may be shown."""
    secret = {"key": target.key, "template": target.template}
    return {"name": target.name, "url": target.shown} | _plain(target) | {key: "***" for key in secret if secret[key]}


def _plain(target: NotifyTarget) -> dict[str, Any]:
    found: dict[str, Any] = {"name": target.name, "severity": list(target.severities)}
    found |= {"kinds": list(target.kinds)} if target.kinds else {}
    return found | ({"labels": dict(target.labels)} if target.labels else {})
