"""Owns `celsched doctor`: the checks as a list, and what to type about those that are not well. It never checks."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from celsched.cli.context import CliContext
from celsched.cli.exits import ExitCode
from celsched.cli.lists import for_eyes
from celsched.cli.manifest_options import NoImportOption
from celsched.cli.output import Column, Kind, OutputOption, Table
from celsched.cli.scope import scope_of
from celsched.cli.storage import require_project
from celsched.clock import SystemClock
from celsched.operations.checks import CodeRules
from celsched.operations.checkup import Check, Verdict
from celsched.operations.doctor import Patient, examine

_COLOURS = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red", Verdict.SKIP: "dim"}
_FULL = (Column("number"), Column("code"), Column("status"), Column("seen"), Column("fix"))
_EYES = (
    Column("number", "#", Kind.NUMBER),
    Column("status", kind=Kind.WORD, style=_COLOURS.get),
    Column("code", "check", Kind.WORD),
    Column("seen", least=30),
)


def doctor(
    ctx: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="A warning counts as a failure.")] = False,
    no_import: NoImportOption = False,
    output: OutputOption = None,
) -> int:
    """Check what must be so for schedules to run: store, broker, processes, queues, code, this machine.

    Each check has a code that never changes. Exit 0 if none failed, 1 otherwise.
    """
    cli = CliContext.of(ctx)
    require_project(cli.settings)
    rules = CodeRules.of(cli.settings, load=not no_import)
    checks = examine(Patient(cli.settings, lambda: scope_of(cli), SystemClock(), rules))
    eyes = for_eyes(cli, output)
    cli.write(Table(_EYES if eyes else _FULL, [_row(check) for check in checks], "code"), output)
    if eyes:
        _advise(cli, checks)
    bad = {Verdict.FAIL, Verdict.WARN} if strict else {Verdict.FAIL}
    return ExitCode.NO if any(check.found.verdict in bad for check in checks) else ExitCode.DONE


def _row(check: Check) -> dict[str, object]:
    found = check.found
    return {
        "number": check.number,
        "code": check.code,
        "status": found.verdict,
        "seen": found.seen,
        "fix": found.fix,
    }


def _advise(cli: CliContext, checks: Sequence[Check]) -> None:
    """Write what to type: on lines of their own and never broken, so that they can be copied."""
    mends: dict[str, list[str]] = {}
    for check in checks:
        if check.found.fix and check.found.verdict in (Verdict.FAIL, Verdict.WARN):
            mends.setdefault(check.found.fix, []).append(str(check.number))
    if mends:
        cli.print()
    for fix, numbers in mends.items():
        cli.print(f"{fix}  # {', '.join(numbers)}")
    counts = Counter(check.found.verdict for check in checks)
    words = {Verdict.PASS: "passed", Verdict.WARN: "warned", Verdict.FAIL: "failed", Verdict.SKIP: "skipped"}
    cli.say(f"{len(checks)} checks: " + ", ".join(f"{counts[one]} {words[one]}" for one in Verdict if counts[one]))
