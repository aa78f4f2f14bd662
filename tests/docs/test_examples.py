"""The examples for operators: they name what there is, and the tools that read them accept them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import PROGRAM

EXAMPLES = Path(__file__).parents[2] / "examples"
RUNBOOK = (EXAMPLES.parent / "docs" / "runbook.md").read_text("utf-8")
SERVICES = sorted(EXAMPLES.glob("*.service"))
DASHBOARD: dict[str, Any] = json.loads((EXAMPLES / "grafana-dashboard.json").read_text("utf-8"))
ALERTS = [
    rule
    for group in yaml.safe_load((EXAMPLES / "prometheus-alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
EXPRESSIONS = [
    *(rule["expr"] for rule in ALERTS),
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A metrics file, and the environment's own manifest."""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    words = ("push", "a.jpg", "--to", "there", "--stages", "upload", "--metrics-file", "m.prom")
    env = {**os.environ, "BULKUP_HOME": str(folder / "home")}
    subprocess.run([PROGRAM, *words], cwd=folder, env=env, capture_output=True, check=True)
    return (folder / "m.prom").read_text("utf-8")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_name_metrics_that_there_are(expression: str, metrics: str) -> None:
    named = set(re.findall(r"\bbulkup_\w+", expression))
    assert named
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", metrics, re.MULTILINE))
    known = {f"{name}_bucket" if kind == "histogram" else name for name, kind in types.items()}
    assert named - known == set()
    labels = set(re.findall(r'(\w+)="', metrics)) | {"instance", "le"}
    assert set(re.findall(r'(\w+)!?="', expression)) - labels == set()
    assert expression.count("(") == expression.count(")")


def test_every_alert_is_in_the_runbook() -> None:
    assert [rule["alert"] for rule in ALERTS if f"| {rule['alert']} |" not in RUNBOOK] == []
    assert all(rule["annotations"]["summary"] for rule in ALERTS)


def test_the_dashboard_has_its_panels_side_by_side() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert {v["name"] for v in DASHBOARD["templating"]["list"]} == {"datasource"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_services_are_hardened(service: Path) -> None:
    """systemd rates the exposure from 0 (none) to 10; a unit without any hardening has 9.6."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", service],
        capture_output=True,
        text=True,
        check=False,
    )
    exposure = re.search(r"Overall exposure level for .*: ([\d.]+)", rated.stdout)
    assert exposure, rated.stderr
    assert float(exposure[1]) <= 3.0


def test_logrotate_accepts_its_example(tmp_path: Path) -> None:
    program = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("logrotate is not installed")
    config = tmp_path / "logrotate"
    config.write_bytes((EXAMPLES / "logrotate").read_bytes())
    config.chmod(0o600)
    checked = subprocess.run(
        [program, "--debug", "--state", tmp_path / "state", config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "error" not in checked.stderr


PINGED = """#!/bin/sh
for word in "$@"; do url=$word; done
echo "$url" >> pinged
"""


@pytest.mark.parametrize(("code", "said"), [(0, "0"), (3, "0"), (4, "4")])
def test_the_ping_reports_start_and_end(tmp_path: Path, code: int, said: str) -> None:
    for name, text in (("curl", PINGED), ("bulkup", f"#!/bin/sh\nexit {code}\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CHECK_URL": "http://check.test/id"}
    script = EXAMPLES / "ping.sh"
    ended = subprocess.run([script, "push", "x"], cwd=tmp_path, env=env, check=False)
    assert ended.returncode == code
    assert (tmp_path / "pinged").read_text().split() == [
        "http://check.test/id/start",
        f"http://check.test/id/{said}",
    ]
