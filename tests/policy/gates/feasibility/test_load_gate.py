"""The verdict of a load test: none from one that measured something else than it says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from merit.loadtest.counts import Counts
from merit.policy.gates.feasibility.demand import Demand
from merit.policy.gates.feasibility.load_gate import judge_report
from tests.policy.gates.feasibility.load_world import Band, LoadedServer, run

FAST = LoadedServer((Band(1000.0, ((1.0, 10.0),)),))
SLOW = LoadedServer((Band(1.0, ((1.0, 10.0),)),))
DEMAND = Demand(rps=Decimal(100), replicas_max=2, latency={"p99": 100.0})


@pytest.mark.parametrize("server", [FAST, SLOW])
def test_no_verdict_comes_of_a_test_that_measured_something_else(server: LoadedServer) -> None:
    report = run(server, DEMAND)
    without, _ = judge_report(DEMAND, report)
    assert without.kind == ("Good" if server is FAST else "Bad")
    sent = sum(stage.sent for stage in report.stages)
    agreed, facts = judge_report(DEMAND, replace(report, counts=Counts(sent, sent, 60.0, sent)))
    assert (agreed.kind, agreed.reason) == (without.kind, without.reason)
    assert facts["counts"].startswith(f"{sent:,} counted by the pods")
    for seen in (sent // 2, 2 * sent):
        counts = Counts(sent, sent, 60.0, seen)
        verdict, facts = judge_report(DEMAND, replace(report, counts=counts))
        assert (verdict.kind, verdict.reason) == ("NoData", "CountsDisagree")
        assert f"{seen:,} counted" in facts["counts"]


def test_unknown_counts_change_no_verdict() -> None:
    report = run(FAST, DEMAND)
    unknown = replace(report, counts=Counts(9, 9, 1.0, None, "answers 404"))
    assert judge_report(DEMAND, unknown)[0] == judge_report(DEMAND, report)[0]
