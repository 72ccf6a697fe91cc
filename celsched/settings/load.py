"""Owns the reading of settings: flags > CELSCHED_* > Celery's variables > celsched.toml > defaults.

It is the only reader of the environment, and it never writes: folders are made by whoever fills them.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celsched.domain.names import suggestion
from celsched.errors import SettingsError
from celsched.settings import file as settings_file
from celsched.settings.model import Settings
from celsched.settings.secret import Secret
from celsched.settings.table import SETTINGS, Setting, variable_text
from celsched.settings.unusable import Unusable

_CELERY = {"broker_url": "CELERY_BROKER_URL", "result_backend": "CELERY_RESULT_BACKEND"}
_CELERY_OVERRIDES = (*_CELERY.values(), "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
_REDIS = {"redis", "rediss", "redis+socket", "sentinel"}
_OTHER_VARIABLES = {"CELSCHED_CONFIG"}
_GIVEN = {"CELSCHED_BODY"} | {
    f"CELSCHED_ALERT_{name}" for name in ("INCIDENT", "SEVERITY", "RESOLVED", "TITLE", "BODY", "GROUP", "REASON")
}
"""What we give to programs that we start: to bodies of tasks, and to those of the command channel."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A raw value, where it stands, and the folder that its relative paths start from."""

    raw: Any
    origin: str
    base: Path


def load(flags: Mapping[str, object], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
    """Return the settings in force.

    `flags` are keyed by setting (and `config`); None means not given. A blank variable counts as unset. Relative
    paths start from the folder of the settings file that holds them, else from `cwd`.

    Raises:
        SettingsError: a value is unusable, or a key unknown; with its origin.
    """
    env = _environment() if env is None else env
    cwd = (cwd or Path.cwd()).absolute()
    path = _config_path(flags, env, cwd)
    found = settings_file.read(path) if path else None
    folder = path.parent if path else cwd
    sources = _Sources(flags, env, found, cwd)
    values: dict[str, Any] = {"config_file": path, "project_folder": folder}
    origins: dict[str, str] = {}
    for setting in SETTINGS.values():
        written = sources.of(setting) or _Written(setting.default, "default", folder)
        origins[setting.key] = written.origin
        values[setting.field] = None if written.raw is None else _decoded(setting, written)
    if values["database_url"] is None:
        values["database_url"] = Secret(f"sqlite:///{values['data_folder'] / 'celsched.db'}")
    settings = Settings(
        **values,
        origins=origins,
        warnings=tuple(_strange_variables(env)),
        idle_variables=tuple(_idle_variables(env)),
    )
    _check_together(settings)
    return settings


def subprocess_environment(settings: Settings, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment in which a process of ours finds these very settings, from any folder.

    Celery's own URL variables are taken out: they would beat what is given to a connection explicitly.
    """
    base = _environment() if env is None else env
    child = {name: text for name, text in base.items() if name not in _CELERY_OVERRIDES}
    if settings.config_file is not None:
        child["CELSCHED_CONFIG"] = str(settings.config_file)
    always = {"data_folder", "database_url", "python_path"}
    for key, setting in SETTINGS.items():
        value = getattr(settings, setting.field)
        from_file = settings.config_file is not None and settings.origins[key].startswith(str(settings.config_file))
        if key in always or not (from_file or settings.origins[key] == "default"):
            child[setting.variable] = variable_text(key, value)
    return child


def debug_wanted(env: Mapping[str, str] | None = None) -> bool:
    """Return whether CELSCHED_DEBUG asks for tracebacks; it can be asked where the settings themselves are unusable."""
    return (_environment() if env is None else env).get("CELSCHED_DEBUG", "").lower() in {"1", "true", "yes", "on"}


def notify_socket(env: Mapping[str, str] | None = None) -> str | None:
    """Return where the service manager listens for sd_notify, None where there is none."""
    return (_environment() if env is None else env).get("NOTIFY_SOCKET") or None


def _environment() -> Mapping[str, str]:
    return os.environ  # noqa: TID251  the one place


def _config_path(flags: Mapping[str, object], env: Mapping[str, str], cwd: Path) -> Path | None:
    flag = flags.get("config")
    if flag is not None:
        return settings_file.find(str(flag), "--config", env, cwd)
    return settings_file.find(env.get("CELSCHED_CONFIG") or None, "CELSCHED_CONFIG", env, cwd)


@dataclass(frozen=True, slots=True)
class _Sources:
    flags: Mapping[str, object]
    env: Mapping[str, str]
    found: settings_file.SettingsFile | None
    cwd: Path

    def of(self, setting: Setting) -> _Written | None:
        """Return the strongest written value, or None where nobody wrote one."""
        flag = self.flags.get(setting.key)
        if flag is not None:
            return _Written(flag, f"--{setting.key.replace('_', '-')}", self.cwd)
        for variable in filter(None, (setting.variable, _CELERY.get(setting.key))):
            if self.env.get(variable, "").strip():
                return _Written(self.env[variable], variable, self.cwd)
        if self.found is not None and setting.key in self.found.values:
            return _Written(self.found.values[setting.key], self.found.place(setting.key), self.found.path.parent)
        return None


def _decoded(setting: Setting, written: _Written) -> Any:
    try:
        return setting.read(written.raw, written.base)
    except Unusable as error:
        raise SettingsError(f"{written.origin}: `{setting.key}` {error.message}", hint=error.hint) from None


def _check_together(settings: Settings) -> None:
    if settings.heartbeat * 2 > settings.lease:
        raise SettingsError(
            f"`heartbeat` ({settings.origins['heartbeat']}) must be at most half of `lease` "
            f"({settings.origins['lease']}): one late report would count as a dead worker"
        )
    _check_repeats(settings)
    _check_key_prefix(settings)
    names = [target.name for target in settings.notify]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise SettingsError(
            f"{settings.origins['notify']}: two channels of `notify` are called {twice!r}",
            hint="give each a `name` of its own",
        )
    pings = [ping.name for ping in settings.pings]
    for key in ("daemon_ping", "watch_ping"):
        wanted = getattr(settings, key)
        if wanted is not None and wanted not in pings:
            raise SettingsError(
                f"{settings.origins[key]}: `{key}` names {wanted!r}, and `pings` has no such name",
                hint=suggestion(wanted, pings) or "write under [pings] its name and URL",
            )


def _check_repeats(settings: Settings) -> None:
    for key in ("repeat_critical", "repeat_warning"):
        if getattr(settings, key) < settings.group_interval:
            raise SettingsError(
                f"`{key}` ({settings.origins[key]}) must be at least `group_interval` "
                f"({settings.origins['group_interval']}): what is known would be told more often than what is new",
                hint=f"a longer `{key}`, or a shorter `group_interval`",
            )


def _check_key_prefix(settings: Settings) -> None:
    broker = settings.broker_url
    if settings.broker_key_prefix is None or (broker and urlsplit(broker.reveal()).scheme.lower() in _REDIS):
        return
    raise SettingsError(
        f"{settings.origins['broker_key_prefix']}: `broker_key_prefix` is for Redis, and the broker is "
        + (f"another one ({settings.origins['broker_url']})" if broker else "the embedded one"),
        hint="leave it out: RabbitMQ keeps installations apart by virtual hosts, the embedded broker by data folders",
    )


def _strange_variables(env: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each variable that looks like a mistyped one of ours; others may belong to other programs."""
    for name in _unknown(env):
        near = _near(name)
        if near:
            yield f"the variable {name} is not known and has no effect; did you mean {near}?"


def _idle_variables(env: Mapping[str, str]) -> Iterator[str]:
    """Yield the other variables that begin like ours and that nothing reads."""
    return (name for name in _unknown(env) if _near(name) is None)


def _unknown(env: Mapping[str, str]) -> list[str]:
    known = _known_variables()
    return sorted(name for name in env if name.startswith("CELSCHED_") and name not in known)


def _near(name: str) -> str | None:
    return next(iter(difflib.get_close_matches(name, _known_variables(), n=1, cutoff=0.85)), None)


def _known_variables() -> list[str]:
    return [setting.variable for setting in SETTINGS.values()] + sorted(_OTHER_VARIABLES | _GIVEN)
