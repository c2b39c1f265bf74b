"""Synthetic traffic of one rollout: requests, failures and slow answers of both revisions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from merit.simulate.sampling import binomial, bursts, poisson
from merit.simulate.scenarios import TICK, Scenario
from merit.simulate.service import ERRORS, Service, share_when_slower
from merit.stats.counts import Counts
from merit.stats.dispersion import PodCounts

SHOCK = 20.0  # seconds that a failure of a shared dependency lasts
SHOCK_ERRORS, SHOCK_SLOW = 0.05, 0.10
MINUTE = 60.0
RPS_OF_A_POD = 50.0
EARLIEST, LATEST = 6, 120  # ticks between which a hiccup begins


@dataclass(frozen=True, slots=True)
class TickCounts:
    """Requests of one tick, of candidate and stable, and the bad ones for each bar in order."""

    n: tuple[int, int]
    bad: tuple[tuple[int, int], ...]


class Traffic:
    """The requests of one rollout, in ticks of five seconds."""

    def __init__(self, scenario: Scenario, service: Service, rps: float, seed: int | str) -> None:
        self._scenario, self._rps, self._rng = scenario, rps, Random(seed)
        self._service = scenario.of(service)
        # Bounds in the order of their shares: the requests beyond one are among those before.
        self._order = sorted(
            range(len(service.bars)),
            key=lambda i: (service.bars[i].latency, -self._service.share(service.bars[i])),
        )
        self._pods = max(2, round(rps / RPS_OF_A_POD))
        self._noise = [0.0, 0.0, 0.0]  # candidate, stable, arrivals
        self._shock_until = -1.0
        self._hiccup_at = self._rng.randrange(EARLIEST, LATEST) * TICK
        self._late = TickCounts((0, 0), ((0, 0),) * len(service.bars))

    def step(self, t: float, weight: float) -> TickCounts:
        """The counts of [t, t + 5) seconds. `weight`: the candidate's share of traffic, 0 to 1."""
        scenario, rng = self._scenario, self._rng
        n = poisson(rng, self._rps * TICK * self._factor(2, scenario.arrival_noise))
        n_candidate = binomial(rng, n, weight)
        if scenario.shock and rng.random() < scenario.shock * TICK:
            self._shock_until = t + SHOCK
        growth = 1 + scenario.drift * t / 1800
        of_candidate = growth * self._pod_factor(0, weight)
        of_stable = growth * self._pod_factor(1, 1 - weight)
        mine = self._bad(n_candidate, [self._candidate(i, t, of_candidate) for i in self._order], t)
        theirs = self._bad(n - n_candidate, [self._stable(i, t, of_stable) for i in self._order], t)
        in_order = sorted(zip(self._order, mine, theirs, strict=True))
        bad = tuple((candidate, stable) for _, candidate, stable in in_order)
        tick = TickCounts((n_candidate, n - n_candidate), bad)
        return self._read_late(tick) if scenario.skewed else tick

    def _stable(self, bar: int, t: float, grown: float) -> float:
        if self._scenario.shared:
            return self._candidate(bar, t, grown)
        return self._service.share(self._service.bars[bar]) * grown

    def _candidate(self, bar: int, t: float, grown: float) -> float:
        scenario, declared = self._scenario, self._service.bars[bar]
        share = self._service.share(declared)
        if t < scenario.defect_after:
            return share * grown
        if declared.latency:
            if scenario.hiccup and self._hiccup_at <= t < self._hiccup_at + scenario.hiccup_seconds:
                return max(share, scenario.hiccup)
            if scenario.cold and t < scenario.cold_seconds:
                return max(share, scenario.cold)
            return share_when_slower(share, scenario.slower) * grown
        now = (share if scenario.errors is None else scenario.errors) * grown
        if scenario.leak:
            begin, end, last = scenario.leak
            now += min(1.0, max(0.0, (t - begin) / (end - begin))) * (last - share)
        return now

    def _bad(self, n: int, shares: list[float], t: float) -> list[int]:
        """Bad requests of one revision, for the bars in `_order`."""
        bad: list[int] = []
        slow, beyond = n, 1.0
        for bar, share in zip(self._order, shares, strict=True):
            latency = self._service.bars[bar].latency
            if t < self._shock_until:
                share = max(share, SHOCK_SLOW if latency else SHOCK_ERRORS)
            if not latency:
                bad.append(bursts(self._rng, n, share, self._scenario.burst))
                continue
            part = min(1.0, share / beyond) if beyond > 0 else 0.0
            slow = bursts(self._rng, slow, part, self._scenario.burst)
            beyond = share
            bad.append(slow)
        return bad

    def _factor(self, which: int, sigma: float) -> float:
        """A random factor with mean 1 and a memory of one minute (lognormal, autoregressive)."""
        if not sigma:
            return 1.0
        kept = math.exp(-TICK / MINUTE)
        z = kept * self._noise[which] + math.sqrt(1 - kept * kept) * self._rng.gauss(0.0, 1.0)
        self._noise[which] = z
        return math.exp(sigma * z - sigma * sigma / 2)

    def _pod_factor(self, which: int, share: float) -> float:
        """The mean factor of a revision's pods, which vary independently."""
        pods = max(1, math.ceil(self._pods * share))
        return self._factor(which, self._scenario.pod_noise / math.sqrt(pods))

    def _read_late(self, tick: TickCounts) -> TickCounts:
        late, self._late = self._late, tick
        pairs = zip(late.bad, tick.bad, strict=True)
        return TickCounts((late.n[0], tick.n[1]), tuple((old[0], new[1]) for old, new in pairs))


def pod_history(
    scenario: Scenario, service: Service, rps: float, seed: int | str, *, minutes: int = 360
) -> dict[str, PodCounts]:
    """Counts of stable's pods before a rollout, by bar and minute, for at most four pods."""
    rng, service = Random(seed), scenario.of(service)
    all_pods = max(2, round(rps / RPS_OF_A_POD))
    pods = min(4, all_pods)
    kept, logs = math.exp(-1.0), [0.0] * pods
    rows: dict[str, list[list[Counts]]] = {b.name: [[] for _ in range(pods)] for b in service.bars}
    for _ in range(minutes):
        shocked = bool(scenario.shock) and rng.random() < scenario.shock * SHOCK
        for pod in range(pods):
            n, factor = poisson(rng, rps / all_pods * MINUTE), 1.0
            if scenario.pod_noise:
                logs[pod] = kept * logs[pod] + math.sqrt(1 - kept**2) * rng.gauss(0.0, 1.0)
                factor = math.exp(scenario.pod_noise * logs[pod] - scenario.pod_noise**2 / 2)
            for bar in service.bars:
                share = service.share(bar) * factor
                if shocked:
                    share = max(share, SHOCK_ERRORS if bar.name == ERRORS else SHOCK_SLOW)
                rows[bar.name][pod].append(Counts(n, bursts(rng, n, share, scenario.burst)))
    return {
        name: PodCounts({f"pod-{i}": row for i, row in enumerate(pods_)})
        for name, pods_ in rows.items()
    }
