"""A server whose latency grows with its load, and the load test that the gate would run on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from merit.loadtest.plan import Plan, Stage, next_stage
from merit.policy.gates.feasibility.demand import Demand
from merit.policy.gates.feasibility.load_report import LoadReport

DURATION = 60.0


@dataclass(frozen=True)
class Band:
    """Up to `rate` per replica: `latency` in ms of the slowest requests, by share from the top."""

    rate: float
    slowest: tuple[tuple[float, float], ...]
    failing: float = 0.0


@dataclass(frozen=True)
class LoadedServer:
    """Bands by rising rate; above the last one nothing is answered in time."""

    bands: tuple[Band, ...]

    def band(self, rate: float) -> Band:
        return next((b for b in self.bands if rate <= b.rate), Band(1e9, ((1.0, 1e6),)))

    def stage(self, plan: Plan, rps: float, s: float, replicas: int) -> Stage:
        band, sent = self.band(rps / replicas), int(rps * s)
        failed = int(band.failing * sent)
        counts = [0] * (len(plan.le) + 1)
        left = sent - failed
        counts[-1] += failed
        for share, latency in band.slowest:
            part = min(left, int(share * sent))
            counts[sum(1 for edge in plan.le if edge < latency)] += part
            left -= part
        counts[0] += left
        return Stage(rps, s, sent, sent, sent - failed, failed, tuple(counts))


def run(server: LoadedServer, demand: Demand, duration: float = DURATION) -> LoadReport:
    """What the gate measures: stage after stage, as its plan says."""
    plan = demand.plan(duration)
    gone: list[Stage] = []
    while (following := next_stage(plan, gone)) is not None:
        gone.append(server.stage(plan, *following, demand.replicas_min))
    return LoadReport(demand.replicas_min, plan.le, tuple(gone))


def clear(shares: Sequence[float], bar: float) -> bool:
    """Far enough from the bar that no number of requests makes it look otherwise."""
    return all(share <= bar / 4 or share >= bar * 3 for share in shares)


@st.composite
def servers(draw: st.DrawFn) -> LoadedServer:
    """Slower with more load, in up to four bands; shares either surely fine or surely not."""
    bands, latency, failing = [], 1.0, 0.0
    rate = draw(st.floats(1, 50))
    for _ in range(draw(st.integers(1, 4))):
        latency *= draw(st.floats(1, 8))
        failing = max(failing, draw(st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.2])))
        share = draw(st.sampled_from([0.001, 0.05, 0.3]))
        bands.append(Band(rate, ((share, latency * 5), (1.0, latency)), failing))
        rate *= draw(st.floats(1.2, 4))
    return LoadedServer(tuple(bands))
