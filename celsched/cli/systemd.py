"""Owns `celsched systemd`: units filled in for this project. It never installs one.

A unit holds paths only; secrets stay in the settings file, or in the environment file that it names.
"""

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.errors import SettingsError
from celsched.settings import Settings

_ENVIRONMENT_FILE = "/etc/celsched/environment"


class Unit(StrEnum):
    """What a unit runs."""

    DAEMON = "daemon"
    WORKER = "worker"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class _Kind:
    command: str
    about: str
    runs_tasks: bool


_KINDS = {
    Unit.DAEMON: _Kind("run", "celsched: dispatches what is due", False),
    Unit.WORKER: _Kind("worker", "celsched: runs tasks", True),
    Unit.WATCH: _Kind("watch", "celsched: watches and alerts", False),
}


def systemd(
    ctx: typer.Context,
    unit: Annotated[Unit | None, typer.Argument(help="Only this unit.", show_default=False)] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="The user that runs it. Default: the owner of the project's folder.")
    ] = None,
) -> None:
    """Print systemd units for the daemon, the worker and the watcher, filled in with this project's paths.

    With the embedded broker the daemon runs the worker and the watcher itself, so there is one unit.
    """
    cli = CliContext.of(ctx)
    settings = cli.settings
    if unit is Unit.WORKER and settings.embedded:
        raise SettingsError(
            "no broker is configured, so the daemon runs the worker itself", hint="`celsched systemd` prints its unit"
        )
    owner = user or _owner(settings.project_folder)
    units = [unit] if unit else [Unit.DAEMON] if settings.embedded else list(Unit)
    for wanted in units:
        cli.print(unit_text(wanted, settings, owner))
    loose = sorted(key for key, origin in settings.origins.items() if origin.startswith(("CELSCHED_", "CELERY_", "--")))
    if loose:
        cli.say(
            f"not in the units, because they came from this shell: {', '.join(loose)}; put them into "
            f"{settings.config_file or 'celsched.toml'} or {_ENVIRONMENT_FILE}"
        )
    cli.say(
        "save each as the file named in its first line, then: systemctl daemon-reload && systemctl enable --now ..."
    )


def unit_text(unit: Unit, settings: Settings, user: str) -> str:
    """Return the whole unit file."""
    kind = _KINDS[unit]
    runs_tasks = kind.runs_tasks or (unit is Unit.DAEMON and settings.embedded)
    name = "celsched.service" if unit is Unit.DAEMON else f"celsched-{unit}.service"
    stop = int(settings.drain.total_seconds()) + 15
    config = [f"Environment={_quoted(f'CELSCHED_CONFIG={settings.config_file}')}"] if settings.config_file else []
    lines = [
        f"# /etc/systemd/system/{name}",
        "[Unit]",
        f"Description={kind.about}",
        "After=network-online.target",
        "Wants=network-online.target",
        "# Start again for as long as it takes: a database that is away for an hour is no reason to give up.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        f"User={user}",
        f"WorkingDirectory={_escaped(str(settings.project_folder))}",
        *config,
        f"EnvironmentFile=-{_ENVIRONMENT_FILE}",
        f"ExecStart={_quoted(_executable())} {kind.command}",
        "WatchdogSec=30",
        "Restart=always",
        "RestartSec=1",
        f"# {ExitCode.CONFIGURATION:d}: these settings or this store cannot work; starting again does not help.",
        f"RestartPreventExitStatus={ExitCode.CONFIGURATION:d}",
        "# SIGTERM goes to the main process alone, which lets running tasks end; systemd's default would kill them.",
        "KillMode=mixed",
        f"TimeoutStopSec={stop}",
        "",
        *_hardening(settings, runs_tasks=runs_tasks),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ]
    return "\n".join(lines)


def _hardening(settings: Settings, *, runs_tasks: bool) -> list[str]:
    common = [
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "ProtectKernelLogs=yes",
        "ProtectHostname=yes",
        "ProtectControlGroups=yes",
        "RestrictSUIDSGID=yes",
        "RestrictRealtime=yes",
        "UMask=0077",
    ]
    if runs_tasks:
        return ["# Mild, because tasks run here; tighten it to what yours need.", *common, "ProtectSystem=full"]
    return [
        *common,
        "CapabilityBoundingSet=",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectClock=yes",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "RestrictNamespaces=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        f"ReadWritePaths={_quoted(f'-{settings.data_folder}')}",
    ]


def _executable() -> str:
    beside = Path(sys.executable).with_name("celsched")
    return str(beside) if beside.exists() else str(Path(sys.argv[0]).absolute())


def _owner(folder: Path) -> str:
    try:
        return folder.owner()
    except (KeyError, OSError):
        return "celsched"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """Return one word of a unit file, in quotes where it needs them."""
    safe = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe}"' if any(character in safe for character in " \t\"'\\;$") else safe
