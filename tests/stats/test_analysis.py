from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merit.stats.analysis import Analysis
from merit.stats.counts import Sample
from merit.stats.sentences import confidence
from merit.stats.signal import Bar
from merit.stats.terms import Constants, Terms
from tests.stats.traffic import BARS, START, Walk, analysis, pair, terms

HEALTHY = {"errors": 0.001, "latency/p99": 0.004}


def feed(rollout, rows, *, scrape=5.0, warming=False):
    """One scrape per row: {signal: ((n, bad) candidate, (n, bad) stable)}."""
    if rollout.consumed_until is None:
        rollout.observe(Sample(START, None, {}), weight_changed=False, warming=False)
    for row in rows:
        since = rollout.consumed_until
        signals = {name: pair(*arms) for name, arms in row.items()}
        rollout.observe(
            Sample(since + scrape, since, signals), weight_changed=False, warming=warming
        )
    return rollout


def both(errors, latency=((0, 0), (0, 0))):
    return {"errors": errors, "latency/p99": latency}


def test_nothing_seen_is_neither_bad_nor_proven():
    rollout = analysis()
    assert not rollout.worse().bad and rollout.worse().confidence == "0.0%"
    assert not rollout.proven(1).good
    assert {signal["canary"] for signal in rollout.to_status()["signals"]} == {"0 0"}


def test_healthy_canaries_at_40_rps_are_never_bad_and_all_reach_the_last_step():
    walks = [Walk(40, HEALTHY, seed=seed).run(minutes=12) for seed in range(15)]
    assert [w.rolled_back for w in walks] == [None] * 15
    assert all(w.ready is not None and w.ready < 700 for w in walks)


def test_five_percent_errors_are_found_within_the_expected_number_of_bad_requests():
    walks = [Walk(40, HEALTHY | {"errors": 0.05}, seed=seed).run() for seed in range(20)]
    assert all(w.rolled_back is not None and w.ready is None for w in walks)
    assert sum(w.bad["errors"] for w in walks) / 20 < 25
    assert all(w.reason in ("ErrorsWorse", "ErrorsBreached") for w in walks)


def test_a_slow_canary_is_rolled_back_for_its_latency():
    walks = [Walk(40, HEALTHY | {"latency/p99": 0.09}, seed=seed).run() for seed in range(8)]
    assert {w.reason[:7] for w in walks} == {"Latency"}
    assert sum(w.bad["latency/p99"] for w in walks) / 8 < 40


def test_total_failure_is_an_early_failure_within_seconds():
    walks = [Walk(40, HEALTHY | {"errors": 1.0}, seed=seed).run() for seed in range(8)]
    assert {w.reason for w in walks} == {"DeadOnArrival"}
    assert all(w.rolled_back <= 45 for w in walks)


def test_when_stable_fails_alike_nobody_is_blamed_and_the_rollout_holds():
    ill = HEALTHY | {"errors": 0.06}
    walks = [Walk(40, ill, stable=ill, seed=seed, phi=1.0).run(15) for seed in range(12)]
    assert [w.rolled_back for w in walks] == [None] * 12
    rollout = feed(analysis(40), [both(((20, 1), (180, 11)))] * 60)
    assert rollout.proven(1).reason == "StableFailing"
    assert "a rollback would not help" in rollout.proven(1).message


def test_a_hotfix_beside_a_failing_stable_is_never_blamed():
    walks = [
        Walk(40, HEALTHY | {"errors": 0.02}, stable=HEALTHY | {"errors": 0.06}, seed=s).run(15)
        for s in range(8)
    ]
    assert [w.rolled_back for w in walks] == [None] * 8


def test_a_repair_beside_a_failing_stable_earns_its_traffic_and_is_not_held():
    rollout = feed(analysis(40), [both(((20, 0), (180, 11)), ((20, 0), (180, 0)))] * 60)
    assert rollout.proven(1).good


def test_one_terrible_scrape_cannot_decide_alone():
    rollout = feed(analysis(200, phi=1.0), [both(((100, 40), (900, 1)))])
    assert not rollout.worse().bad
    feed(rollout, [both(((100, 40), (900, 1)))] * 4)
    assert rollout.worse().bad


def test_latency_does_not_count_while_the_candidate_warms_up():
    row = both(((100, 0), (900, 1)), ((100, 90), (900, 1)))
    rollout = feed(analysis(200), [row] * 6, warming=True)
    errors, latency = rollout.to_status()["signals"]
    assert not rollout.worse().bad and latency["canary"] == "0 0" != errors["canary"]
    assert feed(rollout, [row] * 20).worse().reason.startswith("Latency")


def test_a_sample_that_was_consumed_or_overlaps_changes_nothing():
    rollout = feed(analysis(), [both(((10, 1), (90, 0)))] * 3)
    before = rollout.to_status()
    at = rollout.consumed_until
    old = {"errors": pair((50, 50), (50, 0))}
    for sample in (Sample(at, at - 5, old), Sample(at, at, {}), Sample(at + 5, at - 1, old)):
        rollout.observe(sample, weight_changed=False, warming=False)
    assert rollout.to_status() == before


def test_no_data_changes_the_evidence_only_by_the_release_of_reserve_wealth():
    rollout = feed(analysis(40), [both(((20, 1), (180, 1)))] * 20)
    before = rollout.worse().log_e
    feed(rollout, [both(((0, 0), (0, 0)))] * 100)
    assert rollout.worse().log_e == pytest.approx(before, abs=0.6)
    assert rollout.flow.seconds_idle == 500


def test_bad_is_judged_above_the_limit_and_good_below_it():
    between = pair((100, 0), (900, 0))
    certain = pair((100, 50), (900, 0))
    mixed = replace(between, candidate_below=certain.candidate, stable_below=certain.stable)
    rollout = analysis(200)
    feed(rollout, [])
    for _ in range(60):
        since = rollout.consumed_until
        signals = {"errors": between, "latency/p99": mixed}
        rollout.observe(Sample(since + 5, since, signals), weight_changed=False, warming=False)
    assert not rollout.worse().bad
    proof = rollout.proven(2)
    assert not proof.good and proof.reason == "NoBucketEdge" and "slow requests" in proof.message


def test_the_forecast_says_how_long_the_rest_takes():
    rollout = feed(analysis(40), [both(((2, 0), (198, 0)), ((2, 0), (198, 0)))] * 10)
    proof = rollout.proven(5)
    assert not proof.good and proof.reason == "NeedsMoreRequests"
    assert proof.missing_seconds > 60 and "about" in proof.message and "need" in proof.message


def test_the_traffic_is_learnt_once_and_then_fixed():
    rollout = feed(analysis(), [both(((2, 0), (198, 0)))] * 2)
    assert rollout.flow.rps == 40
    feed(rollout, [both(((20, 0), (1980, 0)))] * 5)
    assert rollout.flow.rps == 40


def test_messages_say_counts_and_confidence():
    rollout = feed(analysis(200), [both(((100, 6), (900, 1)))] * 20)
    verdict = rollout.worse()
    assert verdict.bad and "120 of 2,000 requests failed" in verdict.message
    assert verdict.confidence in verdict.message
    assert confidence(40.0) == ">99.99%"
    assert confidence(math.log(125)) == "99.2%"
    assert confidence(-3) == "0.0%"


def test_ten_million_requests_a_scrape_overflow_nothing():
    n = 10_000_000
    rollout = feed(analysis(2e6), [both(((n, n), (n, 0)), ((n, 0), (n, n)))] * 5)
    assert rollout.worse().bad
    json.dumps(rollout.to_status(), allow_nan=False)
    rollout = feed(analysis(2e6), [both(((n, 10), (n, 10)), ((n, 10), (n, 10)))] * 30)
    assert rollout.proven(5).good
    assert all(math.isfinite(v) for v in (rollout.worse().log_e,))


def test_the_state_of_four_signals_fits_three_kibibytes_and_tells_what_matters():
    rng = random.Random(3)
    bars = [*BARS, Bar("latency/p95", 0.05, "80ms"), Bar("latency/p50", 0.5, "20ms")]
    rollout = Analysis(bars, terms())
    rollout.observe(Sample(START, None, {}), weight_changed=False, warming=False)
    longest = 0
    for scrape in range(150):
        signals = {
            bar.name: pair(
                (200_000 + rng.randrange(999), rng.randrange(int(300_000 * bar.limit))),
                (2_000_000, rng.randrange(int(3_000_000 * bar.limit))),
            )
            for bar in bars
        }
        sample = Sample(START + 5 * scrape + 5, START + 5 * scrape, signals)
        rollout.observe(sample, weight_changed=scrape % 20 == 0, warming=False)
        longest = max(longest, len(json.dumps(rollout.to_status(), separators=(",", ":"))))
    assert longest <= 3072
    assert rollout.to_status()["consumedUntil"] == "2025-11-24T16:12:30.000Z"


def test_what_was_measured_is_fixed_when_the_rollout_begins_and_kept_in_its_state():
    measured = replace(terms(40), phi={"errors": 1.23456})
    rollout = Analysis(BARS, measured)
    assert rollout.dispersion() == {"errors": (1.235, 30.0), "latency/p99": (3.0, 45.0)}
    state = rollout.to_status()
    later = Analysis.restore(state, BARS, replace(measured, phi={"latency/p99": 9.0}))
    assert later.dispersion() == rollout.dispersion()
    assert later.to_status() == state


@pytest.mark.parametrize("scrape", [2.4, 10.1])
def test_evidence_by_another_scrape_interval_does_not_go_on(scrape):
    state = feed(analysis(40), [both(((10, 1), (90, 0)))] * 3).to_status()
    with pytest.raises(ValueError, match="apart, before 5s"):
        Analysis.restore(state, BARS, terms(40, scrape=scrape))


def test_a_scrape_interval_that_creeps_is_held_against_the_one_it_began_with():
    state = analysis(40).to_status()
    for scrape in (7.0, 9.0):
        state = Analysis.restore(state, BARS, terms(40, scrape=scrape)).to_status()
        assert state["scrape"] == "5"
    with pytest.raises(ValueError, match="scrapes are 11s apart, before 5s"):
        Analysis.restore(state, BARS, terms(40, scrape=11.0))


def test_evidence_of_another_source_does_not_go_on():
    state = Analysis(BARS, replace(terms(40), source="a")).to_status()
    assert Analysis.restore(state, BARS, replace(terms(40), source="a")).to_status() == state
    with pytest.raises(ValueError, match="it is measured by b, before by a"):
        Analysis.restore(state, BARS, replace(terms(40), source="b"))


def compared(rows, *, phi=1.0):
    return feed(
        Analysis(
            BARS,
            Terms(
                (),
                confidence=0.99,
                constants=Constants(scrape=15.0),
                phi={bar.name: phi for bar in BARS},
            ),
        ),
        rows,
        scrape=15.0,
    )


def test_a_comparison_blames_the_model_that_fails_beside_its_predecessor():
    verdict = compared([both(((150, 8), (150, 0)))] * 6).worse()
    assert verdict.bad and verdict.reason.startswith("Errors")


def test_a_comparison_on_a_bad_day_says_that_the_predecessor_fails_too():
    rollout = compared([both(((150, 8), (150, 8)))] * 12)
    assert not rollout.worse().bad
    assert "its predecessor fails alike" in rollout.shared()


def test_a_comparison_needs_more_evidence_before_a_bar_counts():
    usual, strict = terms(40), Terms((), confidence=0.99, constants=Constants())
    assert (usual.guard_mark, strict.guard_mark) == (20.0, pytest.approx(100.0))
    assert strict.ladder == () and compared([]).to_status()["signals"][0]["proven"] == "0.3"


counts = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda x: (max(x), min(x)))
rows = st.lists(
    st.fixed_dictionaries({name: st.tuples(counts, counts) for name in ("errors", "latency/p99")}),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(rows=rows, data=st.data(), rps=st.sampled_from([None, 40.0]))
def test_a_rollout_that_is_killed_after_any_scrape_goes_on_bit_for_bit(rows, data, rps):
    killed_at = data.draw(st.sets(st.integers(0, len(rows))))
    unbroken = feed(analysis(rps), rows)
    broken = feed(analysis(rps), [])
    for i, row in enumerate(rows):
        if i in killed_at:
            state = json.loads(json.dumps(broken.to_status()))
            broken = Analysis.restore(state, BARS, terms(rps))
        feed(broken, [row])
    assert broken.to_status() == unbroken.to_status()
    assert broken.worse() == unbroken.worse()
    assert [broken.proven(i) for i in range(6)] == [unbroken.proven(i) for i in range(6)]


@pytest.mark.parametrize("key", ["signals", "dead", "flow", "consumedUntil", "scrape", "source"])
def test_stored_evidence_that_does_not_fit_is_a_value_error(key):
    state = analysis().to_status()
    del state[key]
    with pytest.raises(ValueError, match="does not fit"):
        Analysis.restore(state, BARS, terms())
