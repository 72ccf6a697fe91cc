"""The child process of `probe`: imports task paths and writes what it finds, one JSON object per line, to its own pipe.

It never writes to standard output itself; whatever user code prints goes where the parent sent it.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from celsched.callables.resolve import Resolved, prepare_imports, resolve
from celsched.callables.schema import check_schema
from celsched.callables.signature import check_params
from celsched.errors import InvalidDefinition, InvalidParams, SettingsError


def main(order_fd: int, answer_fd: int) -> None:
    """Check what stands in the file `order_fd`, and answer on `answer_fd`."""
    os.set_inheritable(answer_fd, False)
    with os.fdopen(order_fd, "rb") as stream:
        order = json.load(stream)
    try:
        prepare_imports(order["python_path"], order["preload"])
    except SettingsError as error:
        _say(answer_fd, {"settings_error": error.message})
        return
    for request in order["requests"]:
        _say(answer_fd, {"begin": request["name"]})
        _say(answer_fd, {"result": _checked(request)})


def _checked(request: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"name": request["name"], "misfits": []}
    schema = request["params_schema"]
    try:
        resolved = resolve(request["task_path"])
        if schema is not None:
            check_schema(schema)
        result["misfits"] = [found for variant in request["variants"] if (found := _misfit(resolved, schema, variant))]
    except InvalidDefinition as error:
        result.update(error=error.message, hint=error.hint, key=error.key)
    return result


def _misfit(resolved: Resolved, schema: Mapping[str, Any] | None, variant: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        check_params(resolved, variant["params"], schema, partial=variant["partial"])
    except InvalidParams as error:
        return {"label": variant["label"], "message": error.message, "hint": error.hint}
    return None


def _say(answer_fd: int, message: Mapping[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(answer_fd, data) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads and exit handlers of user code must not keep a check waiting.
    os._exit(0)
