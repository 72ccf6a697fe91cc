"""The example of monitoring names only metrics and labels that a scrape has, and only alert kinds that there are."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from celsched.cli.app import build
from celsched.cli.context import CliContext
from celsched.domain.health.kinds import AlertKind
from celsched.monitor.metric_table import KINDS, METRICS
from tests.docs.project import EXAMPLES

FOLDER = EXAMPLES / "monitoring"
_METRIC = re.compile(r"\b(celsched_\w+)(?:\{([^}]*)\})?")
_BY = re.compile(r"\bby \(([^)]*)\)")
_FIELDS = {"id", "type", "title", "gridPos", "datasource", "targets", "fieldConfig", "options"}


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def _rules() -> list[dict[str, Any]]:
    return [rule for group in _read("rules.yml")["groups"] for rule in group["rules"]]


def _dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    return found


def _expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in _rules())
    yield from (target["expr"] for panel in _dashboard()["panels"] for target in panel["targets"])


@pytest.mark.parametrize("expression", sorted(set(_expressions())))
def test_every_metric_and_label_of_an_expression_is_scraped(expression: str) -> None:
    metrics = _METRIC.findall(expression)
    assert metrics
    allowed = {"instance"}
    for name, matchers in metrics:
        assert name in METRICS
        allowed |= {*METRICS[name].labels}
        given = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
        assert given.keys() <= {*METRICS[name].labels}
        if name == "celsched_instances_up":
            assert given["kind"] in KINDS
    grouped = {label.strip() for labels in _BY.findall(expression) for label in labels.split(",")}
    assert grouped <= allowed


def test_every_metric_is_on_the_dashboard_or_in_a_rule() -> None:
    # What only explains another number may be looked up.
    explains = {"celsched_last_hour_reach_seconds", "celsched_last_5m_starts", "celsched_schedules_due",
                "celsched_outbox_oldest_seconds", "celsched_notifications_oldest_seconds"}  # fmt: skip
    used = {name for expression in _expressions() for name, _ in _METRIC.findall(expression)}
    assert METRICS.keys() - used <= explains


def test_the_rules_tell_what_celsched_cannot() -> None:
    rules = {rule["alert"]: rule for rule in _rules()}
    assert len(rules) == len(_rules())
    assert rules.keys() >= {"CelschedStoreDown", "CelschedDaemonSilent", "CelschedBacklog", "CelschedCritical"}
    for rule in rules.values():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}


def _commands() -> set[str]:
    said = "\n".join(text for rule in _rules() for text in rule["annotations"].values())
    return {re.sub(r"\{\{[^}]*\}\}", "missed", found) for found in re.findall(r"`celsched ([^`]+)`", said)}


@pytest.mark.parametrize("words", sorted(_commands()))
def test_what_a_rule_tells_to_type_can_be_typed(words: str) -> None:
    command, args = build(), shlex.split(words)
    context = command.make_context("celsched", ["version"], obj=CliContext())
    while args and not args[0].startswith("-") and hasattr(command, "resolve_command"):
        name, command, args = command.resolve_command(context, args)
        given = [*args, "127.0.0.1:1"] if args == ["--metrics"] else args
        context = command.make_context(name, list(given), parent=context)


def test_the_rules_fire_when_they_should_and_not_when_they_should_not(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "rules_test.yml").read_text(encoding="utf-8")
    named = {test["alertname"] for one in yaml.safe_load(text)["tests"] for test in one["alert_rule_test"]}
    assert named <= {rule["alert"] for rule in _rules()}
    series = {name for name, _ in _METRIC.findall(text)}
    assert series <= METRICS.keys()
    promtool = shutil.which("promtool")
    if promtool:  # of Prometheus, which no pip package brings; the names above are held in any case
        (tmp_path / "rules_test.yml").write_text(text.replace("RULES", str(FOLDER / "rules.yml")), encoding="utf-8")
        command = [promtool, "test", "rules", str(tmp_path / "rules_test.yml")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    board = _dashboard()
    assert board["schemaVersion"] >= 16
    assert {"title", "uid", "time", "templating", "refresh", "panels"} <= board.keys()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    variables = {f"${{{one['name']}}}" for one in board["templating"]["list"]}
    for panel in panels:
        assert panel.keys() >= _FIELDS
        assert panel["type"] in {"stat", "timeseries", "table"}
        assert {panel["datasource"]["uid"], *(one["datasource"]["uid"] for one in panel["targets"])} <= variables
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_no_panel_lies_on_another_or_beside_the_grid() -> None:
    places = [panel["gridPos"] for panel in _dashboard()["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    cells = [{(x, y) for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])} for p in places]
    assert not [pair for pair in combinations(cells, 2) if pair[0] & pair[1]]


def test_the_scrape_configuration_loads_the_rules_that_are_there() -> None:
    config = _read("prometheus.yml")
    assert [name for name in config["rule_files"] if not (FOLDER / name).is_file()] == []
    assert [job["job_name"] for job in config["scrape_configs"]] == ["celsched"]


def test_what_alertmanager_matches_are_kinds_and_rules() -> None:
    config = _read("alertmanager.yml")
    words = re.findall(r'alertname [=!]~ "([^"]*)"', json.dumps(config).replace('\\"', '"'))
    named = {word for text in words for word in text.split("|")}
    assert named
    assert named <= {*map(str, AlertKind)} | {rule["alert"] for rule in _rules()}
    receivers = {one["name"] for one in config["receivers"]}
    routes = [config["route"], *config["route"]["routes"]]
    assert {route["receiver"] for route in routes} <= receivers


def test_the_readme_names_every_file() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    files: list[Path] = sorted(path for path in FOLDER.iterdir() if path.name != "README.md")
    assert len(files) == 4
    assert [path.name for path in files if f"`{path.name}`" not in text] == []
