"""Owns the table of commands: where each lives, what it says of itself, and where `--help` shows it.

It imports none of them.
"""

from celsched.cli.lazy import Entry

_START, _DEFINE, _LOOK, _DO, _RUN, _CARE = (
    "Start",
    "Define",
    "Look",
    "Do",
    "Run",
    "Care",
)

COMMANDS: dict[str, Entry] = {
    "init": Entry("celsched.cli.init:init", "Write a settings file, a manifest and tasks that run.", _START),
    "schema": Entry("celsched.cli.schema:schema", "Print the JSON Schema of manifests, for editors.", _DEFINE),
    "run": Entry("celsched.cli.run:run", "Dispatch due schedules until stopped.", _RUN, daemon=True),
    "worker": Entry("celsched.cli.worker:worker", "Run a Celery worker for executions.", _RUN, daemon=True),
    "watch": Entry("celsched.cli.watch:watch", "Notice what did not happen.", _RUN, daemon=True),
    "config": Entry("celsched.cli.config:config", "Show each setting, its value and where it came from.", _CARE),
    "systemd": Entry("celsched.cli.systemd:systemd", "Print systemd units filled in for this project.", _CARE),
    "completion": Entry("celsched.cli.completion:completion", "Print the completion script of a shell.", _CARE),
    "version": Entry("celsched.cli.version:version", "Show the versions of celsched and of what it runs on.", _CARE),
    "__complete": Entry("celsched.cli.completion:answer", "Answer a completion script.", _CARE, hidden=True),
}
