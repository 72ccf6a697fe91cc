"""The `alerts:` that people write: read, written back, and which of several layers holds. Nothing is judged."""

from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft7Validator

from celsched.domain.health.kinds import KINDS, SETTINGS_ONLY, SWITCH_ONLY, AlertKind, Severity
from celsched.domain.health.rules import LENGTHS, SHARES, Tuning
from celsched.domain.health.watched import LabelRule, RuleBook
from celsched.domain.health.wishes import AlertWishes, decode_wishes, encode_wishes, merged_wishes, plain_wishes
from celsched.domain.options import OPTIONS
from celsched.errors import InvalidDefinition

BOOK = "https://wiki.example.org/شب"
_SCHEMA = Draft7Validator(dict(OPTIONS["alerts"].schema))


def _everything() -> dict[str, Any]:
    def value(name: str) -> Any:
        return "1h30m" if name in LENGTHS else 0.5 if name in SHARES else 3

    return {
        kind.kind.value: {
            "severity": "info", "hold": "1m", **{name: value(name) for name in kind.parameters}, "runbook": BOOK + "/1"
        }
        for kind in KINDS.values() if kind.kind not in SETTINGS_ONLY | SWITCH_ONLY
    } | {"no_worker": False, "ping": "شبانه", "runbook": BOOK}  # fmt: skip


@pytest.mark.parametrize(
    "raw", [{}, {"missed": False}, {"failed": True, "ping": "شبانه"}, {"runbook": BOOK}, _everything()]
)
def test_what_is_written_comes_back_and_fits_the_schema(raw: dict[str, Any]) -> None:
    wishes = decode_wishes("alerts", raw)
    assert encode_wishes(wishes) == raw
    assert decode_wishes("alerts", encode_wishes(wishes)) == wishes
    assert bool(wishes) == bool(raw)
    assert list(_SCHEMA.iter_errors(raw)) == []


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (["failed"], "alerts"),
        ({"fialed": True}, "alerts.fialed"),
        ({"failed": "yes"}, "alerts.failed"),
        ({"failed": {"after": "1h"}}, "alerts.failed.after"),
        ({"failed": {"severity": "fatal"}}, "alerts.failed.severity"),
        ({"no_recent_success": {"after": "often"}}, "alerts.no_recent_success.after"),
        ({"failure_rate": {"share": 20}}, "alerts.failure_rate.share"),
        ({"consecutive_failures": {"count": 0}}, "alerts.consecutive_failures.count"),
        ({"ping": ""}, "alerts.ping"),
        ({"runbook": "wiki/night"}, "alerts.runbook"),
        ({"missed": {"runbook": "javascript:alert(1)"}}, "alerts.missed.runbook"),
        ({"runbook": "https://wiki/ night"}, "alerts.runbook"),
    ],
)
def test_a_mistake_is_refused_at_its_place_also_by_the_schema(raw: Any, key: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        decode_wishes("alerts", raw)
    assert refused.value.key == key
    if key not in ("alerts.no_recent_success.after", "alerts.ping"):
        assert list(_SCHEMA.iter_errors(raw))


def test_the_strongest_layer_that_says_something_holds() -> None:
    kind = AlertKind.CONSECUTIVE_FAILURES
    money = LabelRule({"set": "مالی"}, {kind: Tuning(severity=Severity.INFO, parameters={"count": 7})})
    book = RuleBook({kind: Tuning(hold=timedelta(minutes=1), parameters={"count": 5, "recovery": 2})}, (money,))

    assert book.rules()[kind].parameters == {"count": 5, "recovery": 2}
    labelled = book.rules({"set": "مالی"})[kind]
    assert (labelled.parameters, labelled.severity) == ({"count": 7, "recovery": 2}, Severity.INFO)
    own = decode_wishes("alerts", {kind.value: {"count": 9}}).tunings
    strongest = book.rules({"set": "مالی"}, [own])[kind]
    assert strongest.parameters == {"count": 9, "recovery": 2}
    assert strongest.hold == timedelta(minutes=1)
    assert book.rules({"set": "مالی"}, [own]) is book.rules({"set": "مالی", "x": "y"}, [dict(own)])
    assert AlertWishes().tunings == {}


def test_a_runbook_is_of_one_kind_or_of_all_and_the_nearest_one_holds() -> None:
    task = decode_wishes("alerts", {"runbook": BOOK, "missed": {"runbook": f"{BOOK}/missed"}})
    schedule = decode_wishes("alerts", {"failed": {"runbook": f"{BOOK}/failed"}})
    rules = RuleBook().rules(own=[task.layer, schedule.layer])
    assert rules[AlertKind.MISSED].runbook == f"{BOOK}/missed"
    assert rules[AlertKind.FAILED].runbook == f"{BOOK}/failed"
    assert rules[AlertKind.TIMEOUT].runbook == BOOK
    assert not rules[AlertKind.FAILED].enabled, "a runbook alone switches nothing on"
    assert RuleBook().rules()[AlertKind.MISSED].runbook is None


@pytest.mark.parametrize(
    "layers",
    [
        [{"runbook": BOOK, "missed": {"runbook": f"{BOOK}/1"}}, {"runbook": f"{BOOK}/2"}],
        [{"failed": True, "too_long": {"limit": "1h"}}, {"failed": {"severity": "critical"}, "too_long": False}],
    ],
)
def test_what_is_merged_rules_as_the_layers_do(layers: list[dict[str, Any]]) -> None:
    wishes = [decode_wishes("alerts", layer) for layer in layers]
    assert RuleBook().rules(own=[merged_wishes(wishes).layer]) == RuleBook().rules(own=[one.layer for one in wishes])


def test_for_programs_lengths_stay_lengths() -> None:
    wishes = decode_wishes("alerts", {"failed": True, "no_recent_success": {"after": "26h"}, "ping": "شبانه"})
    assert plain_wishes(wishes) == {
        "failed": {"enabled": True}, "no_recent_success": {"after": timedelta(hours=26)}, "ping": "شبانه",
    }  # fmt: skip
    assert plain_wishes(AlertWishes()) == {}


def test_every_default_can_be_written() -> None:
    said = {
        kind: Tuning(parameters={name: value for name, value in row.parameters.items() if value is not None})
        for kind, row in KINDS.items()
    }
    wishes = AlertWishes(said)

    assert decode_wishes("alerts", encode_wishes(wishes)) == wishes
