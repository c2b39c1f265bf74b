"""Scenarios of a rollout: nine with a healthy candidate, others with a defect, and users' own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from merit.api.quantity import format_share, parse_duration, parse_share
from merit.simulate.service import ERRORS, Service, share_beyond, share_when_slower
from merit.stats.signal import Bar

TICK = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Scenario:
    """The traffic of a simulated rollout. Shares are fractions, times are seconds.

    Defects of the candidate: `errors`, its share of failing requests; `slower`, the factor on its
    latency; `leak` (from, to, share), between which times its errors rise linearly to that share.
    With `defect_after` the rollout starts at the promotion, and the defect begins so many seconds
    later. With `shared` the predecessor has the same defect, so that a rollback would be wrong.

    Of both revisions: `stable_usage`, the stable revision's bad shares as parts of what the bars
    tolerate; `burst`, mean size of a burst of bad requests in one pod; `shock`, failures of a
    shared dependency per second; `pod_noise` and `arrival_noise`, standard deviations of the
    logarithm of a factor with a memory of one minute; `drift`, growth of the bad shares in 30 min.

    Of the candidate, but no defect: `cold`, its slow share in the first `cold_seconds`; `hiccup`,
    its slow share once for `hiccup_seconds`; `skewed`, its counters are read 5 s late.
    """

    name: str = "clean"
    errors: float | None = None
    slower: float = 1.0
    leak: tuple[float, float, float] | None = None
    stable_usage: float | None = None
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
    defect_after: float = 0.0
    shared: bool = False

    @property
    def defective(self) -> bool:
        """Whether a rollback is right."""
        if self.shared:
            return False
        return self.errors is not None or self.slower != 1.0 or self.leak is not None

    def of(self, service: Service) -> Service:
        """The service with the shares of this scenario."""
        if self.stable_usage is None:
            return service
        return replace(service, shares={b.name: b.limit * self.stable_usage for b in service.bars})


CLUMPED = Scenario("clumped", burst=4, arrival_noise=0.4)
HEALTHY = (
    Scenario("clean"),
    CLUMPED,
    Scenario("shared shocks", shock=1 / 300),
    Scenario("noisy baseline", stable_usage=0.6),
    Scenario("diurnal drift", drift=4.0, arrival_noise=0.2),
    Scenario("noisy pods", pod_noise=0.5, arrival_noise=0.3),
    Scenario("cold start", cold=0.2),
    Scenario("one blip", hiccup=0.6),
    Scenario("shocks, skewed scrapes", shock=1 / 300, skewed=True),
)
DEFECTS = (
    Scenario("errors 0.5%", errors=0.005),
    Scenario("errors 5%", errors=0.05),
    Scenario("errors 100%", errors=1.0),
    Scenario("p99 +20%", slower=1.2),
    Scenario("p99 x2", slower=2.0),
    Scenario("leak to 5% over minutes 3-13", leak=(180, 780, 0.05)),
    replace(CLUMPED, name="errors 5%, clumped", errors=0.05),
)
HEALTHY_SECONDS = 300.0  # between a promotion and the beginning of the defect


def after_promotion(scenario: Scenario) -> Scenario:
    """The same defect, beginning after the promotion."""
    return replace(scenario, name=f"{scenario.name}, once promoted", defect_after=HEALTHY_SECONDS)


SHARED_DEFECTS = tuple(
    replace(after_promotion(scenario), name=f"{scenario.name}, in both", shared=True)
    for scenario in (Scenario("errors 5%", errors=0.05), DEFECTS[-1])
)
LATE_DEFECTS = tuple(
    after_promotion(scenario)
    for scenario in (Scenario("errors 2%", errors=0.02), DEFECTS[1], DEFECTS[-1], DEFECTS[4])
)
TRAFFIC_BY_NAME = dict(zip(
    ("clean", "clumped", "shocks", "worn", "drift", "noisy-pods", "cold-start", "hiccup", "skewed"),
    HEALTHY, strict=True,
))  # fmt: skip
LEAK = (180.0, 780.0)  # seconds between which the errors rise
BELOW, ABOVE = 0.5, 5.0  # errors of the default defects, as parts of what the bar tolerates
_FACTOR = re.compile(r"([0-9]+(?:\.[0-9]+)?)x")
_MORE = re.compile(r"\+([0-9]+(?:\.[0-9]+)?%)")
QUANTILES = {"p50": 0.5, "p90": 0.1, "p95": 0.05, "p99": 0.01}  # and the share beyond each


def default_defects(service: Service, base: Scenario) -> tuple[Scenario, ...]:
    """Defects that the bars of the service should catch, and some that are below every bar."""
    defects: list[Scenario] = []
    errors = next((bar for bar in service.bars if bar.name == ERRORS), None)
    if errors is not None:
        few, many = min(1.0, BELOW * errors.limit), min(1.0, ABOVE * errors.limit)
        defects += [_errors(base, few), _errors(base, many), _errors(base, 1.0), _leak(base, many)]
    if service.strictest is not None:
        quantile = service.strictest.name.rpartition("/")[2]
        defects += [
            replace(base, name=f"{quantile} +20%", slower=1.2),
            replace(base, name=f"{quantile} x2", slower=2.0),
        ]
    return tuple(defects)


def parse_defect(text: str, service: Service, base: Scenario) -> Scenario:
    """A defect as users write it: `errors=5%`, `leak=5%`, `p99=2x`, `p99=+20%`, `p99=150ms`.

    Raises ValueError with one sentence.
    """
    what, _, value = text.partition("=")
    if what in (ERRORS, "leak"):
        if all(bar.name != ERRORS for bar in service.bars):
            raise ValueError(f"{what} would not be noticed: the manifest has no constraints.errors")
        share = parse_share(value)
        return _errors(base, share) if what == ERRORS else _leak(base, share)
    if what not in QUANTILES:
        raise ValueError(
            f"{text!r} is not a defect: write errors=5%, leak=5%, p99=2x, p99=+20% or p99=150ms"
        )
    bar = service.strictest
    if bar is None:
        raise ValueError(f"{what} would not be noticed: the manifest has no constraints.latency")
    if match := _FACTOR.fullmatch(value):
        factor = float(match.group(1))
    elif match := _MORE.fullmatch(value):
        factor = 1 + parse_share(match.group(1))
    else:
        factor = _factor(service.share(bar), _beyond(what, value, bar))
    if not 0.1 <= factor <= 100:
        raise ValueError(f"{text!r} is a factor of {factor:g}: use one from 0.1 to 100")
    return replace(base, name=f"{what} {value}", slower=factor)


def with_stable(texts: Sequence[str], service: Service) -> Service:
    """The service with these shares of stable: `errors=0.3%`, `p99=80ms`. Raises ValueError."""
    shares = dict(service.shares)
    for text in texts:
        what, _, value = text.partition("=")
        if what == ERRORS:
            shares[ERRORS] = parse_share(value)
        elif what in QUANTILES:
            # Latency is lognormal with a fixed sigma: one quantile gives all shares.
            shares |= {b.name: _beyond(what, value, b) for b in service.bars if b.latency}
        else:
            raise ValueError(f"{text!r} is not a share of stable: write errors=0.3% or p99=80ms")
    return replace(service, shares=shares)


def _beyond(quantile: str, value: str, bar: Bar) -> float:
    """The share beyond a bar's bound if that quantile of latency has that value."""
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError(f"{quantile}={value}: a latency must be positive")
    return share_beyond(QUANTILES[quantile], seconds / parse_duration(bar.text))


def _factor(share: float, wanted: float) -> float:
    """The factor on latency that moves the share beyond a bound to `wanted`."""
    low, high = 0.01, 1000.0
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if share_when_slower(share, middle) < wanted else (low, middle)
    return low


def _errors(base: Scenario, share: float) -> Scenario:
    return replace(base, name=f"errors {format_share(share)}", errors=share)


def _leak(base: Scenario, share: float) -> Scenario:
    name = f"leak to {format_share(share)} over minutes 3-13"
    return replace(base, name=name, leak=(*LEAK, share))
