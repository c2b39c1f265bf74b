"""Signals without counts: cost, thresholds, drift. What they say, and what they forbid."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from merit.api.status import Signal, Status
from merit.policy.decide import decide
from merit.policy.gates.evaluation.gate import with_reference_baselines
from merit.policy.rollout.judging import judge_drift
from merit.policy.signals.drift import with_drift
from merit.policy.signals.gauge_signals import veto, with_gauge_signals
from merit.policy.state.measurements import Distribution, Figure, Pair
from merit.policy.state.observed import Observed
from merit.policy.state.prices import PriceBook
from merit.policy.state.times import stamp
from merit.stats.counts import NoSample
from merit.stats.drift import CONSECUTIVE_WINDOWS
from merit.stats.histogram import Histogram
from tests.api.manifests import put
from tests.policy.builders import NOW, in_canary, observed, spec, with_parts

HOUR = 3600.0
EDGES = (*(round(0.1 * n, 1) for n in range(1, 10)), math.inf)
FLAT = tuple(1000.0 for _ in EDGES)
SHIFTED = (100.0, 200.0, 400.0, 700.0, 1000.0, 1300.0, 1600.0, 1800.0, 1700.0, 1200.0)
BOOK = PriceBook("USD", cpu_hour=Decimal("0.04"), memory_gib_hour=Decimal("0.004"))
REQUESTS = {"requests": {"cpu": "1", "memory": "2Gi"}}


def priced(response: str = "Alert", **cost: str) -> Observed:
    raw = spec(
        constraints__cost={"currency": "USD", **cost},
        constraints__scale={"rps": 100, "replicas": {"min": 1, "max": 8}},
        failureModes__0={"name": "cost", "signal": "cost", "response": response},
        serving__template__spec__containers__0__resources=REQUESTS,
    )
    seen = observed(raw)
    return replace(seen, tuning=replace(seen.tuning, prices=BOOK))


def told(seen: Observed, name: str, now: float = NOW) -> Signal:
    status = with_gauge_signals(seen, with_drift(seen, seen.status, now), now)
    return next(s for s in status.signals if s.name == name)


def stable(seen: Observed) -> str:
    assert seen.status.stable is not None
    return seen.status.stable.short


# cost


def test_cost_is_price_times_the_mean_of_replicas():
    seen = priced(perHour="0.20")
    seen = replace(seen, measurements=replace(seen.measurements, replicas={stable(seen): 2.5}))
    signal = told(seen, "cost")
    assert (signal.value, signal.bar, signal.verdict) == ("$0.12/h", "$0.20/h", "Good")
    more = replace(seen, measurements=replace(seen.measurements, replicas={stable(seen): 5.0}))
    assert told(more, "cost").verdict == "Bad"


def test_cost_of_a_thousand_predictions_is_told_only_above_a_tenth_of_the_declared_traffic():
    seen = priced(per1kPredictions="0.001")
    seen = replace(seen, measurements=replace(seen.measurements, replicas={stable(seen): 2.0}))
    night = replace(
        seen,
        measurements=replace(
            seen.measurements, figures={"errors": Figure(share=0.0, n=60, value="0%")}
        ),
    )
    assert told(night, "cost").verdict == "NoData"
    day = replace(
        seen,
        measurements=replace(
            seen.measurements, figures={"errors": Figure(share=0.0, n=6000, value="0%")}
        ),
    )
    assert told(day, "cost").value == "$0.10/h, $0.0003 per 1,000"
    assert told(day, "cost").verdict == "Good"
    slack = replace(
        seen,
        measurements=replace(
            seen.measurements, figures={"errors": Figure(share=0.0, n=700, value="0%")}
        ),
    )
    assert told(slack, "cost").verdict == "Bad"


def test_without_a_price_nothing_is_said_of_cost_and_never_zero():
    seen = priced(perHour="0.20")
    assert told(replace(seen, tuning=replace(seen.tuning, prices=None)), "cost").verdict == "NoData"
    euro = replace(BOOK, currency="EUR")
    assert told(replace(seen, tuning=replace(seen.tuning, prices=euro)), "cost").verdict == "NoData"


def test_in_a_canary_the_sum_is_told_and_the_candidate_alone_is_judged():
    seen = priced(perHour="0.20")
    raw = {**_raw(seen)}
    seen = in_canary(
        replace(seen, measurements=replace(seen.measurements, replicas={stable(seen): 2.0})), raw
    )
    signal = told(seen, "cost")
    # Three pods run now; the candidate would need the two that stable has.
    assert signal.value == "$0.15/h both, $0.10/h projected" and signal.verdict == "Good"


def _raw(seen: Observed) -> dict[str, Any]:
    return spec(
        constraints__cost={"currency": "USD", "perHour": "0.20"},
        constraints__scale={"rps": 100, "replicas": {"min": 1, "max": 8}},
        failureModes__0={"name": "cost", "signal": "cost", "response": "Alert"},
        serving__template__spec__containers__0__resources=REQUESTS,
        model__version="3",
    )


# thresholds


def watched(response: str = "Alert", **bar: str) -> Observed:
    return observed(
        spec(
            monitoring={"signals": [{"name": "nulls", "query": "max(nulls)", **bar}]},
            failureModes__0={"name": "n", "signal": "signals/nulls", "response": response},
        )
    )


def read(seen: Observed, *values: float, every: float = 30.0) -> Signal:
    readings = tuple((NOW + every * i, value) for i, value in enumerate(values))
    return told(
        replace(
            seen, measurements=replace(seen.measurements, readings={"signals/nulls": readings})
        ),
        "signals/nulls",
    )


def test_a_threshold_is_broken_by_three_readings_in_a_row_that_span_the_patience():
    seen = watched(max="0.02")
    assert read(seen, 0.01, 0.01).verdict == "Good"
    assert read(seen, 0.5, 0.5).verdict == "Undecided"
    assert read(seen, 0.5, 0.01, 0.5, 0.5).verdict == "Undecided"
    assert read(seen, 0.5, 0.5, 0.5, every=5.0).verdict == "Undecided"
    broken = read(seen, 0.01, 0.5, 0.5, 0.5)
    assert broken.verdict == "Bad" and broken.value == "0.5"
    assert "without an error rate" in broken.bar and broken.n == 0


def test_of_what_must_never_happen_one_event_is_enough():
    assert read(watched(max="0"), 0.0, 1.0).verdict == "Bad"


def test_a_least_value_is_broken_from_below():
    assert read(watched(min="40"), 12.0, 12.0, 12.0).verdict == "Bad"
    assert read(watched(min="40"), 41.0, 40.0, 40.0).verdict == "Good"


def test_a_query_without_a_value_says_why_and_is_neither_good_nor_bad():
    seen = watched(max="1")
    closed = NoSample("QueriesClosed", "the metrics source takes no queries from this namespace")
    signal = told(
        replace(seen, measurements=replace(seen.measurements, readings={"signals/nulls": closed})),
        "signals/nulls",
    )
    assert signal.verdict == "NoData" and "takes no queries" in signal.value


@pytest.mark.parametrize(("response", "holds"), [("Alert", False), ("Hold", True)])
def test_a_broken_threshold_holds_the_next_step_only_where_the_response_says_so(response, holds):
    seen = watched(response, max="0.02")
    bad = Signal(name="signals/nulls", value="0.5", bar="<= 0.02", verdict="Bad")
    seen = replace(seen, status=seen.status.model_copy(update={"signals": (bad,)}))
    found = veto(seen, seen.declared.spec)
    assert (found is not None) is holds
    if found is not None:
        assert found.reason == "Vetoed" and "signals/nulls" in found.message


LOST = NoSample("NoSeries", "the query returns nothing")


@pytest.mark.parametrize("readings", [LOST, None, ()], ids=["nothing", "not asked", "no value"])
@pytest.mark.parametrize(("response", "holds"), [("Alert", False), ("Hold", True), ("Rollback", 1)])
@pytest.mark.parametrize("bar", ["0", "0.02"])
def test_a_signal_that_may_hold_or_roll_back_forbids_every_step_while_it_has_no_data(
    bar, response, holds, readings
):
    seen = watched(response, max=bar)
    found = veto(with_parts(seen, readings={"signals/nulls": readings}), seen.declared.spec)
    assert (found is not None) is bool(holds)
    if found is not None:
        assert (found.kind, found.reason) == ("NoData", "SignalLost")
        assert found.message.startswith("signals/nulls has no data")


@pytest.mark.parametrize(("response", "holds"), [("Alert", False), ("Hold", True)])
def test_a_cost_without_a_price_forbids_a_step_where_its_response_says_so(response, holds):
    seen = priced(response, perHour="0.20")
    seen = replace(seen, tuning=replace(seen.tuning, prices=None))
    assert (veto(seen, seen.declared.spec) is not None) is holds


@pytest.mark.parametrize(
    ("of", "response", "holds"),
    [
        ("Predictions", "Rollback", True),
        ("Predictions", "Alert", False),
        ("Features", "Hold", False),
    ],
)
def test_a_drift_without_data_forbids_a_step_where_a_candidate_is_compared_for_it(
    of, response, holds
):
    seen = drifting(of, response)
    assert (veto(seen, seen.declared.spec) is not None) is holds


def test_a_signal_without_data_keeps_the_time_since_when_it_has_none():
    seen = watched("Hold", max="1")
    for later, why in ((0, "the query returns nothing"), (900, "it returns 3 series")):
        seen = with_parts(seen, readings={"signals/nulls": NoSample("x", why)})
        told = with_gauge_signals(seen, seen.status, NOW + later)
        seen = replace(seen, status=told)
        (signal,) = (s for s in told.signals if s.name == "signals/nulls")
        assert (signal.at, signal.value) == (stamp(NOW), why)


def test_cost_beyond_its_bound_always_holds_the_next_step():
    seen = priced("Alert", perHour="0.20")
    bad = Signal(name="cost", value="$9/h", bar="$0.20/h", verdict="Bad")
    seen = replace(seen, status=seen.status.model_copy(update={"signals": (bad,)}))
    assert veto(seen, seen.declared.spec) is not None


def test_a_value_that_wobbles_is_not_written_anew():
    seen = watched(max="100")
    readings = {"signals/nulls": ((NOW, 10.0),)}
    first = with_gauge_signals(
        replace(seen, measurements=replace(seen.measurements, readings=readings)), seen.status, NOW
    )
    seen = replace(seen, status=first)
    for value, later, written in ((11.0, 900, False), (13.0, 200, False), (13.0, 900, True)):
        now = NOW + later
        fresh = replace(
            seen,
            measurements=replace(seen.measurements, readings={"signals/nulls": ((now, value),)}),
        )
        assert (with_gauge_signals(fresh, first, now) != first) is written, (value, later)


# drift


def drifting(of: str = "Predictions", response: str = "Alert") -> Observed:
    raw = spec(
        monitoring={"drift": [{"name": "score", "of": of, "histogram": "model_prediction_score"}]},
        failureModes__0={"name": "shift", "signal": "drift/score", "response": response},
    )
    return observed(raw)


def seen_at(seen: Observed, at: float, counts: tuple[float, ...], window: float = HOUR) -> Observed:
    found = Distribution(at, {window: Histogram(EDGES, counts)})
    return replace(seen, measurements=replace(seen.measurements, distributions={"score": found}))


def after(seen: Observed) -> Observed:
    """The view of the next pass."""
    return replace(seen, status=with_drift(seen, seen.status, NOW))


def test_a_revision_is_its_own_baseline_once_it_has_said_enough():
    seen = seen_at(drifting(), NOW, tuple(100.0 for _ in EDGES))
    assert "burn-in: 1,000 of 20,000" in told(seen, "drift/score").value
    assert told(seen, "drift/score").verdict == "NoData"
    seen = after(seen_at(seen, NOW, tuple(2000.0 for _ in EDGES)))
    (state,) = seen.status.drift
    assert state.baseline == "BurnIn" and state.short == stable(seen)


def test_after_a_day_five_thousand_samples_are_enough():
    seen = seen_at(drifting(), NOW + 24 * HOUR, tuple(600.0 for _ in EDGES))
    assert after(seen).status.drift
    early = seen_at(drifting(), NOW, tuple(600.0 for _ in EDGES))
    assert not after(early).status.drift


def test_drift_is_bad_after_three_windows_in_a_row_and_not_after_looks_that_overlap():
    seen = after(seen_at(drifting(), NOW, tuple(2000.0 for _ in EDGES)))
    at = NOW
    for _ in range(20):  # looks every five minutes belong to the same window
        at += 150
        seen = after(seen_at(seen, at, SHIFTED))
    assert told(seen, "drift/score").verdict == "Undecided"
    for _ in range(CONSECUTIVE_WINDOWS):
        assert told(seen, "drift/score").verdict == "Undecided"
        at += HOUR
        seen = after(seen_at(seen, at, SHIFTED))
    signal = told(seen, "drift/score")
    assert signal.verdict == "Bad" and "PSI" in signal.value and signal.n == 10_000
    seen = after(seen_at(seen, at + HOUR, FLAT))
    assert told(seen, "drift/score").verdict == "Good"


def test_below_the_floor_the_longer_window_is_judged_and_else_there_is_no_data():
    seen = after(seen_at(drifting(), NOW, tuple(2000.0 for _ in EDGES)))
    few = Histogram(EDGES, tuple(5.0 for _ in EDGES))
    both = Distribution(NOW + 9 * HOUR, {HOUR: few, 6 * HOUR: Histogram(EDGES, FLAT)})
    assert (
        told(
            replace(seen, measurements=replace(seen.measurements, distributions={"score": both})),
            "drift/score",
        ).verdict
        == "Good"
    )
    alone = Distribution(NOW + 9 * HOUR, {HOUR: few})
    signal = told(
        replace(seen, measurements=replace(seen.measurements, distributions={"score": alone})),
        "drift/score",
    )
    assert signal.verdict == "NoData" and "50 samples" in signal.value


def test_other_edges_than_the_baselines_are_no_data():
    seen = after(seen_at(drifting(), NOW, tuple(2000.0 for _ in EDGES)))
    other = Histogram((0.3, 0.6, math.inf), (4000.0, 4000.0, 4000.0))
    found = Distribution(NOW + HOUR, {HOUR: other})
    signal = told(
        replace(seen, measurements=replace(seen.measurements, distributions={"score": found})),
        "drift/score",
    )
    assert signal.verdict == "NoData" and "edges" in signal.value


def test_a_baseline_that_cannot_be_read_is_no_data():
    seen = after(seen_at(drifting(), NOW, tuple(2000.0 for _ in EDGES)))
    (state,) = seen.status.drift
    for histogram in ({}, {"edges": [0.5], "counts": "x"}, {"edges": ["a", "b"], "counts": "1"}):
        broken = state.model_copy(update={"histogram": histogram})
        status = seen.status.model_copy(update={"drift": (broken,)})
        assert told(replace(seen, status=status), "drift/score").verdict == "NoData", histogram


def test_a_promotion_begins_anew_and_a_restart_does_not():
    seen = after(seen_at(drifting(), NOW, tuple(2000.0 for _ in EDGES)))
    again = Status.model_validate(seen.status.to_dict())
    assert again.drift == seen.status.drift
    raw = put("spec.model.version", "9", {"spec": _drift_raw()})["spec"]
    other = seen_at(observed(raw), NOW, tuple(10.0 for _ in EDGES))
    status = other.status.model_copy(update={"drift": seen.status.drift})
    assert with_drift(replace(other, status=status), status, NOW).drift == ()


def _drift_raw() -> dict[str, Any]:
    return spec(
        monitoring={
            "drift": [{"name": "score", "of": "Predictions", "histogram": "model_prediction_score"}]
        },
        failureModes__0={"name": "shift", "signal": "drift/score", "response": "Alert"},
    )


def test_the_reports_reference_is_the_baseline_from_minute_one():
    seen = in_canary(drifting(), {**_drift_raw(), "model": {**_drift_raw()["model"]}})
    candidate = seen.status.candidate
    assert candidate is not None
    report = json.dumps(
        {
            "schema": "merit.dev/report/v1",
            "revision": candidate.revision,
            "nonce": "n1",
            "metrics": {"recall": 0.9},
            "reference": {"score": {"le": [0.5], "n": [6000, 4000]}},
        }
    )
    spec_ = seen.recorded.accepted[f"{candidate.short}-{candidate.policy}"].spec
    seen = with_reference_baselines(seen, spec_, report, "n1")
    (state,) = seen.status.drift
    assert (state.baseline, state.short) == ("Reference", candidate.short)
    assert state.histogram["edges"] == [0.5, "+Inf"]
    wrong = with_reference_baselines(seen, spec_, report, "n2")
    assert wrong is seen


@pytest.mark.parametrize("response", ["Rollback", "Hold", "Alert"])
def test_a_candidate_that_predicts_otherwise_loses_traffic_only_where_that_is_declared(response):
    raw = spec(
        monitoring={
            "drift": [{"name": "score", "of": "Predictions", "histogram": "model_prediction_score"}]
        },
        failureModes__0={"name": "shift", "signal": "drift/score", "response": response},
        model__version="3",
    )
    seen = in_canary(drifting(response=response), raw)
    pair = Pair(Histogram(EDGES, SHIFTED), Histogram(EDGES, FLAT), 9.0)
    seen = replace(seen, measurements=replace(seen.measurements, pairs={"score": pair}))
    signal = told(seen, "drift/score")
    assert signal.verdict == "Bad" and "99.99%" in signal.value
    found = judge_drift(seen, NOW)
    assert (found is not None) is (response == "Rollback")
    if found is not None:
        assert decide(seen, NOW).status.rejected[0].reason == "PredictionsShifted"
    held = replace(seen, status=with_gauge_signals(seen, seen.status, NOW))
    assert (veto(held, held.declared.spec) is not None) is (response in ("Rollback", "Hold"))


def test_features_of_a_candidate_are_not_compared_as_both_see_the_same():
    raw = spec(
        monitoring={"drift": [{"name": "score", "of": "Features", "histogram": "h"}]},
        failureModes__0={"name": "shift", "signal": "drift/score", "response": "Alert"},
        model__version="3",
    )
    seen = in_canary(drifting("Features"), raw)
    assert "same inputs" in told(seen, "drift/score").value
