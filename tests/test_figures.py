"""What the operator tells Prometheus of itself: everything, bounded, and in nobody's words."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from e2e.cluster import debs
from merit.alerts.outbox import Outbox
from merit.cluster.cache import Key
from merit.exposition import MOST, exposition
from merit.figures import Calls, Parts, Queue, families
from merit.policy.telling.alarm import Alarm
from merit.policy.telling.gauges import Gauge, Gauges, signal_label
from merit.reconciler.witness import Witness
from tests.world import scenarios
from tests.world.world import World

NOW = 1_800_000_000.0


class Deaf:
    """An Alertmanager that takes nothing."""

    async def post(self, alerts: object) -> str:
        return "Alertmanager is unreachable (OSError)"


def parts(
    witness: Witness | None = None, outbox: Outbox | None = None, *, leading: bool = True
) -> Parts:
    calls = Calls()
    calls.count("get", 200)
    calls.count("get", 200)
    calls.queries["contour", "Answered"] += 4
    calls.prometheus_errors = 3
    queue = Queue({"safety": 0, "routine": 2}, {"safety": 0.0, "routine": 1.5}, {"success": 7}, 0.5)
    return Parts(
        calls=calls,
        queue=lambda: queue,
        leading=lambda: leading,
        lag=lambda: 0.25,
        watch_ages=lambda: {"Pod": 12.0},
        now=lambda: NOW,
        witness=witness or Witness(),
        outbox=outbox,
    )


def told(found: Parts) -> list[str]:
    return exposition(families(found)).splitlines()


def test_the_process_tells_of_its_queue_its_calls_and_its_watches() -> None:
    lines = told(parts())
    for line in (
        'merit_queue_depth{lane="routine"} 2',
        'merit_queue_oldest_seconds{lane="routine"} 1.5',
        'merit_reconciles_total{outcome="success"} 7',
        "merit_reconcile_seconds_total 0.5",
        "merit_leader 1",
        "merit_loop_lag_seconds 0.25",
        'merit_watch_age_seconds{kind="Pod"} 12',
        'merit_api_requests_total{verb="get",code="200"} 2',
        'merit_prometheus_queries_total{source="contour",outcome="Answered"} 4',
        "merit_prometheus_errors_total 3",
    ):
        assert line in lines


def test_on_a_standby_nothing_waits_however_long_it_has_stood_by() -> None:
    lines = told(parts(leading=False))
    assert "merit_leader 0" in lines
    assert 'merit_queue_depth{lane="routine"} 0' in lines
    assert 'merit_queue_oldest_seconds{lane="routine"} 0' in lines


async def test_an_alertmanager_that_takes_nothing_is_told_of() -> None:
    now = [NOW - 40.0]
    outbox = Outbox(Deaf(), now=lambda: now[0])
    labels = {"alertname": "MeritBreached", "severity": "critical"}
    outbox.tell(("risk", "fraud"), [Alarm(labels, {}, NOW)])
    assert not await outbox.deliver()
    now[0] = NOW
    lines = told(parts(outbox=outbox))
    assert 'merit_alerts_firing{severity="critical"} 1' in lines
    assert "merit_alerts_sent_total 0" in lines
    assert "merit_alerts_failed_total 1" in lines
    assert "merit_alerts_failing_seconds 40" in lines


async def test_an_object_in_its_canary_shows_weight_evidence_and_signals_and_then_no_more() -> None:
    world = World((*scenarios.FIRST, scenarios.apply("failing", scenarios.exposed("failing"))))
    await world.play()
    await world.rest(30.0)
    witness = world.witness
    lines = told(parts(witness))
    mine = '{object_namespace="risk",object="fraud-scorer"'
    assert 'merit_objects{phase="Canary"} 1' in lines
    assert f"merit_candidate_weight{mine}}} 10" in lines
    assert f"merit_evidence_mark_nats{mine}}} 4.605170186" in lines
    assert any(line.startswith(f"merit_evidence_nats{mine}}} ") for line in lines)
    assert f'merit_signal_bar{mine},signal="errors"}} 0.01' in lines
    assert any(line.startswith(f'merit_signal_value{mine},signal="errors"}} ') for line in lines)
    assert 'merit_verdicts_total{stage="Evaluation",verdict="Good"} 2' in lines
    assert "merit_fleet_incident 0" in lines
    assert any(line.startswith('merit_decisions_total{reason="WeightRaised"} ') for line in lines)
    witness.gone(world.key)
    assert not [line for line in told(parts(witness)) if "fraud-scorer" in line]


def test_what_users_named_is_in_no_label_and_of_several_the_worst_is_shown() -> None:
    assert signal_label("nulls") == "custom"
    assert signal_label("drift/score") == "drift"
    assert signal_label("latency/p99") == "latency/p99"


def test_the_number_of_series_ends_somewhere_and_objects_are_still_counted() -> None:
    witness = Witness()
    witness.objects = {Key("n", f"m{i}"): Gauges("Live") for i in range(MOST + 10)}
    lines = told(parts(witness))
    assert f'merit_objects{{phase="Live"}} {MOST + 10}' in lines
    assert len([line for line in lines if line.startswith("merit_candidate_weight{")]) == MOST


def test_promtool_has_nothing_to_complain_of(tmp_path: Path) -> None:
    witness = Witness()
    signals = {"errors": Gauge(0.02, 0.01, 2.0)}
    full = Gauges("Canary", 25, 1.5, 4.6, NOW - 7.0, False, signals, 1.92)
    witness.objects = {Key("risk", "fraud"): full}
    witness.decisions["RolledBack"] += 1
    witness.verdicts["Rollout", "Bad"] += 1
    text = exposition(families(parts(witness, Outbox(Deaf()))))
    assert "merit_evidence_lag_seconds 7" in text.splitlines()
    program = debs.package("promtool") / "usr/bin/promtool"
    done = subprocess.run(
        [program, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 20
