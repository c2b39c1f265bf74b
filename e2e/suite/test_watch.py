"""After promotion: who turns bad is taken back, who suffers with everybody is not."""

from __future__ import annotations

import json

from e2e.demo.client import MANIFEST, RATE, Client
from e2e.demo.kubectl import wait_for
from e2e.demo.model import condition, phase, stable, weight
from e2e.demo.setting import Setting
from e2e.suite.monitoring import Monitoring
from e2e.suite.place import Place
from e2e.suite.prediction import predicted, sentence

TURNS = 420  # seconds from a promotion until its pool of connections is empty
COMPARED = 300
OUTAGE = 240
SILENT = 120  # seconds without Prometheus


def test_a_version_that_turns_slow_after_its_promotion_is_taken_back(place: Place) -> None:
    place.serve("good")
    place.model.apply("leaking")
    place.live("leaking")
    before = place.customers.now()
    place.model.until(
        "the comparison with its predecessor",
        TURNS,
        lambda seen: phase(seen) == "Comparing",
        lambda seen: phase(seen) == "RolledBack",
    )
    seen = place.rolled_back(COMPARED)
    assert stable(seen) == "good"
    assert seen["spec"]["model"]["version"] == "leaking"
    assert condition(seen, "Available")["status"] == "True"
    after = place.settled()
    print(
        f"turned slow after its promotion: {after.slow - before.slow} slow answers of "
        f"{after.total - before.total}, {after.failed - before.failed} failed, by the customers' "
        f"count; {seen['status']['rejected'][0]['evidence']}"
    )
    print(sentence(predicted("leaking", rps=RATE, defect="p99=100x", turns=True)))
    assert place.settled().slow == after.slow
    reasons = [reason for reason, _ in place.model.events()]
    assert "Comparing" in reasons and "RolledBack" in reasons


def test_what_both_revisions_suffer_rolls_nobody_back_and_is_told_once(
    setting: Setting, place: Place
) -> None:
    monitoring = Monitoring(setting.kubectl)
    place.serve("good")
    place.model.apply("better")
    place.live("better")
    spoilers = Client(setting.kubectl, place.namespace, "spoilers")
    spoilers.start(
        setting.manifest(MANIFEST.read_text()),
        host=place.host,
        rate=20,
        options=["--spoiled=0.6"],
    )
    seen = place.model.until(
        "the end of the comparison",
        OUTAGE + COMPARED,
        lambda seen: seen["status"].get("alarm", {}).get("held") in ("SharedFailure", "Cooldown"),
        lambda seen: phase(seen) == "RolledBack",
    )
    assert stable(seen) == "better"
    assert phase(seen) == "Live"
    assert "rollback" not in seen["spec"]
    assert condition(seen, "Trusted")["status"] == "False"
    told = monitoring.alerts(place.namespace)
    assert "MeritBreached" in told or any("Breach" in name for name in told), json.dumps(told)
    assert sum(reason == "Comparing" for reason, _ in place.model.events()) >= 1
    setting.kubectl("-n", place.namespace, "delete", "deployment", "spoilers")


def test_two_minutes_without_prometheus_move_nothing_and_it_goes_on_afterwards(
    setting: Setting, place: Place
) -> None:
    monitoring = Monitoring(setting.kubectl)
    before = place.serve("good")
    place.model.apply("better")
    entered = weight(place.exposed("better"))
    monitoring.scale("prometheus", 0)
    try:
        place.model.until(
            "the condition MetricsAvailable",
            90,
            lambda seen: condition(seen, "MetricsAvailable").get("status") == "False",
        )
        held = weight(place.model.seen())
        assert held >= entered
        total = place.customers.now().total
        wait_for(
            "two minutes of traffic",
            SILENT + 60,
            lambda: True if place.customers.now().total >= total + 40 * SILENT else None,
        )
        assert weight(place.model.seen()) == held
    finally:
        monitoring.scale("prometheus", 1)
    place.live("better")
    after = place.settled()
    assert after.failed == before.failed, after.last_error
