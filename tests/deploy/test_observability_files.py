"""Alerts and dashboards use existing metrics, and every alert has a runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

import hepar.core.metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "hepar.json").read_text())
# Of Triton 2.51, as its metrics port says them.
TRITON = {"nv_inference_queue_duration_us", "nv_inference_request_success", "nv_inference_compute_infer_duration_us"}
PROCESS = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}


def measured() -> set[str]:
    """Every sample name that our collectors can give."""
    assert hepar.core.metrics.REQUESTS
    names: set[str] = set(TRITON | PROCESS)
    for family in REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


def spoken_of(expression: str) -> set[str]:
    without_labels = re.sub(r"\{[^}]*\}", "", expression)
    return set(re.findall(r"\b(?:hepar|nv|process)_\w+|\bup\b", without_labels))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_uses_existing_metrics_and_has_a_runbook(rule: dict[str, object]) -> None:
    names = spoken_of(str(rule["expr"]))
    assert names
    assert names <= measured()
    runbook = str(rule["annotations"]["runbook"])  # type: ignore[index]
    file, _, anchor = runbook.partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert rule["alert"] in headings
    assert anchor == str(rule["alert"]).lower()


def test_every_panel_uses_existing_metrics() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len(panels) > 20
    for panel in panels:
        for target in panel["targets"]:
            names = spoken_of(target["expr"])
            assert names, panel["title"]
            assert names <= measured(), panel["title"]


def test_every_alert_is_tested_and_promtool_agrees() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert {rule["alert"] for rule in RULES} == fired
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool (Debian: apt-get install prometheus)")
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yml"],
        cwd=PROMETHEUS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
