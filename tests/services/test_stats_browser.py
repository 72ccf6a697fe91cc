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


_SCALE = """[...document.querySelectorAll('.chart .scale u')].map(line => ({
    text: line.innerText, y: line.getBoundingClientRect().top, x: line.firstChild.getBoundingClientRect().right}))"""
_TOTAL = """(() => { const stack = [...document.querySelectorAll('.chart .stack')].find(one => one.innerText);
    const bars = [...stack.querySelectorAll('i')].map(bar => bar.getBoundingClientRect());
    return {text: stack.innerText, top: Math.min(...bars.map(bar => bar.top)), left: bars[0].left,
            bottom: Math.max(...bars.map(bar => bar.bottom))} })()"""


def _has_a_scale(page: Page) -> None:
    """The bar of twelve runs ends where the lines of the axis say 12, says so itself, and stands above its date."""
    lines, bar = page.ask(_SCALE), page.ask(_TOTAL)
    values = [int(line["text"]) for line in lines]
    assert values == [0, 5, 10, 15]
    per_run = (lines[0]["y"] - lines[-1]["y"]) / values[-1]
    assert bar["bottom"] == pytest.approx(lines[0]["y"], abs=2)
    assert bar["bottom"] - bar["top"] == pytest.approx(12 * per_run, abs=2)
    assert bar["text"].strip() == "12"
    assert all(line["x"] < bar["left"] for line in lines)
    shown = page.ask("document.querySelector('.chart').parentElement.innerText")
    for words in ("Runs per day", "runs that ended on the day", "succeeded", "02-28", "03-01", "days of UTC"):
        assert words in shown


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
    _has_a_scale(page)

    assert page.ask("document.scripts.length + document.images.length") == 0
    assert NASTY in page.ask("[...document.querySelectorAll('td bdi')].map(cell => cell.textContent)")
    assert page.ask("document.body.innerText").count("75 %") >= 2

    light = page.ask("getComputedStyle(document.body).backgroundColor")
    page.darken()
    assert page.ask("getComputedStyle(document.body).backgroundColor") != light
    for width in (1280, 768, 360):
        page.resize(width, 800)
        assert page.ask("document.documentElement.scrollWidth") <= width, f"the page is wider than {width} pixels"
