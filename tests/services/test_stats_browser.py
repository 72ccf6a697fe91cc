"""The page of `stats report`, as a real browser shows it: charts to see, nothing loaded, nothing run, no overflow."""

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from celsched.cli.app import main
from celsched.cli.context import CliContext
from celsched.domain.execution import State
from celsched.operations.requests import RunNow, run_now
from celsched.operations.scope import Scope
from tests.support import actors
from tests.support.browser import Page, page_of
from tests.support.clock import ManualClock
from tests.support.factories import add_schedule

NASTY = "<script>document.title = 'run'</script><img src=x> & گزارش شبانه"
_BARS = """[...document.querySelectorAll('.chart .stack i')].map(bar => ({
    kind: bar.className, colour: getComputedStyle(bar).backgroundColor,
    height: bar.getBoundingClientRect().height, width: bar.getBoundingClientRect().width}))"""


@pytest.fixture
def written(scope: Scope, clock: ManualClock, tmp_path: Path) -> Path:
    """The page about nine successes and three failures of one day."""
    add_schedule(scope, NASTY, max_retries=0)
    for n in range(12):
        execution = run_now(scope, RunNow(NASTY))
        running = actors.start(scope.store, execution)
        clock.advance(timedelta(seconds=n + 1))
        actors.end(scope.store, running, State.FAILED if n % 4 == 3 else State.SUCCEEDED)
    cli = CliContext(stdout=io.StringIO(), stderr=io.StringIO(), env={}, cwd=tmp_path, clock=clock)
    words = ["--database-url", f"sqlite:///{tmp_path / 'store.db'}", "stats", "report", "--html", "page.html"]
    assert main([*words, "--since", "2026-02-28", "--until", "2026-03-02"], cli=cli) == 0, cli.stderr
    return tmp_path / "page.html"


@pytest.fixture
def page(tmp_path: Path, browser: str, written: Path) -> Iterator[Page]:
    """The page, shown in a window of a laptop."""
    with page_of(browser, tmp_path / "browser") as made:
        made.resize(1280, 800)
        made.open(written)
        yield made


def test_the_page_shows_charts_and_needs_nothing_else(page: Page, written: Path) -> None:
    assert page.ask("document.title").startswith("celsched: ")
    assert page.requests == [written.as_uri()]
    assert page.complaints == []
    bars: list[dict[str, Any]] = page.ask(_BARS)
    good, bad = (next(bar for bar in bars if bar["kind"] == kind) for kind in ("good", "bad"))
    assert len(bars) == 2
    assert good["height"] == pytest.approx(3 * bad["height"], rel=0.05)
    assert good["height"] + bad["height"] > 100
    assert good["width"] == bad["width"] > 100
    assert len({good["colour"], bad["colour"], page.ask("getComputedStyle(document.body).backgroundColor")}) == 3
    assert page.ask("document.querySelector('td .spark').getBoundingClientRect().height") > 10

    assert page.ask("document.scripts.length + document.images.length") == 0
    assert NASTY in page.ask("[...document.querySelectorAll('td bdi')].map(cell => cell.textContent)")
    assert page.ask("document.body.innerText").count("75 %") >= 2

    light = page.ask("getComputedStyle(document.body).backgroundColor")
    page.darken()
    assert page.ask("getComputedStyle(document.body).backgroundColor") != light
    for width in (1280, 768, 360):
        page.resize(width, 800)
        assert page.ask("document.documentElement.scrollWidth") <= width, f"the page is wider than {width} pixels"
