"""Tasks for the manifests of this folder; what matters here is when and how often they run."""

import time

from celsched import current


def report(day="today"):
    """Say when it was meant to run."""
    print(f"report of {day} for {current().fire_time}")


def slow(seconds=5.0):
    """Take its time."""
    time.sleep(seconds)


def unsteady(succeeds_at=3):
    """Fail until the attempt `succeeds_at`."""
    if current().attempt < succeeds_at:
        raise ConnectionError(f"no answer (attempt {current().attempt})")


def pay(invoice="none"):
    """Do what must not be done twice: its execution id and attempt tell one try from another."""
    print(f"paid {invoice} once, in execution {current().execution_id}.{current().attempt}")
