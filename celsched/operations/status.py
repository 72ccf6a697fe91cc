"""Owns the ledger's states in Celery's words. It never asks Celery."""

from celsched.domain.execution import State

CELERY_WORDS = {
    State.PENDING: "PENDING",
    State.QUEUED: "PENDING",
    State.RUNNING: "STARTED",
    State.RETRYING: "RETRY",
    State.SUCCEEDED: "SUCCESS",
    State.FAILED: "FAILURE",
    State.TIMED_OUT: "FAILURE",
    State.LOST: "FAILURE",
    State.CANCELLED: "REVOKED",
    State.EXPIRED: "REVOKED",
    State.SKIPPED: "REVOKED",
}
"""The nearest word of Celery for each state; Celery knows none for an execution that was lost or never tried."""
