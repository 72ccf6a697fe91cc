"""Owns the text of the files that `celsched init` writes. It never writes them."""

_SETTINGS = """\
# Settings of celsched; `celsched config` shows each one, its value and where it came from.

# Which task paths may run. Nothing outside these patterns is ever defined or executed.
task_modules = ["tasks.*"]

# Zone of rules that name none, and of times shown.
timezone = "UTC"

# The store: SQLite in .celsched/ beside this file, or PostgreSQL for more than one machine.
# database_url = "postgresql://celsched@db.example.org/celsched"

# Celery's broker. Without one, `celsched run` also starts a worker on this machine.
# broker_url = "redis://localhost:6379/0"

# Days that ended executions are kept.
cleanup_days = 30

# Further words whose values are masked in params, results, errors and logs.
# redact = ["iban"]
"""

_MANIFEST = """\
# Tasks and schedules. `celsched validate -f schedules.yaml` checks this file,
# `celsched apply -f schedules.yaml` puts it in force.
version: 1
set: example

tasks:
  greet:
    task_path: tasks.greet
    description: Say hello
    default_params: {name: world}
  disk usage:
    task_path: tasks.disk_usage
    description: Measure how full the disk is
    params_schema: {type: object, properties: {path: {type: string}}}

schedules:
  greet often:
    task: greet
    every: 10s
  disk usage at night:
    task: disk usage
    cron: "30 2 * * *"
    params: {path: /}
"""

_TASKS = '''\
"""Tasks: plain functions. What they return is kept as their result, what they print and log as their log."""

import logging
import shutil

from celsched import current, progress

log = logging.getLogger(__name__)


def greet(name="world"):
    """Say hello."""
    run = current()
    log.info("hello, %s (execution %s)", name, run.execution_id if run else "none")
    return {"greeted": name}


def disk_usage(path="/"):
    """Return how full the disk is, in percent."""
    usage = shutil.disk_usage(path)
    progress(1, 1, f"looked at {path}")
    return {"path": path, "percent": round(100 * usage.used / usage.total, 1)}
'''

FILES = {"celsched.toml": _SETTINGS, "schedules.yaml": _MANIFEST, "tasks.py": _TASKS}
