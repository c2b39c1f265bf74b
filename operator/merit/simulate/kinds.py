"""Kinds of traffic: nine in which nothing is wrong with the candidate, and the ways to be wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

from merit.simulate.service import Service

TICK = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Kind:
    """What the traffic of a rollout is like. Shares are fractions, times are seconds.

    Defects of the candidate: `errors` is its share of failing requests, `slower` the factor on its
    latency, `leak` (from, to, share) lets its errors rise linearly. With `turns` it is promoted
    already, and its defect begins after so many seconds; if that is `shared`, its predecessor
    suffers the same, and a rollback would be wrong.

    Of both arms: `worn`, stable's bad shares as parts of what the bars tolerate; `burst`, mean size
    of a burst of bad requests in one pod; `shock`, failures of something shared per second;
    `pod_noise` and `arrival_noise`, standard deviations of the logarithm, with a memory of a
    minute; `drift`, the factor by which bad shares have grown after 30 min, less one.

    Of the candidate, and no defect: `cold`, its slow share in the first `cold_seconds`; `hiccup`,
    its slow share once for `hiccup_seconds`; `skewed`, its counters are read 5 s late.
    """

    name: str = "clean"
    errors: float | None = None
    slower: float = 1.0
    leak: tuple[float, float, float] | None = None
    worn: float | None = None
    burst: float = 1.0
    shock: float = 0.0
    pod_noise: float = 0.0
    arrival_noise: float = 0.0
    drift: float = 0.0
    cold: float = 0.0
    cold_seconds: float = 30.0
    hiccup: float = 0.0
    hiccup_seconds: float = TICK
    skewed: bool = False
    turns: float = 0.0
    shared: bool = False

    @property
    def defective(self) -> bool:
        """Whether a rollback would be right."""
        if self.shared:
            return False
        return self.errors is not None or self.slower != 1.0 or self.leak is not None

    def of(self, service: Service) -> Service:
        """The service as this kind of traffic finds it."""
        if self.worn is None:
            return service
        return replace(service, shares={b.name: b.limit * self.worn for b in service.bars})


CLUMPED = Kind("clumped", burst=4, arrival_noise=0.4)
HEALTHY = (
    Kind("clean"),
    CLUMPED,
    Kind("shared shocks", shock=1 / 300),
    Kind("noisy baseline", worn=0.6),
    Kind("diurnal drift", drift=4.0, arrival_noise=0.2),
    Kind("noisy pods", pod_noise=0.5, arrival_noise=0.3),
    Kind("cold start", cold=0.2),
    Kind("one blip", hiccup=0.6),
    Kind("shocks, skewed scrapes", shock=1 / 300, skewed=True),
)
DEFECTS = (
    Kind("errors 0.5%", errors=0.005),
    Kind("errors 5%", errors=0.05),
    Kind("errors 100%", errors=1.0),
    Kind("p99 +20%", slower=1.2),
    Kind("p99 x2", slower=2.0),
    Kind("leak to 5% over minutes 3-13", leak=(180, 780, 0.05)),
    replace(CLUMPED, name="errors 5%, clumped", errors=0.05),
)
TURNS = 300.0  # seconds of health after a promotion


def turning(kind: Kind) -> Kind:
    """The same defect, in a version that was promoted without it."""
    return replace(kind, name=f"{kind.name}, once promoted", turns=TURNS)


BAD_DAYS = tuple(
    replace(turning(kind), name=f"{kind.name}, in both", shared=True)
    for kind in (Kind("errors 5%", errors=0.05), DEFECTS[-1])
)
LATER = tuple(
    turning(kind) for kind in (Kind("errors 2%", errors=0.02), DEFECTS[1], DEFECTS[-1], DEFECTS[4])
)
