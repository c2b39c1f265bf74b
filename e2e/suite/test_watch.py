"""After promotion: who turns bad is taken back, who suffers with everybody is not."""

from __future__ import annotations

import json

from e2e.demo.client import MANIFEST, RATE, Client
from e2e.demo.environment import Environment
from e2e.demo.kubectl import wait_for
from e2e.demo.model import condition, phase, stable, weight
from e2e.suite.monitoring import Monitoring
from e2e.suite.prediction import predicted, sentence
from e2e.suite.workspace import Workspace

TURNS = 420  # seconds from a promotion until its pool of connections is empty
COMPARED = 300
OUTAGE = 240
SILENT = 120  # seconds without Prometheus


def test_a_version_that_turns_slow_after_its_promotion_is_taken_back(workspace: Workspace) -> None:
    workspace.serve("good")
    workspace.model.apply("leaking")
    workspace.live("leaking")
    before = workspace.customers.now()
    workspace.model.until(
        "the comparison with its predecessor",
        TURNS,
        lambda seen: phase(seen) == "Comparing",
        lambda seen: phase(seen) == "RolledBack",
    )
    seen = workspace.rolled_back(COMPARED)
    assert stable(seen) == "good"
    assert seen["spec"]["model"]["version"] == "leaking"
    assert condition(seen, "Available")["status"] == "True"
    after = workspace.settled()
    print(
        f"turned slow after its promotion: {after.slow - before.slow} slow answers of "
        f"{after.total - before.total}, {after.failed - before.failed} failed, by the customers' "
        f"count; {seen['status']['rejected'][0]['evidence']}"
    )
    print(sentence(predicted("leaking", rps=RATE, defect="p99=100x", turns=True)))
    assert workspace.settled().slow == after.slow
    reasons = [reason for reason, _ in workspace.model.events()]
    assert "Comparing" in reasons and "RolledBack" in reasons


def test_what_both_revisions_suffer_rolls_nobody_back_and_is_told_once(
    environment: Environment, workspace: Workspace
) -> None:
    monitoring = Monitoring(environment.kubectl)
    workspace.serve("good")
    workspace.model.apply("better")
    workspace.live("better")
    spoilers = Client(environment.kubectl, workspace.namespace, "spoilers")
    spoilers.start(
        environment.manifest(MANIFEST.read_text()),
        host=workspace.host,
        rate=20,
        options=["--spoiled=0.6"],
    )
    seen = workspace.model.until(
        "the end of the comparison",
        OUTAGE + COMPARED,
        lambda seen: seen["status"].get("alarm", {}).get("held") in ("SharedFailure", "Cooldown"),
        lambda seen: phase(seen) == "RolledBack",
    )
    assert stable(seen) == "better"
    assert phase(seen) == "Live"
    assert "rollback" not in seen["spec"]
    assert condition(seen, "Trusted")["status"] == "False"
    found = monitoring.alerts(workspace.namespace)
    assert "MeritBreached" in found or any("Breach" in name for name in found), json.dumps(found)
    assert sum(reason == "Comparing" for reason, _ in workspace.model.events()) >= 1
    environment.kubectl("-n", workspace.namespace, "delete", "deployment", "spoilers")


def test_two_minutes_without_prometheus_move_nothing_and_it_goes_on_afterwards(
    environment: Environment, workspace: Workspace
) -> None:
    monitoring = Monitoring(environment.kubectl)
    before = workspace.serve("good")
    workspace.model.apply("better")
    entered = weight(workspace.exposed("better"))
    monitoring.scale("prometheus", 0)
    try:
        workspace.model.until(
            "the condition MetricsAvailable",
            90,
            lambda seen: condition(seen, "MetricsAvailable").get("status") == "False",
        )
        held = weight(workspace.model.seen())
        assert held >= entered
        total = workspace.customers.now().total
        wait_for(
            "two minutes of traffic",
            SILENT + 60,
            lambda: True if workspace.customers.now().total >= total + 40 * SILENT else None,
        )
        assert weight(workspace.model.seen()) == held
    finally:
        monitoring.scale("prometheus", 1)
    workspace.live("better")
    after = workspace.settled()
    assert after.failed == before.failed, after.last_error
