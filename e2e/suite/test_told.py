"""What people are told: alerts with the owner's labels, and figures for every panel."""

from __future__ import annotations

from e2e.demo.kubectl import wait_for
from e2e.demo.model import condition
from e2e.demo.setting import Setting
from e2e.queries import unanswered
from e2e.suite.monitoring import Monitoring
from e2e.suite.place import Place


def test_a_rollback_is_told_with_the_owners_labels_until_a_fixed_version_comes(
    setting: Setting, place: Place
) -> None:
    monitoring = Monitoring(setting.kubectl)
    place.serve("good")
    assert not monitoring.alerts(place.namespace)
    place.model.apply("failing")
    seen = place.rolled_back()
    told = monitoring.alert(place.namespace, "MeritRolledBack")
    owner, entry = seen["spec"]["owner"], seen["status"]["rejected"][0]
    assert told["labels"]["team"] == owner["team"]
    assert told["labels"]["contact"] == owner["contact"]
    assert told["labels"]["reason"] == entry["reason"]
    assert entry["evidence"] in told["annotations"]["summary"]
    place.model.apply("better")
    place.live("better")
    wait_for(
        "the alert's end",
        180,
        lambda: True if "MeritRolledBack" not in monitoring.alerts(place.namespace) else None,
    )


def test_every_query_of_rules_and_dashboard_finds_data_while_a_model_is_in_its_canary(
    setting: Setting, place: Place
) -> None:
    monitoring = Monitoring(setting.kubectl)
    place.serve("good")
    place.model.apply("better")
    place.exposed("better")
    left = wait_for(
        "data for every query", 90, lambda: True if not unanswered(monitoring.query) else None
    )
    assert left


def test_without_alertmanager_nothing_is_delayed_and_its_silence_is_told(
    setting: Setting, place: Place
) -> None:
    monitoring = Monitoring(setting.kubectl)
    place.serve("good")
    monitoring.scale("alertmanager", 0)
    try:
        place.model.apply("failing")
        place.rolled_back()
        told = place.model.until(
            "the condition AlertsDelivered",
            120,
            lambda seen: condition(seen, "AlertsDelivered").get("status") == "False",
            lambda seen: False,
        )
        assert condition(told, "AlertsDelivered")["reason"] == "AlertsUndelivered"
    finally:
        monitoring.scale("alertmanager", 1)
    assert monitoring.alert(place.namespace, "MeritRolledBack", 120)
