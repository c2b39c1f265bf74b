"""What a pass does in which `decide` has raised: it drops what cannot be read, or relieves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from merit.api.live_status import DriftState
from merit.policy.decide import decide
from merit.policy.relief import decide_despite
from merit.policy.state.measurements import Distribution
from merit.policy.state.observed import Observed
from merit.stats.histogram import Histogram
from tests.policy.builders import NOW, observed, spec, with_parts, with_status
from tests.policy.situations import SCORE


def drifting(histogram: dict[str, Any]) -> Observed:
    """What serves, with that baseline of its drift on record, and a window that is measured."""
    seen = observed(spec(monitoring=SCORE))
    assert seen.status.stable is not None
    short = seen.status.stable.short
    baseline = DriftState(name="score", short=short, baseline="BurnIn", histogram=histogram)
    seen = with_status(seen, drift=(baseline,))
    window = Distribution(NOW, {3600.0: Histogram((0.5, 1.0), (600.0, 500.0, 0.0))})
    return with_parts(seen, distributions={"score": window})


@pytest.mark.parametrize("edges", [5, [[1], [2]]], ids=str)
def test_a_baseline_that_cannot_be_read_is_dropped_once_and_said(edges: Any) -> None:
    seen = drifting({"edges": edges, "counts": "1 2"})
    with pytest.raises(TypeError):
        decide(seen, NOW)
    decision = decide_despite(replace(seen, failed="TypeError"), NOW)
    assert decision.status.drift == () and decision.decisive_status
    assert [note.reason for note in decision.notes] == ["StateDropped"]
    assert decision.status.decisions[0].what == "dropped from status: drift"
    again = replace(seen, failed="TypeError")
    again = with_status(again, decisions=decision.status.decisions)
    decision = decide_despite(again, NOW + 60)
    assert not decision.decisive_status and decision.status.drift
    stalled = decision.status.condition("Stalled")
    assert stalled is not None and stalled.reason == "InternalError"
