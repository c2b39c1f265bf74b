"""The operator's own metrics: complete, bounded, and without any text of users."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path

from e2e.cluster import debs
from merit.alertmanager.outbox import Outbox
from merit.kube.cache import Key
from merit.policy.report.alert_kinds import Alert
from merit.policy.report.gauges import Gauge, Gauges, signal_label
from merit.process.exporter import MAX_OBJECTS, Calls, OperatorMetrics, QueueStats
from merit.reconciler.telemetry import Telemetry
from tests.scenarios.scripts import rollouts as scenarios
from tests.world.world import World

NOW = 1_800_000_000.0


class UnreachableAlertmanager:
    """An Alertmanager that takes nothing."""

    async def post(self, alerts: object) -> str:
        return "Alertmanager is unreachable (OSError)"


def metrics(
    telemetry: Telemetry | None = None, outbox: Outbox | None = None, *, leading: bool = True
) -> OperatorMetrics:
    calls = Calls()
    calls.count("get", 200)
    calls.count("get", 200)
    calls.queries["contour", "Answered"] += 4
    calls.prometheus_errors = 3
    queue = QueueStats(
        {"safety": 0, "routine": 2}, {"safety": 0.0, "routine": 1.5}, {"success": 7}, 0.5
    )
    return OperatorMetrics(
        calls=calls,
        queue=lambda: queue,
        leading=lambda: leading,
        lag=lambda: 0.25,
        watch_ages=lambda: {"Pod": 12.0},
        now=lambda: NOW,
        telemetry=telemetry or Telemetry(),
        outbox=outbox,
    )


def exported(of: OperatorMetrics) -> list[str]:
    return of.text().splitlines()


def test_queue_requests_and_watches_of_the_process_are_exported() -> None:
    lines = exported(metrics())
    for line in (
        'merit_queue_depth{lane="routine"} 2.0',
        'merit_queue_oldest_seconds{lane="routine"} 1.5',
        'merit_reconciles_total{outcome="success"} 7.0',
        "merit_reconcile_seconds_total 0.5",
        "merit_leader 1.0",
        "merit_loop_lag_seconds 0.25",
        'merit_watch_age_seconds{kind="Pod"} 12.0',
        'merit_api_requests_total{code="200",verb="get"} 2.0',
        'merit_prometheus_queries_total{outcome="Answered",source="contour"} 4.0',
        "merit_prometheus_errors_total 3.0",
    ):
        assert line in lines


def test_on_a_standby_nothing_waits_in_the_queue() -> None:
    lines = exported(metrics(leading=False))
    assert "merit_leader 0.0" in lines
    assert 'merit_queue_depth{lane="routine"} 0.0' in lines
    assert 'merit_queue_oldest_seconds{lane="routine"} 0.0' in lines


async def test_an_alertmanager_that_takes_nothing_is_seen() -> None:
    now = [NOW - 40.0]
    outbox = Outbox(UnreachableAlertmanager(), now=lambda: now[0])
    labels = {"alertname": "MeritBreached", "severity": "critical"}
    outbox.set_alerts(("risk", "fraud"), [Alert(labels, {}, NOW)])
    assert not await outbox.deliver()
    now[0] = NOW
    lines = exported(metrics(outbox=outbox))
    assert 'merit_alerts_firing{severity="critical"} 1.0' in lines
    assert "merit_alerts_sent_total 0.0" in lines
    assert "merit_alerts_failed_total 1.0" in lines
    assert "merit_alerts_failing_seconds 40.0" in lines


async def test_a_canary_exports_weight_evidence_and_signals_until_it_is_deleted() -> None:
    world = World((*scenarios.FIRST, scenarios.apply("failing", scenarios.exposed("failing"))))
    await world.play()
    await world.advance(30.0)
    telemetry = world.telemetry
    lines = exported(metrics(telemetry))
    mine = '{object="fraud-scorer",object_namespace="risk"'
    assert 'merit_objects{phase="Canary"} 1.0' in lines
    assert f"merit_candidate_weight{mine}}} 10.0" in lines
    assert f"merit_log_e_threshold{mine}}} {-math.log(0.01)!r}" in lines
    assert any(line.startswith(f"merit_log_e_value{mine}}} ") for line in lines)
    assert f'merit_signal_bar{mine},signal="errors"}} 0.01' in lines
    assert any(line.startswith(f'merit_signal_value{mine},signal="errors"}} ') for line in lines)
    assert 'merit_verdicts_total{stage="Evaluation",verdict="Good"} 2.0' in lines
    assert "merit_fleet_incident 0.0" in lines
    assert any(line.startswith('merit_decisions_total{reason="WeightRaised"} ') for line in lines)
    telemetry.forget(world.key)
    assert not [line for line in exported(metrics(telemetry)) if "fraud-scorer" in line]


def test_no_label_holds_a_name_that_users_chose() -> None:
    assert signal_label("nulls") == "custom"
    assert signal_label("drift/score") == "drift"
    assert signal_label("latency/p99") == "latency/p99"


def test_the_number_of_series_is_bounded_and_all_objects_are_counted() -> None:
    telemetry = Telemetry()
    telemetry.objects = {Key("n", f"m{i}"): Gauges("Live") for i in range(MAX_OBJECTS + 10)}
    lines = exported(metrics(telemetry))
    assert f'merit_objects{{phase="Live"}} {MAX_OBJECTS + 10}.0' in lines
    assert (
        len([line for line in lines if line.startswith("merit_candidate_weight{")]) == MAX_OBJECTS
    )


def test_promtool_accepts_the_metrics(tmp_path: Path) -> None:
    telemetry = Telemetry()
    signals = {"errors": Gauge(0.02, 0.01, 2.0)}
    full = Gauges("Canary", 25, 1.5, 4.6, NOW - 7.0, False, signals, 1.92)
    telemetry.objects = {Key("risk", "fraud"): full}
    telemetry.decisions["RolledBack"] += 1
    telemetry.verdicts["Rollout", "Bad"] += 1
    text = metrics(telemetry, Outbox(UnreachableAlertmanager())).text()
    assert "merit_evidence_lag_seconds 7.0" in text.splitlines()
    program = debs.package("promtool") / "usr/bin/promtool"
    done = subprocess.run(
        [program, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 20
