"""What a decision costs, on one core: the best of many rounds, because a busy machine only adds.

    python -m bench.speed

A decision may take 1 ms and turning one scrape of one signal into evidence 0.1 ms; exit code 1 if
either takes longer. Beside them stand a JSON round trip of the same status, as a measure of the
machine, and the steps that a decision consists of.
"""

from __future__ import annotations

import json
import sys
import time
import timeit
from collections.abc import Callable
from dataclasses import replace

from bench.plans import plan_at, service_of
from merit.policy.decide import decide
from merit.policy.state.counted_signals import bars
from merit.policy.state.observed import Observed, Route
from merit.simulate.cluster import BEGIN, SimulatedCluster
from merit.stats.analysis import Analysis
from merit.stats.counts import ArmPair, Counts, Sample
from merit.stats.terms import Constants, Terms

PHI = {"errors": 1.7, "latency/p99": 1.7}
DECIDE, UPDATE = 1000.0, 100.0  # microseconds


def sample(k: int, signals: int = 2) -> Sample:
    """The scrape number k of 200 requests/s at 10 %."""
    mine, theirs = Counts(300, k % 2), Counts(2700, 3 + k % 5)
    pair = ArmPair(mine, theirs, mine, theirs)
    names = ("errors", "latency/p99")[:signals]
    return Sample(BEGIN + 15 * (k + 1), BEGIN + 15 * k, dict.fromkeys(names, pair))


def analysis(signals: int) -> Analysis:
    """Fresh evidence of the default ladder."""
    terms = Terms(
        (1, 5, 10, 25, 50, 90), confidence=0.99, blast_radius=0.01, constants=Constants(),
        rps=200.0, phi=PHI,
    )  # fmt: skip
    return Analysis(bars(plan_at(200).spec)[:signals], terms)


def exposed() -> Observed:
    """A candidate at its second step, with half an hour of evidence, and a scrape to judge."""
    found = plan_at(200)
    assert service_of(found)
    world = SimulatedCluster(found, PHI)
    world.decide(0.0, sample=Sample(BEGIN, None, {}))
    k = 0
    while world.intended < 5:
        world.apply_pending(15.0 * k)
        world.decide(15.0 * (k + 1), sample=sample(k))
        k += 1
    route = Route(exists=True, accepted=True, weights=dict(world.weights))
    seen = world.observed
    return replace(
        seen,
        traffic=replace(seen.traffic, route=route),
        measurements=replace(seen.measurements, sample=sample(k + 1)),
    )


def best(what: Callable[[], object]) -> float:
    """Microseconds of this process in the best of 60 rounds of a few milliseconds."""
    timer = timeit.Timer(what, timer=time.process_time)
    number = max(1, int(0.004 / max(1e-6, timer.timeit(3) / 3)))
    return min(timer.repeat(60, number)) / number * 1e6


def main() -> int:
    """Print the table. Returns 0, or 1 if something takes too long."""
    seen = exposed()
    at = sample(0).at
    assert isinstance(seen.measurements.sample, Sample)
    now, state = seen.measurements.sample.at, seen.status.analysis
    assert state is not None and seen.status.candidate is not None
    before = decide(seen, now)
    assert before.status.analysis != state, "the pass must have weighed a new scrape"
    status = seen.status.to_dict()
    updates = {}
    for signals in (1, 2):
        engine, k = analysis(signals), iter(range(10**9))
        updates[signals] = best(
            lambda engine=engine, k=k, signals=signals: engine.observe(
                sample(next(k), signals), weight_changed=False, warming=False
            )
        )
    rows = [
        ("decide, a canary with a new scrape of two signals", best(lambda: decide(seen, now))),
        (
            "decide, nothing new",
            best(
                lambda: decide(
                    replace(seen, measurements=replace(seen.measurements, sample=None)), now
                )
            ),
        ),
        ("evidence update, one signal", updates[1]),
        ("evidence update, two signals", updates[2]),
        ("JSON there and back, the same status", best(lambda: json.loads(json.dumps(status)))),
    ]
    assert at < now
    for name, micros in rows:
        print(f"{name:52} {micros:8.1f} us")
    return 0 if rows[0][1] <= DECIDE and rows[2][1] <= UPDATE else 1


if __name__ == "__main__":
    sys.exit(main())
