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
    "define": Entry("celsched.cli.define:define", "Create or change a task definition.", _DEFINE),
    "schedule": Entry("celsched.cli.schedule:schedule", "Create or change a schedule.", _DEFINE),
    "validate": Entry("celsched.cli.validate:validate", "Check manifests, without applying them.", _DEFINE),
    "diff": Entry("celsched.cli.diff:diff", "Show what applying manifests would change.", _DEFINE),
    "apply": Entry("celsched.cli.apply:apply", "Put manifests in force.", _DEFINE),
    "export": Entry("celsched.cli.export:export", "Print what is stored as a manifest.", _DEFINE),
    "schema": Entry("celsched.cli.schema:schema", "Print the JSON Schema of manifests, for editors.", _DEFINE),
    "logs": Entry("celsched.cli.logs:logs", "Show what a task logged and printed.", _LOOK),
    "status": Entry("celsched.cli.status:status", "Show an execution as the ledger and as Celery sees it.", _LOOK),
    "pause": Entry("celsched.cli.pause:pause", "Stop the fire times of schedules for a while.", _DO),
    "resume": Entry("celsched.cli.resume:resume", "End the pause of schedules.", _DO),
    "run-now": Entry("celsched.cli.run_now:run_now", "Run a task or a schedule once, now.", _DO),
    "cancel": Entry("celsched.cli.cancel:cancel", "Cancel an execution.", _DO),
    "retry": Entry("celsched.cli.retry:retry", "Run an ended execution again.", _DO),
    "backfill": Entry("celsched.cli.backfill:backfill", "Run a schedule for past fire times.", _DO),
    "delete": Entry("celsched.cli.delete:delete", "Delete a task or a schedule.", _DO),
    "tasks": Entry("celsched.cli.tasks:tasks", "List task definitions.", _LOOK),
    "schedules": Entry("celsched.cli.schedules:schedules", "List schedules, how they stand and how they do.", _LOOK),
    "executions": Entry("celsched.cli.executions:executions", "List executions, newest first.", _LOOK),
    "instances": Entry("celsched.cli.instances:instances", "List daemons, workers and watchers.", _LOOK),
    "show": Entry("celsched.cli.show:app", "Show one task, schedule, execution or alert.", _LOOK),
    "next": Entry("celsched.cli.next:next_", "Show coming fire times.", _LOOK),
    "why": Entry("celsched.cli.why:why", "Say what became of a fire time, and why.", _LOOK),
    "stats": Entry("celsched.cli.stats:stats", "Show what ran, how well and how fast.", _LOOK),
    "alerts": Entry("celsched.cli.alerts:app", "List what is wrong, or test a channel.", _LOOK),
    "silences": Entry("celsched.cli.silence:silences", "List what is silenced, by whom and until when.", _LOOK),
    "ack": Entry("celsched.cli.ack:ack", "Say that somebody looks at alerts.", _DO),
    "resolve": Entry("celsched.cli.ack:resolve", "Resolve alerts by hand.", _DO),
    "silence": Entry("celsched.cli.silence:silence", "Send no messages about what matches, for a while.", _DO),
    "unsilence": Entry("celsched.cli.silence:unsilence", "End a silence.", _DO),
    "top": Entry("celsched.cli.top:top", "Watch what runs, waits and comes, live.", _LOOK),
    "run": Entry("celsched.cli.run:run", "Dispatch due schedules until stopped.", _RUN, daemon=True),
    "worker": Entry("celsched.cli.worker:worker", "Run a Celery worker for executions.", _RUN, daemon=True),
    "watch": Entry("celsched.cli.watch:watch", "Notice what did not happen.", _RUN, daemon=True),
    "doctor": Entry("celsched.cli.doctor:doctor", "Check what must be so for schedules to run.", _CARE),
    "config": Entry("celsched.cli.config:config", "Show each setting, its value and where it came from.", _CARE),
    "purge": Entry("celsched.cli.purge:purge", "Remove what ended long ago.", _CARE),
    "db": Entry("celsched.cli.db:db", "Upgrade the store's schema, or show its version.", _CARE),
    "systemd": Entry("celsched.cli.systemd:systemd", "Print systemd units filled in for this project.", _CARE),
    "completion": Entry("celsched.cli.completion:completion", "Print the completion script of a shell.", _CARE),
    "version": Entry("celsched.cli.version:version", "Show the versions of celsched and of what it runs on.", _CARE),
    "__complete": Entry("celsched.cli.completion:answer", "Answer a completion script.", _CARE, hidden=True),
}
