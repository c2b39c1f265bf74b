from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merit.simulate.sampling import binomial, poisson
from merit.stats.counts import Sample
from merit.stats.shiryaev_roberts import RUN_LENGTH, Monitor
from merit.stats.terms import Constants
from tests.stats.traffic import BARS, START, pair

SCRAPE = 15.0
PHI = {"errors": 1.0, "latency/p99": 1.0}


def monitoring(**more):
    return Monitor(BARS, constants=Constants(scrape=SCRAPE), phi=PHI, **more)


def feed(monitor, rows):
    """One scrape per row: (n, bad) of errors, the same requests never slow."""
    if monitor.consumed_until is None:
        monitor.observe(Sample(START, None, {}))
    for n, bad in rows:
        since = monitor.consumed_until
        signals = {"errors": pair((0, 0), (n, bad)), "latency/p99": pair((0, 0), (n, 0))}
        monitor.observe(Sample(since + SCRAPE, since, signals))
    return monitor


def highest(monitor):
    """The highest alarm, None without one."""
    return next(iter(monitor.alarms()), None)


def delay(rps, share, *, seed, calm=60):
    """Seconds from the change to the alarm, after a calm time at 0.3 %."""
    rng, monitor = random.Random(seed), monitoring()
    for _ in range(calm):
        n = poisson(rng, rps * SCRAPE)
        feed(monitor, [(n, binomial(rng, n, 0.003))])
    assert highest(monitor) is None
    for scrape in range(1, 400):
        n = poisson(rng, rps * SCRAPE)
        if feed(monitor, [(n, binomial(rng, n, share))]).alarms():
            return scrape * SCRAPE
    return math.inf


@pytest.mark.parametrize(
    ("rps", "share", "within"),
    [(20, 0.02, 360), (20, 0.05, 90), (20, 0.20, 60), (2, 0.05, 420), (2, 0.20, 90)],
)
def test_a_live_model_that_turns_bad_raises_the_alarm_within_the_promised_time(rps, share, within):
    found = sorted(delay(rps, share, seed=seed) for seed in range(9))
    assert found[4] <= within


def test_a_day_of_healthy_traffic_raises_none():
    rng = random.Random(5)
    day = ((n := poisson(rng, 300), binomial(rng, n, 0.003)) for _ in range(5760))
    assert feed(monitoring(), day).alarms() == ()


def test_at_the_very_bar_the_mean_time_to_a_false_alarm_is_at_least_the_threshold(monkeypatch):
    monkeypatch.setattr("merit.stats.shiryaev_roberts.RUN_LENGTH", 100 * SCRAPE)
    rng = random.Random(6)
    lengths = []
    for _ in range(20):
        monitor, scrapes = monitoring(), 0
        while highest(monitor) is None and scrapes < 600:
            n = poisson(rng, 300)
            feed(monitor, [(n, binomial(rng, n, 0.01))])
            scrapes += 1
        lengths.append(scrapes)
    assert sum(lengths) / 20 >= 100


def test_one_terrible_scrape_raises_no_alarm_and_three_do():
    monitor = feed(monitoring(), [(300, 1)] * 20 + [(300, 300)])
    assert highest(monitor) is None
    assert highest(feed(monitor, [(300, 300)] * 3)).signal == "errors"


def test_no_traffic_is_no_evidence_however_long_it_lasts():
    monitor = feed(monitoring(), [(300, 1)] * 20)
    before = monitor.to_status()["signals"]
    feed(monitor, [(0, 0)] * 10_000)
    assert monitor.to_status()["signals"] == before and highest(monitor) is None


def test_a_sample_that_was_consumed_or_overlaps_changes_nothing():
    monitor = feed(monitoring(), [(300, 9)] * 5)
    before, at = monitor.to_status(), monitor.consumed_until
    bad = {"errors": pair((0, 0), (300, 300))}
    for sample in (Sample(at, at - 15, bad), Sample(at + 15, at - 1, bad), Sample(at, None, {})):
        monitor.observe(sample)
    assert monitor.to_status() == before


def test_the_alarm_says_what_was_seen_since_it_began_to_look_bad():
    monitor = feed(monitoring(), [(300, 0)] * 50 + [(300, 30)] * 8)
    alarm = highest(monitor)
    assert (alarm.signal, alarm.reason) == ("errors", "ErrorsBreached")
    assert alarm.message == "errors 10% > 1%: 240 of 2,400 requests failed"
    assert alarm.log_r >= math.log(RUN_LENGTH / SCRAPE) == monitor.threshold


def test_an_hour_of_alarm_is_over_minutes_after_the_model_is_well_again():
    monitor = feed(monitoring(), [(300, 60)] * 240)
    assert highest(monitor) is not None and not monitor.cleared("errors")
    feed(monitor, [(300, 1)] * 12)
    assert highest(monitor) is None and monitor.cleared("errors")


def test_every_broken_bar_raises_an_alarm_the_worst_first():
    monitor = feed(monitoring(), [])
    for _ in range(8):
        since = monitor.consumed_until
        signals = {"errors": pair((0, 0), (300, 20)), "latency/p99": pair((0, 0), (300, 150))}
        monitor.observe(Sample(since + SCRAPE, since, signals))
    assert {alarm.signal for alarm in monitor.alarms()} == {"errors", "latency/p99"}
    assert monitor.alarms()[0] == highest(monitor)


def test_nothing_overflows_and_the_state_is_small():
    monitor = feed(monitoring(), [(10_000_000, 10_000_000)] * 300)
    json.dumps(monitor.to_status(), allow_nan=False)
    assert len(json.dumps(monitor.to_status())) < 400
    assert highest(monitor) is not None


def test_what_was_not_measured_is_monitored_with_the_cautious_dispersion():
    rows = [(300, 12)] * 4
    assert feed(monitoring(), rows).alarms()
    cautious = Monitor(BARS, constants=Constants(scrape=SCRAPE))
    assert feed(cautious, rows).alarms() == ()


counts = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda x: (max(x), min(x)))


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(counts, min_size=1, max_size=12), data=st.data())
def test_a_monitor_that_is_killed_after_any_scrape_goes_on_bit_for_bit(rows, data):
    killed_at = data.draw(st.sets(st.integers(0, len(rows))))
    unbroken, broken = feed(monitoring(), rows), feed(monitoring(), [])
    for i, row in enumerate(rows):
        if i in killed_at:
            state = json.loads(json.dumps(broken.to_status()))
            broken = Monitor.restore(state, BARS, constants=Constants(scrape=SCRAPE), phi=PHI)
        feed(broken, [row])
    assert broken.to_status() == unbroken.to_status()
    assert highest(broken) == highest(unbroken)


@pytest.mark.parametrize("key", ["signals", "consumedUntil"])
def test_a_stored_monitor_that_does_not_fit_is_a_value_error(key):
    state = monitoring().to_status()
    del state[key]
    with pytest.raises(ValueError, match="does not fit"):
        Monitor.restore(state, BARS, constants=Constants(), phi=PHI)
