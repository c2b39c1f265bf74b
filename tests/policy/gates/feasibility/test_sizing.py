"""Feasible, or what would make it so: the worked example, and what must hold for all of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from merit.loadtest.plan import Stage
from merit.policy.gates.feasibility.demand import Demand
from merit.policy.gates.feasibility.load_report import LoadReport
from merit.policy.gates.feasibility.sizing import (
    inconclusive,
    is_feasible,
    reasons,
    size,
    why_feasible,
    why_infeasible,
)
from merit.policy.gates.feasibility.suggestions import apply, suggestion_text, suggestions
from tests.policy.gates.feasibility.load_world import LoadedServer, run, servers

EXAMPLE = Demand(
    rps=Decimal(100),
    headroom=Decimal("0.24"),
    replicas_min=2,
    replicas_max=8,
    latency={"p99": 120.0},
    price=Decimal("0.48"),
    per_hour=Decimal("1.50"),
    currency="USD",
)


def stage(rps: float, slow: int, sent: int = 6000, failed: int = 0, between: int = 0) -> Stage:
    """`slow` above 183 ms, `between` from 120 to 183 ms, the rest within 120 ms."""
    counts = (sent - slow - between - failed, between, slow + failed)
    return Stage(rps, sent / rps, sent, sent, sent - failed, failed, counts)


MEASURED = LoadReport(2, (120.0, 183.0), (stage(124, 30, between=200), stage(62, 10)))


def test_the_worked_example() -> None:
    sizing = size(EXAMPLE, MEASURED)
    assert (sizing.capacity, sizing.needed) == (31, 4)
    assert EXAMPLE.affordable == 3 and EXAMPLE.most == 3
    assert not is_feasible(EXAMPLE, sizing)
    assert reasons(EXAMPLE, sizing, MEASURED) == ("TooExpensive",)
    assert why_infeasible(EXAMPLE, sizing, MEASURED) == (
        "needs 4 replicas (1.92 USD/h > 1.50); holds up to 31 rps per replica, "
        "not at 62 rps per replica"
    )
    assert suggestion_text(EXAMPLE, sizing, MEASURED) == (
        "any one of these makes it feasible: cost.perHour 1.92, latency.p99 190ms, scale.rps 50, "
        "pods at <= 0.37 USD/h each, a simpler model"
    )


def test_what_needs_more_replicas_than_the_least_says_how_many_and_on_what_assumption() -> None:
    demand = replace(EXAMPLE, per_hour=Decimal(6))
    sizing = size(demand, MEASURED)
    assert is_feasible(demand, sizing)
    said = why_feasible(demand, sizing, MEASURED)
    assert "124 rps on 4 replicas if they scale linearly" in said
    assert "1.92 USD/h <= 6" in said


def test_only_the_most_replicas_are_in_the_way() -> None:
    demand = replace(EXAMPLE, replicas_max=3, per_hour=Decimal(6))
    sizing = size(demand, MEASURED)
    assert reasons(demand, sizing, MEASURED) == ("TooManyReplicas",)
    first = suggestions(demand, sizing, MEASURED)[0]
    assert first.text == "scale.replicas.max 4 (1.92 USD/h)"


def test_several_limits_may_bind_and_the_more_important_is_named_first() -> None:
    demand = replace(EXAMPLE, replicas_max=3)
    assert reasons(demand, size(demand, MEASURED), MEASURED) == ("TooExpensive", "TooManyReplicas")


def test_too_slow_even_at_the_lowest_stage_no_number_of_replicas_is_suggested() -> None:
    report = LoadReport(2, (120.0, 183.0), tuple(stage(124 / 2**k, 3000) for k in range(5)))
    sizing = size(EXAMPLE, report)
    assert inconclusive(EXAMPLE, report) is None
    assert reasons(EXAMPLE, sizing, report) == ("TooSlow",)
    assert suggestions(EXAMPLE, sizing, report) == ()
    assert suggestion_text(EXAMPLE, sizing, report) == "only a simpler model is known to help"
    assert "50.0% slower than latency.p99 120ms even at 3.875 rps per replica" in why_infeasible(
        EXAMPLE, sizing, report
    )


def test_requests_that_fail_even_slowly_are_to_be_repaired_not_relaxed() -> None:
    demand = Demand(rps=Decimal(100), replicas_max=64, errors=0.01)
    report = LoadReport(1, (100.0,), tuple(failing(100 / 2**k) for k in range(5)))
    sizing = size(demand, report)
    assert reasons(demand, sizing, report) == ("TooManyErrors",)
    assert suggestion_text(demand, sizing, report) == ""
    assert why_infeasible(demand, sizing, report) == (
        "fails 3.1% of requests even at 6.25 rps per replica"
    )


def failing(rps: float) -> Stage:
    return Stage(rps, 1000 / rps, 1000, 1000, 969, 31, (969, 31))


def test_a_saturated_generator_is_no_verdict_on_the_model() -> None:
    late = replace(stage(124, 0, between=6000), lag99=40.0)
    verdict = inconclusive(EXAMPLE, LoadReport(2, (120.0, 183.0), (late,)))
    assert verdict and (verdict.kind, verdict.reason) == ("NoData", "GeneratorSaturated")
    throttled = replace(stage(124, 0, between=6000), throttled=0.2)
    verdict = inconclusive(EXAMPLE, LoadReport(2, (120.0, 183.0), (throttled,)))
    assert verdict and "throttled in 20%" in verdict.message
    few = replace(stage(124, 0), due=7000)
    verdict = inconclusive(EXAMPLE, LoadReport(2, (120.0, 183.0), (few,)))
    assert verdict and "6,000 of 7,000" in verdict.message


def test_what_holds_though_the_generator_was_late_holds_all_the_more() -> None:
    late = replace(stage(124, 0), lag99=6.1, throttled=0.2)
    assert inconclusive(EXAMPLE, LoadReport(2, (120.0, 183.0), (late,))) is None


def test_what_is_bad_by_far_more_than_the_generator_was_late_is_bad() -> None:
    late = replace(stage(124, 6000), lag99=30.0)  # all above 183 ms, where 180 would be excused
    report = LoadReport(2, (120.0, 180.0, 183.0), (replace(late, n=(0, 0, 0, 6000)),))
    assert inconclusive(replace(EXAMPLE, per_hour=Decimal(1)), report) is None
    later = replace(report.stages[0], lag99=40.0)  # up to 200 ms would be: no edge tells
    verdict = inconclusive(EXAMPLE, replace(report, stages=(later,)))
    assert verdict and verdict.reason == "GeneratorSaturated"
    failed = LoadReport(2, (120.0, 183.0), (replace(stage(124, 0, failed=3000), lag99=40.0),))
    assert inconclusive(replace(EXAMPLE, per_hour=Decimal(1)), failed) is None


def test_a_request_that_the_server_refuses_measures_nothing() -> None:
    wrong = replace(stage(124, 0), refused=61)
    verdict = inconclusive(EXAMPLE, LoadReport(2, (120.0, 183.0), (wrong,)))
    assert verdict and (verdict.kind, verdict.reason) == ("NoData", "BadRequest")
    few = replace(stage(124, 0), refused=60)
    assert inconclusive(EXAMPLE, LoadReport(2, (120.0, 183.0), (few,))) is None


def test_too_few_requests_are_neither_good_nor_bad() -> None:
    report = LoadReport(2, (120.0, 183.0), (stage(124, 0, sent=200),))
    verdict = inconclusive(EXAMPLE, report)
    assert verdict and (verdict.kind, verdict.reason) == ("Undecided", "TooFewRequests")


def test_a_test_that_ended_early_decides_only_what_a_slower_stage_could_not_change() -> None:
    early = LoadReport(2, (120.0, 183.0), (stage(124, 3000),))
    roomy = replace(EXAMPLE, per_hour=Decimal(60))
    verdict = inconclusive(roomy, early)
    assert verdict and verdict.reason == "TooFewRequests"
    assert inconclusive(EXAMPLE, early) is None  # 4 replicas would already be too expensive


def test_what_is_undecided_at_a_rate_that_no_allowed_replica_would_have_does_not_matter() -> None:
    undecided_below = LoadReport(2, (120.0, 183.0), (stage(124, 3000), stage(62, 0, sent=200)))
    tight = replace(EXAMPLE, replicas_max=2)
    assert inconclusive(tight, undecided_below) is None
    sizing = size(tight, undecided_below)
    assert not is_feasible(tight, sizing)
    assert reasons(tight, sizing, undecided_below) == ("TooSlow",)
    assert why_infeasible(tight, sizing, undecided_below) == (
        "50.0% slower than latency.p99 120ms even at 62 rps per replica"
    )
    helps = suggestion_text(tight, sizing, undecided_below)
    assert helps == "only a simpler model is known to help"
    verdict = inconclusive(replace(EXAMPLE, replicas_max=8, per_hour=Decimal(60)), undecided_below)
    assert verdict and verdict.reason == "TooFewRequests"


def test_cost_per_prediction_counts_at_the_declared_rate() -> None:
    demand = replace(EXAMPLE, per_hour=None, per1k=Decimal("0.004"))
    sizing = size(demand, MEASURED)
    assert demand.affordable == 3
    assert not is_feasible(demand, sizing)
    texts = [each.text for each in suggestions(demand, sizing, MEASURED)]
    assert "cost.per1kPredictions 0.0054" in texts
    # At less than the declared rate the same pods are dearer per prediction.
    assert not any(text.startswith("scale.rps") for text in texts)


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    """Bounds that often bind: money for a few replicas more than the least."""
    least = draw(st.integers(1, 4))
    demand = Demand(
        rps=Decimal(draw(st.integers(1, 400))),
        headroom=Decimal(draw(st.sampled_from(["0", "0.2", "0.24", "2"]))),
        replicas_min=least,
        replicas_max=least * draw(st.sampled_from([1, 3, 40])),
        latency=draw(st.sampled_from([{"p99": 100.0}, {"p99": 20.0, "p50": 5.0}, {"p95": 250.0}])),
        errors=draw(st.sampled_from([None, 0.05])),
        currency="USD",
    )
    if draw(st.booleans()):
        price = Decimal(draw(st.sampled_from(["0.01", "0.48", "2.5"])))
        paid = price * least * Decimal(draw(st.sampled_from(["1.1", "1.9", "3.3", "9"])))
        if draw(st.booleans()):
            return replace(demand, price=price, per_hour=paid)
        return replace(demand, price=price, per1k=paid / (Decimal("3.6") * demand.rps))
    return demand


def feasible(server: LoadedServer, demand: Demand) -> bool | None:
    """As the gate sees it; None where it cannot tell."""
    if demand.replicas_min > demand.most:
        return False
    report = run(server, demand)
    if inconclusive(demand, report) is not None:
        return None
    return is_feasible(demand, size(demand, report))


@settings(deadline=None, max_examples=100)
@given(server=servers(), demand=demands())
def test_each_suggestion_taken_alone_makes_it_feasible(
    server: LoadedServer, demand: Demand
) -> None:
    assume(feasible(server, demand) is False and demand.replicas_min <= demand.most)
    report = run(server, demand)
    for suggestion in suggestions(demand, size(demand, report), report):
        event(suggestion.field)
        assert feasible(server, apply(demand, suggestion)) is True, suggestion.text


@settings(deadline=None, max_examples=100)
@given(server=servers(), demand=demands(), change=st.sampled_from(["rps", "limit", "price"]))
def test_asking_for_more_never_makes_the_infeasible_feasible(
    server: LoadedServer, demand: Demand, change: str
) -> None:
    harder = {
        "rps": lambda: replace(demand, rps=demand.rps * 3, per1k=None),
        "limit": lambda: replace(demand, latency={q: v / 2 for q, v in demand.latency.items()}),
        "price": lambda: replace(demand, price=demand.price and demand.price * 2),
    }[change]()
    easier = replace(demand, per1k=None) if change == "rps" else demand
    if feasible(server, easier) is False:
        event(change)
        assert feasible(server, harder) is not True


@pytest.mark.parametrize("rate", [Decimal(1), Decimal("0.1")])
def test_a_rate_is_exact_in_decimals(rate: Decimal) -> None:
    assert Demand(rps=rate, headroom=Decimal("0.1")).rate == float(rate * Decimal("1.1"))
