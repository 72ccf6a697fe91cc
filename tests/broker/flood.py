"""Publishes a range of executions to a spool from a process of its own: `python -m tests.broker.flood FOLDER FROM TO`.

It never consumes.
"""

import sys
from pathlib import Path

from celsched.broker.app import make_app
from celsched.broker.message import Message, task_id
from celsched.broker.publisher import Publisher


def main(folder: str, first: str, last: str) -> None:
    publisher = Publisher(make_app("", embedded_folder=Path(folder), role="daemon"))
    for number in range(int(first), int(last)):
        publisher.publish(Message("w", number, 1), task_id=task_id("w", number, 1, 1), queue="سیل", priority=5)


if __name__ == "__main__":
    main(*sys.argv[1:])
