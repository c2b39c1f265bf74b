"""Evidence in status: typed where it fits, and no evidence where another version wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from merit.api.evidence_state import AnalysisState, WatchState
from merit.api.status import Status
from merit.stats.analysis import Analysis
from merit.stats.counts import ArmPair, Counts, Sample
from merit.stats.shiryaev_roberts import Monitor
from merit.stats.signal import Bar
from merit.stats.terms import Constants, Terms

BARS = (Bar("errors", 0.01, "1%"), Bar("latency/p99", 0.01, "120ms"))
TERMS = Terms(
    (1, 5, 25, 90),
    confidence=0.99,
    blast_radius=0.01,
    constants=Constants(),
    rps=200.0,
    phi={"errors": 1.7},
    source="it",
)


def sample(at: float, since: float | None) -> Sample:
    counts = Counts(100, 3), Counts(900, 2)
    pair = ArmPair(*counts, *counts)
    return Sample(at, since, {bar.name: pair for bar in BARS})


def analysis() -> dict[str, Any]:
    engine = Analysis(BARS, TERMS)
    for at, since in ((100.0, None), (115.0, 100.0), (130.0, 115.0)):
        engine.observe(sample(at, since), weight_changed=False, warming=False)
    return engine.to_status()


def watch() -> dict[str, Any]:
    monitor = Monitor(BARS, constants=Constants(), phi={"errors": 1.7})
    for at, since in ((100.0, None), (115.0, 100.0)):
        monitor.observe(sample(at, since))
    return {"of": "0a0a0a0a-1b1b1b1b", "phi": {"errors": "1.7"}, **monitor.to_status()}


def test_what_the_tests_leave_in_status_comes_back_to_the_last_digit() -> None:
    status = Status.model_validate({"analysis": analysis(), "watch": watch()})
    assert isinstance(status.analysis, AnalysisState) and isinstance(status.watch, WatchState)
    written = json.loads(json.dumps(status.to_dict()))
    assert written["analysis"] == analysis() and written["watch"] == watch()
    again = Status.model_validate(written)
    assert again == status
    kept = again.analysis.model_dump(by_alias=True) if again.analysis else {}
    assert Analysis.restore(kept, BARS, TERMS).to_status() == analysis()


def test_a_watch_that_has_just_begun_comes_back_too() -> None:
    begun = {"of": "0a0a0a0a-1b1b1b1b", "phi": {"errors": "1.7"}}
    status = Status.model_validate({"watch": begun})
    assert status.watch is not None and status.watch.signals is None
    assert status.to_dict()["watch"] == begun


def changed(state: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {**state, **parts}


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(None, id="nothing"),
        pytest.param({}, id="an empty object"),
        pytest.param([], id="a list"),
        pytest.param("evidence", id="a word"),
        pytest.param(7, id="a number"),
        pytest.param(changed(analysis(), signals=[{"name": "errors"}]), id="an older signal"),
        pytest.param(changed(analysis(), signals={"errors": {}}), id="signals by name"),
        pytest.param(changed(analysis(), evidence="much"), id="evidence in words"),
        pytest.param(changed(analysis(), evidence="nan"), id="evidence that is no number"),
        pytest.param(changed(analysis(), consumedUntil="yesterday"), id="a time in words"),
        pytest.param(changed(analysis(), flow=None), id="no traffic"),
        pytest.param({k: v for k, v in analysis().items() if k != "scrape"}, id="without a part"),
    ],
)
def test_evidence_that_does_not_fit_is_no_evidence_and_no_error(stored: Any) -> None:
    comparison = {
        "revision": "h1:0", "short": "0" * 8, "policy": "1" * 8, "version": "1",
        "promotedAt": "", "began": "", "since": "", "analysis": stored,
    }  # fmt: skip
    status = Status.model_validate({"analysis": stored, "comparison": comparison, "phase": "Live"})
    assert status.analysis is None and status.phase == "Live"
    assert status.comparison is not None and status.comparison.analysis is None


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param([], id="a list"),
        pytest.param({"of": 7}, id="of a number"),
        pytest.param({"of": "a-b", "phi": {"errors": "large"}}, id="dispersion in words"),
        pytest.param({"of": "a-b", "phi": []}, id="dispersion as a list"),
        pytest.param(changed(watch(), consumedUntil="yesterday"), id="a time in words"),
        pytest.param(changed(watch(), signals=["errors"]), id="signals without numbers"),
    ],
)
def test_a_watch_that_does_not_fit_begins_anew(stored: Any) -> None:
    assert Status.model_validate({"watch": stored}).watch is None


def test_a_newer_version_may_add_parts() -> None:
    newer = changed(analysis(), more={"anything": [1, 2]})
    assert Status.model_validate({"analysis": newer}).analysis is not None
