"""Owns what becomes of a test that needs a program which neither pip nor the tests bring: it is left out, and says so.

It never installs anything. Where CELSCHED_TEST_FULL is set, as by .ci/run, nothing may be left out: then it fails.
"""

import os

import pytest

ALL_MUST_RUN = "CELSCHED_TEST_FULL"


def installed(path: str | None, package: str) -> str:
    """Return the path of a program that was looked for; where there is none, end the test that needs it."""
    if path is not None:
        return path
    missing = f"{package} is not installed (apt-get install {package})"
    if os.environ.get(ALL_MUST_RUN, "") not in {"", "0"}:
        pytest.fail(f"{missing}, and {ALL_MUST_RUN} says that every test must run", pytrace=False)
    pytest.skip(f"{missing}: left out")
