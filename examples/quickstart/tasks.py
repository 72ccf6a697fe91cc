"""The tasks of the quickstart: plain functions. Their return value is kept as result, their output as log."""

import logging
import time

from celsched import current, progress

log = logging.getLogger("quickstart")


def greet(name="world"):
    """Say hello."""
    print(f"hello, {name}")
    return {"greeted": name}


def clean_up(hours=24):
    """Pretend to remove old files; logging works as usual, in any language."""
    log.info("فایل‌های قدیمی‌تر از %d ساعت پاک شدند", hours)
    return {"removed": 3}


def unsteady(succeeds_at=3):
    """Fail until the third attempt, as a service that comes back would make it."""
    attempt = current().attempt
    if attempt < succeeds_at:
        raise ConnectionError(f"the service did not answer (attempt {attempt})")
    return {"attempts": attempt}


def crunch(steps=20):
    """Work for a while and tell how far it is."""
    for step in range(1, steps + 1):
        time.sleep(0.2)
        progress(step, steps, f"step {step}")
    return {"steps": steps}


def call_home(url="https://reporter:hunter2@example.org/ping"):
    """Log a secret by mistake: it is masked before it is stored."""
    log.warning("calling %s with token=abc123def456", url)
