"""Rules for Prometheus and dashboards for Grafana: they ask for what there is, and say where to read on."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import written
from monitor.metrics import Metrics
from monitor.store_metrics import families
from tests.support.program import find
from tests.support.prometheus import ROOT, RULES

RUNBOOK = ROOT / "deploy/docs/runbook.md"
NAME = re.compile(r"\b(foreshock[_:][a-z0-9_:]+)")


def rules(key: str) -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            yield from (rule for rule in group["rules"] if key in rule)


def asked() -> Iterator[tuple[str, str]]:
    """Every expression, with where it stands."""
    for rule in [*rules("alert"), *rules("record")]:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for path, text in written().items():
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.name}: {panel['title']}", target["expr"]


def known() -> set[str]:
    """Every name that Prometheus can have of us."""
    names = {rule["record"] for rule in rules("record")} | {each.name for each in families()}
    for collector in Metrics().collectors:
        (metric,) = collector.describe()
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        names |= {metric.name + end for end in ends.get(metric.type, ("",))}
    return names


def test_every_metric_that_is_asked_for_exists() -> None:
    for where, expression in asked():
        outside_quotes = re.sub(r'"[^"]*"', "", expression)
        unknown = set(NAME.findall(outside_quotes)) - known()
        assert not unknown, f"{where} asks for {unknown}"


def test_the_dashboards_are_what_their_code_says() -> None:
    for path, text in written().items():
        assert path.read_text("utf-8") == text, f"run python -m deploy.grafana: {path.name}"


def test_every_panel_says_how_to_read_it() -> None:
    for path, text in written().items():
        board = json.loads(text)
        panels = [panel for panel in board["panels"] if panel["type"] != "row"]
        assert board["description"] and len(panels) >= 8
        for panel in panels:
            assert panel["description"].endswith("."), f"{path.name}: {panel['title']}"
            asks = [target["refId"] for target in panel["targets"]]
            assert len(set(asks)) == len(asks) and "" not in asks
            right = panel["gridPos"]["x"] + panel["gridPos"]["w"]
            assert right <= 24, f"{path.name}: {panel['title']} is off the page"


def test_every_alert_leads_to_its_entry_of_the_runbook() -> None:
    heads = re.findall(r"^#+ (.+)$", RUNBOOK.read_text("utf-8"), re.M)
    anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}
    for rule in rules("alert"):
        told = rule["annotations"]
        assert rule["labels"]["severity"] in ("page", "ticket", "info"), rule["alert"]
        assert told["summary"] and told["description"], rule["alert"]
        path, _, anchor = told["runbook"].partition("#")
        assert ROOT / path == RUNBOOK
        assert anchor in anchors, f"{rule['alert']}: the runbook has no entry {anchor}"


def test_promtool_takes_the_rules_and_they_alert_as_their_cases_say() -> None:
    program = find("prometheus", "promtool")
    cases = RULES[0].with_name("rules_test.yml")
    for arguments in (["check", "rules", *map(str, RULES)], ["test", "rules", str(cases)]):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", list(rules("alert")), ids=lambda rule: rule["alert"])
def test_every_alert_has_a_case_in_which_it_fires(rule: dict[str, Any]) -> None:
    cases = yaml.safe_load(RULES[0].with_name("rules_test.yml").read_text("utf-8"))["tests"]
    asked = [case for each in cases for case in each.get("alert_rule_test", ())]
    fired = [
        case["exp_alerts"]
        for case in asked
        if case["alertname"] == rule["alert"] and case.get("exp_alerts")
    ]
    assert fired, f"{rule['alert']} fires in no case of rules_test.yml"
