"""Synthetic traffic for the tests of evidence: seeded, standard library only."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from merit.simulate.sampling import binomial, poisson
from merit.stats.analysis import Analysis
from merit.stats.counts import ArmPair, Counts, Sample
from merit.stats.ladder import first_step, ladder
from merit.stats.signal import Bar
from merit.stats.terms import Constants, Terms

BARS = (Bar("errors", 0.01, "1%"), Bar("latency/p99", 0.01, "120ms"))
STEPS = ladder((1, 5, 10, 25, 50), 10)
START = 1_764_000_000.0


def pair(candidate: tuple[float, float], stable: tuple[float, float]) -> ArmPair:
    """(n, bad) of both arms, with the limit on a bucket edge."""
    c, s = Counts(*candidate), Counts(*stable)
    return ArmPair(c, s, c, s)


def terms(rps: float | None = None, *, phi: float | None = None, scrape: float = 5.0) -> Terms:
    """The default terms of a rollout; `phi` for every signal."""
    measured = {} if phi is None else {bar.name: phi for bar in BARS}
    return Terms(
        STEPS,
        confidence=0.99,
        blast_radius=0.01,
        constants=Constants(scrape=scrape),
        phi=measured,
        rps=rps,
    )


def analysis(
    rps: float | None = None, *, phi: float | None = None, scrape: float = 5.0
) -> Analysis:
    """Fresh evidence under the default terms."""
    return Analysis(BARS, terms(rps, phi=phi, scrape=scrape))


@dataclass
class Walk:
    """A whole rollout: weights advance on what is proven, as the policy does."""

    rps: float
    canary: dict[str, float]
    stable: dict[str, float] = field(
        default_factory=lambda: {"errors": 0.001, "latency/p99": 0.004}
    )
    seed: int = 1
    scrape: float = 5.0
    phi: float | None = None
    both_fail_at: float | None = None
    rolled_back: float | None = None
    ready: float | None = None
    bad: dict[str, int] = field(default_factory=lambda: {"errors": 0, "latency/p99": 0})
    message: str = ""
    reason: str = ""

    def run(self, minutes: float = 30.0) -> Walk:
        """Until the candidate is bad or the time is over."""
        rng = random.Random(self.seed)
        rollout = analysis(self.rps, phi=self.phi, scrape=self.scrape)
        rollout.observe(Sample(START, None, {}), weight_changed=False, warming=False)
        step, entered, changed, now = first_step(STEPS, self.rps, False), 0.0, True, 0.0
        while now < minutes * 60:
            total = poisson(rng, self.rps * self.scrape)
            n_c = binomial(rng, total, STEPS[step] / 100)
            signals = {}
            for name, p in self.canary.items():
                b_c = binomial(rng, n_c, p)
                self.bad[name] += b_c
                b_s = binomial(rng, total - n_c, self.stable[name])
                signals[name] = pair((n_c, b_c), (total - n_c, b_s))
            before, now = now, now + self.scrape
            rollout.observe(
                Sample(START + now, START + before, signals),
                weight_changed=changed,
                warming=now <= 30,
            )
            changed = False
            worse = rollout.worse()
            if worse.bad:
                self.rolled_back, self.message, self.reason = now, worse.message, worse.reason
                return self
            last = step == len(STEPS) - 1
            if now - entered >= 30 and now > 30 and not last and rollout.proven(step + 1).good:
                step, entered, changed = step + 1, now, True
                if step == len(STEPS) - 1 and self.ready is None:
                    self.ready = now
        return self
