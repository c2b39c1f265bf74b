"""Defects by name: those that are simulated unasked, and those that people ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from merit.api.quantity import format_share, parse_duration, parse_share
from merit.evidence.signal import Bar
from merit.simulate.kinds import HEALTHY, Kind
from merit.simulate.service import ERRORS, Service, beyond, slower

TRAFFIC = dict(
    zip(
        ("clean", "clumped", "shocks", "worn", "drift", "noisy-pods", "cold-start", "hiccup",
         "skewed"),
        HEALTHY,
        strict=True,
    )
)  # fmt: skip
LEAK = (180.0, 780.0)  # seconds between which it grows
BELOW, ABOVE = 0.5, 5.0  # of what the bar tolerates
_FACTOR = re.compile(r"([0-9]+(?:\.[0-9]+)?)x")
_MORE = re.compile(r"\+([0-9]+(?:\.[0-9]+)?%)")
QUANTILES = {"p50": 0.5, "p90": 0.1, "p95": 0.05, "p99": 0.01}  # and what lies beyond


def usual_defects(service: Service, base: Kind) -> tuple[Kind, ...]:
    """What the bars of the service should catch, and a little that lies below every bar."""
    found: list[Kind] = []
    errors = next((bar for bar in service.bars if bar.name == ERRORS), None)
    if errors is not None:
        few, many = min(1.0, BELOW * errors.limit), min(1.0, ABOVE * errors.limit)
        found += [_errors(base, few), _errors(base, many), _errors(base, 1.0), _leak(base, many)]
    if service.strictest is not None:
        quantile = service.strictest.name.rpartition("/")[2]
        found += [
            replace(base, name=f"{quantile} +20%", slower=1.2),
            replace(base, name=f"{quantile} x2", slower=2.0),
        ]
    return tuple(found)


def defect(text: str, service: Service, base: Kind) -> Kind:
    """Of the candidate: `errors=5%`, `leak=5%`, `p99=2x`, `p99=+20%`, `p99=150ms`.

    Raises ValueError with one sentence.
    """
    what, _, value = text.partition("=")
    if what in (ERRORS, "leak"):
        if all(bar.name != ERRORS for bar in service.bars):
            raise ValueError(f"nothing would notice {what}: the manifest has no constraints.errors")
        share = parse_share(value)
        return _errors(base, share) if what == ERRORS else _leak(base, share)
    if what not in QUANTILES:
        raise ValueError(
            f"{text!r} is no defect: write errors=5%, leak=5%, p99=2x, p99=+20% or p99=150ms"
        )
    bar = service.strictest
    if bar is None:
        raise ValueError(f"nothing would notice {what}: the manifest has no constraints.latency")
    if found := _FACTOR.fullmatch(value):
        factor = float(found.group(1))
    elif found := _MORE.fullmatch(value):
        factor = 1 + parse_share(found.group(1))
    else:
        factor = _factor(service.share(bar), _beyond(what, value, bar))
    if not 0.1 <= factor <= 100:
        raise ValueError(f"{text!r} is a factor of {factor:g}: give one from 0.1 to 100")
    return replace(base, name=f"{what} {value}", slower=factor)


def stable_as(texts: Sequence[str], service: Service) -> Service:
    """The service with stable as told: `errors=0.3%`, `p99=80ms`. Raises ValueError."""
    shares = dict(service.shares)
    for text in texts:
        what, _, value = text.partition("=")
        if what == ERRORS:
            shares[ERRORS] = parse_share(value)
        elif what in QUANTILES:
            # One quantile that is known tells the whole of a lognormal latency.
            shares |= {b.name: _beyond(what, value, b) for b in service.bars if b.latency}
        else:
            raise ValueError(f"{text!r} says nothing of stable: write errors=0.3% or p99=80ms")
    return replace(service, shares=shares)


def _beyond(quantile: str, value: str, bar: Bar) -> float:
    """The share beyond a bar's bound if that quantile of latency has that value."""
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError(f"{quantile}={value}: no request is answered in no time")
    return beyond(QUANTILES[quantile], seconds / parse_duration(bar.text))


def _factor(share: float, wanted: float) -> float:
    """What latency must be multiplied by to move the share beyond a bound."""
    low, high = 0.01, 1000.0
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if slower(share, middle) < wanted else (low, middle)
    return low


def _errors(base: Kind, share: float) -> Kind:
    return replace(base, name=f"errors {format_share(share)}", errors=share)


def _leak(base: Kind, share: float) -> Kind:
    name = f"leak to {format_share(share)} over minutes 3-13"
    return replace(base, name=name, leak=(*LEAK, share))
