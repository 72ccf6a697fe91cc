"""A worker's app for the tests: each execution leaves a file when it starts and waits for one that lets it end.

It never touches a store. The folder comes from CELSCHED_TEST_FOLDER, a broker other than the spool from
CELSCHED_TEST_BROKER.
"""

import os
from pathlib import Path
from typing import Any

from celsched.broker.app import make_app
from celsched.broker.message import TASK_EXECUTE, Message
from tests.support.waiting import wait_until

FOLDER = Path(os.environ["CELSCHED_TEST_FOLDER"])
BROKER = os.environ.get("CELSCHED_TEST_BROKER", "")

app = make_app(BROKER, embedded_folder=None if BROKER else FOLDER / "spool", role="worker")


@app.task(name=TASK_EXECUTE)  # type: ignore[untyped-decorator] # Celery carries no types
def execute(**kwargs: Any) -> None:
    number = Message.from_kwargs(kwargs).execution_id
    (FOLDER / f"started-{number}").touch()
    wait_until((FOLDER / f"end-{number}").exists, timeout=30, message=f"the test lets {number} end")
