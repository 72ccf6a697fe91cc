"""Owns the log channel: each message as one line of JSON on standard error, for the journal. It never fails."""

import json
import sys
import threading

from celsched.notify.channel import Outgoing, Send

_one_line = threading.Lock()


def journal() -> Send:
    """Return how messages are written."""

    def send(message: Outgoing) -> None:
        line = json.dumps({"celsched_alert": message.payload()}, ensure_ascii=False)
        with _one_line:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    return send
