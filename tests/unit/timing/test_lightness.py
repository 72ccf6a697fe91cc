"""What importing the rules costs: croniter comes in with the first question for a next fire time."""

import subprocess
import sys

PROGRAM = """
import sys
from datetime import UTC, datetime
import celsched.timing.interval
from celsched.timing import Cron
rule = Cron("0 2 * * *", "Asia/Tehran")
rule.count(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
print("croniter" in sys.modules)
rule.next_after(datetime(2024, 1, 1, tzinfo=UTC))
print("croniter" in sys.modules)
"""


def test_croniter_is_imported_only_for_a_next_fire_time() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
