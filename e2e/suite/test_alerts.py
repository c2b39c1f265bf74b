"""What people see: alerts with the owner's labels, and data for every panel of the dashboard."""

from __future__ import annotations

from e2e.demo.environment import Environment
from e2e.demo.kubectl import wait_for
from e2e.demo.model import condition
from e2e.queries import unanswered
from e2e.suite.monitoring import Monitoring
from e2e.suite.workspace import Workspace


def test_a_rollback_is_told_with_the_owners_labels_until_a_fixed_version_comes(
    environment: Environment, workspace: Workspace
) -> None:
    monitoring = Monitoring(environment.kubectl)
    workspace.serve("good")
    assert not monitoring.alerts(workspace.namespace)
    workspace.model.apply("failing")
    seen = workspace.rolled_back()
    found = monitoring.alert(workspace.namespace, "MeritRolledBack")
    owner, entry = seen["spec"]["owner"], seen["status"]["rejected"][0]
    assert found["labels"]["team"] == owner["team"]
    assert found["labels"]["contact"] == owner["contact"]
    assert found["labels"]["reason"] == entry["reason"]
    assert entry["evidence"] in found["annotations"]["summary"]
    workspace.model.apply("better")
    workspace.live("better")
    wait_for(
        "the alert's end",
        180,
        lambda: True if "MeritRolledBack" not in monitoring.alerts(workspace.namespace) else None,
    )


def test_every_query_of_rules_and_dashboard_finds_data_while_a_model_is_in_its_canary(
    environment: Environment, workspace: Workspace
) -> None:
    monitoring = Monitoring(environment.kubectl)
    workspace.serve("good")
    workspace.model.apply("better")
    workspace.exposed("better")
    left = wait_for(
        "data for every query", 90, lambda: True if not unanswered(monitoring.query) else None
    )
    assert left


def test_without_alertmanager_nothing_is_delayed_and_its_silence_is_told(
    environment: Environment, workspace: Workspace
) -> None:
    monitoring = Monitoring(environment.kubectl)
    workspace.serve("good")
    monitoring.scale("alertmanager", 0)
    try:
        workspace.model.apply("failing")
        workspace.rolled_back()
        found = workspace.model.until(
            "the condition AlertsDelivered",
            120,
            lambda seen: condition(seen, "AlertsDelivered").get("status") == "False",
            lambda seen: False,
        )
        assert condition(found, "AlertsDelivered")["reason"] == "AlertsUndelivered"
    finally:
        monitoring.scale("alertmanager", 1)
    assert monitoring.alert(workspace.namespace, "MeritRolledBack", 120)
