"""The two gates with real pods: who is refused, with which figures, and what lets it pass."""

from __future__ import annotations

import re

from e2e.demo.model import phase, weight
from e2e.suite.workspace import Workspace

LOADED = 720  # seconds for a load test that halves its rate all the way down


def test_a_slow_version_is_refused_with_figures_and_a_suggestion_that_is_taken_passes(
    workspace: Workspace,
) -> None:
    before = workspace.serve("good", rate=10)
    workspace.model.apply("slow")
    seen = workspace.rejected(LOADED)
    entry = seen["status"]["rejected"][0]
    print(f"slow: {entry['reason']}: {entry['evidence']}")
    assert entry["stage"] == "Feasibility"
    assert entry["reason"] in ("TooSlow", "TooManyReplicas", "TooManyErrors")
    jobs = workspace.model.jobs()
    workspace.model.apply("slow")
    workspace.settled()
    assert workspace.model.jobs() == jobs
    suggested = re.search(r"scale\.rps (\d+)", entry["evidence"])
    assert suggested, f"no rate that would do is suggested: {entry['evidence']}"
    workspace.model.apply("slow", {"constraints.scale.rps": int(suggested[1])})
    workspace.model.until(
        "the load test at the suggested rate",
        LOADED,
        lambda seen: weight(seen) > 0 or phase(seen) in ("Canary", "Live"),
        lambda seen: phase(seen) == "Rejected",
    )
    stages = {s["stage"]: s for s in workspace.model.seen()["status"]["flow"]}
    assert stages["Feasibility"]["verdict"] == "Good", stages["Feasibility"]
    counts = workspace.record(stages["Feasibility"]["record"])["counts"]
    print(f"slow at {suggested[1]} rps: {counts}")
    assert "counted by the pods" in counts
    workspace.model.apply("good")
    after = workspace.settled()
    assert after.failed == before.failed, after.last_error


def test_an_unfair_version_is_refused_with_its_region_and_a_changed_bar_judges_it_anew(
    workspace: Workspace,
) -> None:
    before = workspace.serve("good")
    workspace.model.apply("unfair")
    seen = workspace.rejected()
    entry = seen["status"]["rejected"][0]
    assert entry["stage"] == "Evaluation"
    assert "region=north" in entry["evidence"]
    jobs, records = workspace.model.jobs(), workspace.records()
    workspace.model.apply("unfair")
    workspace.settled()
    assert (workspace.model.jobs(), workspace.records()) == (jobs, records)
    bars = [{"metric": "recall", "min": "0.70"}]
    workspace.model.apply("unfair", {"evaluation.bars": bars})
    workspace.model.until(
        "the evaluation under other bars",
        240,
        lambda seen: any(
            s["stage"] == "Evaluation" and s["verdict"] == "Good" for s in seen["status"]["flow"]
        ),
    )
    assert len(workspace.records()) > len(records)
    workspace.model.apply("good")
    after = workspace.settled()
    assert after.failed == before.failed, after.last_error
