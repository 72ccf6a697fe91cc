"""Owns the peers of the burst benchmark: the same N schedules for each, at the instant in the environment.

It is loaded by the peers' own processes and measures nothing.
"""

import os
from datetime import datetime
from typing import Any

from celery import Celery
from celery.schedules import crontab

_QUEUE = "burst"


def _app() -> Any:
    app = Celery("burst", broker=os.environ["BURST_REDIS"], set_as_current=False)
    app.conf.update(
        timezone="UTC", task_default_queue=_QUEUE, task_ignore_result=True, redbeat_redis_url=app.conf.broker_url
    )
    return app


def _names() -> list[str]:
    return [f"s{number}" for number in range(int(os.environ["BURST_SCHEDULES"]))]


def _cron() -> Any:
    instant = datetime.fromisoformat(os.environ["BURST_INSTANT"])
    return crontab(minute=str(instant.minute), hour=str(instant.hour))


def _beat() -> Any:
    app = _app()
    app.conf.beat_schedule = {name: {"task": "nothing", "schedule": _cron()} for name in _names()}
    return app


beat = _beat()
"""What `celery beat` is given: the schedules are in its settings."""
redbeat = _app()
"""What RedBeat is given: `fill_redbeat` has put its entries into Redis."""


def fill_redbeat() -> None:
    """Put the entries into Redis."""
    from redbeat import RedBeatSchedulerEntry

    for name in _names():
        RedBeatSchedulerEntry(name, "nothing", _cron(), app=redbeat).save()


def run_apscheduler() -> None:
    """Run APScheduler with jobs in PostgreSQL until it is told to end."""
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.blocking import BlockingScheduler
    from apscheduler.triggers.cron import CronTrigger

    instant = datetime.fromisoformat(os.environ["BURST_INSTANT"])
    stores = {"default": SQLAlchemyJobStore(url=os.environ["BURST_DATABASE"])}
    scheduler = BlockingScheduler(jobstores=stores, timezone="UTC", job_defaults={"misfire_grace_time": None})
    trigger = CronTrigger(minute=instant.minute, hour=instant.hour, timezone="UTC")
    for name in _names():
        scheduler.add_job(send, trigger, id=name)
    scheduler.start()


def send() -> None:
    """Send one message, as a job of APScheduler."""
    beat.send_task("nothing")
