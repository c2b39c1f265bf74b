"""Rules and dashboard of the chart: promtool reads them, and each query finds data."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.dashboard import queries as panels
from e2e.cluster import debs
from e2e.queries import RULES, prometheus, queries, unanswered
from merit.alertmanager.outbox import Outbox
from merit.kube.cache import Key
from merit.policy.report.alert_kinds import Alert
from merit.policy.report.gauges import Gauge, Gauges
from merit.process.exporter import Calls, OperatorMetrics, QueueStats
from merit.reconciler.telemetry import Telemetry
from tests.chart.rendered import ROOT, only, render
from tests.prometheus.real import Exporter, RealPrometheus

ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
EVERYTHING = {
    "serviceMonitor": {"enabled": True, "interval": "5s", "labels": {"release": "stack"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "stack"}},
    "dashboard": {"enabled": True},
    "scrapeAnnotations": True,
}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = debs.package("promtool") / "usr/bin/promtool"
    return subprocess.run([program, *arguments], capture_output=True, text=True, cwd=ROOT)


def test_promtool_takes_the_rules_and_they_fire_when_they_should() -> None:
    for done in (
        promtool("check", "rules", RULES),
        promtool("test", "rules", "tests/chart/rules_test.yaml"),
    ):
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("query", panels())
def test_every_query_of_the_dashboard_is_promql(query: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        json.dumps({"groups": [{"name": "x", "rules": [{"record": "x", "expr": query}]}]})
    )
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_a_severity_and_a_runbook_that_is_there(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in [heading.lower().replace(" ", "-") for heading in headings]
    assert {"summary", "description"} <= set(rule["annotations"])


def test_that_no_operator_leads_is_among_the_alerts() -> None:
    assert any("merit_leader" in rule["expr"] for rule in ALERTS)


class Busy:
    """An operator at work: one model in its canary, one source, one Alertmanager that is down."""

    def __init__(self) -> None:
        self._telemetry = Telemetry()
        signals = {"errors": Gauge(0.02, 0.01, 2.0), "latency/p99": Gauge(0.005, 0.01, 0.5)}
        now = time.time()
        model = Gauges("Canary", 25, 1.5, 4.6, now, False, signals, 1.92)
        self._telemetry.objects = {Key("risk", "fraud"): model}
        self._outbox = Outbox(self)
        alarm = Alert({"alertname": "MeritBreached", "severity": "critical"}, {}, now)
        self._outbox.set_alerts(("risk", "fraud"), [alarm])
        self._calls = Calls()

    async def post(self, alerts: object) -> str:
        return "Alertmanager is unreachable (OSError)"

    async def work(self) -> str:
        """Everything is counted once more; the text of /metrics after it."""
        await self._outbox.deliver()
        self._telemetry.decisions["WeightRaised"] += 1
        self._telemetry.verdicts["Rollout", "Undecided"] += 1
        self._calls.count("get", 200)
        self._calls.queries["contour", "Answered"] += 1
        queue = QueueStats(
            {"safety": 0},
            {"safety": 0.0, "routine": 1.5},
            {"success": self._calls.api["get", 200]},
            0.5,
        )
        return OperatorMetrics(
            calls=self._calls,
            queue=lambda: queue,
            leading=lambda: True,
            lag=lambda: 0.0,
            watch_ages=lambda: {"Pod": 12.0},
            now=time.time,
            telemetry=self._telemetry,
            outbox=self._outbox,
        ).text()


async def test_a_real_prometheus_has_data_for_every_query_of_rules_and_dashboard(
    tmp_path: Path,
) -> None:
    busy, exporter = Busy(), Exporter()
    exporter.pods["a"] = await busy.work()
    server = RealPrometheus(tmp_path, exporter, {"merit": {"a": {"namespace": "merit-system"}}})
    try:
        await server.seen("merit_leader")
        exporter.pods["a"] = await busy.work()
        await server.seen('merit_api_requests_total{verb="get"}', 2.0)
        assert unanswered(prometheus(server.url)) == []
    finally:
        server.close()
        exporter.close()
    assert len(queries()) > 25


def test_what_is_not_asked_for_is_not_there_and_what_is_has_its_labels() -> None:
    kinds = {"ServiceMonitor", "PrometheusRule"}
    assert not kinds & {o["kind"] for o in render()}
    objects = render(monitoring=EVERYTHING)
    monitor, rules = only(objects, "ServiceMonitor"), only(objects, "PrometheusRule")
    assert monitor["spec"]["endpoints"] == [{"port": "metrics", "interval": "5s"}]
    assert monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] == "merit"
    assert rules["spec"] == yaml.safe_load(RULES.read_text())
    for found in (monitor, rules):
        assert found["metadata"]["labels"]["release"] == "stack"
    board = only(objects, "ConfigMap", "merit-dashboard")
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    shown = json.loads(board["data"]["merit.json"])
    assert shown == json.loads((ROOT / "charts/merit/files/dashboard.json").read_text())
    pod = only(objects, "Deployment")["spec"]["template"]["metadata"]
    assert pod["annotations"]["prometheus.io/port"] == "8080"


def test_panels_do_not_overlap_and_each_says_what_it_shows() -> None:
    board = json.loads((ROOT / "charts/merit/files/dashboard.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken and at["x"] + at["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
