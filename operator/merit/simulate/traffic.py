"""Synthetic traffic of one rollout: requests, failures and slow answers of both arms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from merit.evidence.counts import Counts
from merit.evidence.dispersion import PodCounts
from merit.simulate.kinds import TICK, Kind
from merit.simulate.sampling import binomial, bursts, poisson
from merit.simulate.service import ERRORS, Service, slower

SHOCK = 20.0  # seconds that a failure of something shared lasts
SHOCK_ERRORS, SHOCK_SLOW = 0.05, 0.10
MINUTE = 60.0
RPS_OF_A_POD = 50.0
EARLIEST, LATEST = 6, 120  # ticks between which a hiccup begins


@dataclass(frozen=True, slots=True)
class Tick:
    """Requests of one tick, candidate before stable, and the bad ones of each bar in order."""

    n: tuple[int, int]
    bad: tuple[tuple[int, int], ...]


class Traffic:
    """One rollout's worth of requests, in ticks of five seconds."""

    def __init__(self, kind: Kind, service: Service, rps: float, seed: int | str) -> None:
        self._kind, self._rps, self._rng = kind, rps, Random(seed)
        self._service = kind.of(service)
        # Requests beyond a loose bound first: those beyond a tighter one are among them.
        self._order = sorted(
            range(len(service.bars)),
            key=lambda i: (service.bars[i].latency, -self._service.share(service.bars[i])),
        )
        self._pods = max(2, round(rps / RPS_OF_A_POD))
        self._noise = [0.0, 0.0, 0.0]  # candidate, stable, arrivals
        self._shock_until = -1.0
        self._hiccup_at = self._rng.randrange(EARLIEST, LATEST) * TICK
        self._late = Tick((0, 0), ((0, 0),) * len(service.bars))

    def step(self, t: float, weight: float) -> Tick:
        """What happens in [t, t + 5) seconds while the candidate has that share of the traffic."""
        kind, rng = self._kind, self._rng
        n = poisson(rng, self._rps * TICK * self._wave(2, kind.arrival_noise))
        mine = binomial(rng, n, weight)
        if kind.shock and rng.random() < kind.shock * TICK:
            self._shock_until = t + SHOCK
        grown = 1 + kind.drift * t / 1800
        own, their = grown * self._pod_wave(0, weight), grown * self._pod_wave(1, 1 - weight)
        bad = list(
            zip(
                self._bad(mine, [self._candidate(i, t, own) for i in self._order], t),
                self._bad(n - mine, [self._stable(i, t, their) for i in self._order], t),
                strict=True,
            )
        )
        placed = sorted(zip(self._order, bad, strict=True))
        tick = Tick((mine, n - mine), tuple(pair for _, pair in placed))
        return self._read_late(tick) if kind.skewed else tick

    def _stable(self, bar: int, t: float, grown: float) -> float:
        if self._kind.shared:
            return self._candidate(bar, t, grown)
        return self._service.share(self._service.bars[bar]) * grown

    def _candidate(self, bar: int, t: float, grown: float) -> float:
        kind, declared = self._kind, self._service.bars[bar]
        share = self._service.share(declared)
        if t < kind.turns:
            return share * grown
        if declared.latency:
            if kind.hiccup and self._hiccup_at <= t < self._hiccup_at + kind.hiccup_seconds:
                return max(share, kind.hiccup)
            if kind.cold and t < kind.cold_seconds:
                return max(share, kind.cold)
            return slower(share, kind.slower) * grown
        now = (share if kind.errors is None else kind.errors) * grown
        if kind.leak:
            begin, end, last = kind.leak
            now += min(1.0, max(0.0, (t - begin) / (end - begin))) * (last - share)
        return now

    def _bad(self, n: int, shares: list[float], t: float) -> list[int]:
        """Bad requests of one arm for the bars in `_order`."""
        found: list[int] = []
        slow, beyond = n, 1.0
        for bar, share in zip(self._order, shares, strict=True):
            latency = self._service.bars[bar].latency
            if t < self._shock_until:
                share = max(share, SHOCK_SLOW if latency else SHOCK_ERRORS)
            if not latency:
                found.append(bursts(self._rng, n, share, self._kind.burst))
                continue
            part = min(1.0, share / beyond) if beyond > 0 else 0.0
            slow = bursts(self._rng, slow, part, self._kind.burst)
            beyond = share
            found.append(slow)
        return found

    def _wave(self, which: int, sigma: float) -> float:
        """A factor with mean 1 that wanders, with a memory of a minute."""
        if not sigma:
            return 1.0
        kept = math.exp(-TICK / MINUTE)
        z = kept * self._noise[which] + math.sqrt(1 - kept * kept) * self._rng.gauss(0.0, 1.0)
        self._noise[which] = z
        return math.exp(sigma * z - sigma * sigma / 2)

    def _pod_wave(self, which: int, share: float) -> float:
        """Each pod wanders by itself: many of them wander less together."""
        pods = max(1, math.ceil(self._pods * share))
        return self._wave(which, self._kind.pod_noise / math.sqrt(pods))

    def _read_late(self, tick: Tick) -> Tick:
        late, self._late = self._late, tick
        pairs = zip(late.bad, tick.bad, strict=True)
        return Tick((late.n[0], tick.n[1]), tuple((old[0], new[1]) for old, new in pairs))


def history(
    kind: Kind, service: Service, rps: float, seed: int | str, *, minutes: int = 360
) -> dict[str, PodCounts]:
    """Stable's own pods before a rollout, minute by minute, for each bar. At most four pods."""
    rng, found = Random(seed), kind.of(service)
    all_pods = max(2, round(rps / RPS_OF_A_POD))
    pods = min(4, all_pods)
    kept, waves = math.exp(-1.0), [0.0] * pods
    rows: dict[str, list[list[Counts]]] = {b.name: [[] for _ in range(pods)] for b in found.bars}
    for _ in range(minutes):
        shocked = bool(kind.shock) and rng.random() < kind.shock * SHOCK
        for pod in range(pods):
            n, wave = poisson(rng, rps / all_pods * MINUTE), 1.0
            if kind.pod_noise:
                waves[pod] = kept * waves[pod] + math.sqrt(1 - kept**2) * rng.gauss(0.0, 1.0)
                wave = math.exp(kind.pod_noise * waves[pod] - kind.pod_noise**2 / 2)
            for bar in found.bars:
                share = found.share(bar) * wave
                if shocked:
                    share = max(share, SHOCK_ERRORS if bar.name == ERRORS else SHOCK_SLOW)
                rows[bar.name][pod].append(Counts(n, bursts(rng, n, share, kind.burst)))
    return {
        name: PodCounts({f"pod-{i}": row for i, row in enumerate(pods_)})
        for name, pods_ in rows.items()
    }
