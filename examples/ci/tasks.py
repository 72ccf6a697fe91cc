"""The code that the manifests name. CI imports it, so a path or a parameter that does not fit never gets applied."""


def reconcile(ledger: str, days: int = 1):
    """Compare a ledger with the bank's statement."""
    return {"ledger": ledger, "days": days}


def send_statements(month: str | None = None):
    """Send the statements of a month, of the last one if none is given."""
    return {"month": month or "last"}
