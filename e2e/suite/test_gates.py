"""The two gates with real pods: who is refused, with which figures, and what lets it pass."""

from __future__ import annotations

import re

from e2e.demo.model import phase, weight
from e2e.suite.place import Place

LOADED = 720  # seconds for a load test that halves its rate all the way down


def test_a_slow_version_is_refused_with_figures_and_a_suggestion_that_is_taken_passes(
    place: Place,
) -> None:
    before = place.serve("good", rate=10)
    place.model.apply("slow")
    seen = place.rejected(LOADED)
    entry = seen["status"]["rejected"][0]
    print(f"slow: {entry['reason']}: {entry['evidence']}")
    assert entry["stage"] == "Feasibility"
    assert entry["reason"] in ("TooSlow", "TooManyReplicas", "TooManyErrors")
    jobs = place.model.jobs()
    place.model.apply("slow")
    place.settled()
    assert place.model.jobs() == jobs
    suggested = re.search(r"scale\.rps (\d+)", entry["evidence"])
    assert suggested, f"no rate that would do is suggested: {entry['evidence']}"
    place.model.apply("slow", {"constraints.scale.rps": int(suggested[1])})
    place.model.until(
        "the load test at the suggested rate",
        LOADED,
        lambda seen: weight(seen) > 0 or phase(seen) in ("Canary", "Live"),
        lambda seen: phase(seen) == "Rejected",
    )
    stages = {s["stage"]: s for s in place.model.seen()["status"]["flow"]}
    assert stages["Feasibility"]["verdict"] == "Good", stages["Feasibility"]
    counts = place.record(stages["Feasibility"]["record"])["counts"]
    print(f"slow at {suggested[1]} rps: {counts}")
    assert "counted by the pods" in counts
    place.model.apply("good")
    after = place.settled()
    assert after.failed == before.failed, after.last_error


def test_an_unfair_version_is_refused_with_its_region_and_a_changed_bar_judges_it_anew(
    place: Place,
) -> None:
    before = place.serve("good")
    place.model.apply("unfair")
    seen = place.rejected()
    entry = seen["status"]["rejected"][0]
    assert entry["stage"] == "Evaluation"
    assert "region=north" in entry["evidence"]
    jobs, records = place.model.jobs(), place.records()
    place.model.apply("unfair")
    place.settled()
    assert (place.model.jobs(), place.records()) == (jobs, records)
    bars = [{"metric": "recall", "min": "0.70"}]
    place.model.apply("unfair", {"evaluation.bars": bars})
    place.model.until(
        "the evaluation under other bars",
        240,
        lambda seen: any(
            s["stage"] == "Evaluation" and s["verdict"] == "Good" for s in seen["status"]["flow"]
        ),
    )
    assert len(place.records()) > len(records)
    place.model.apply("good")
    after = place.settled()
    assert after.failed == before.failed, after.last_error
