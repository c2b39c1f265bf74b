"""The constants of judgement, in one place; the operator's configuration may override them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constants:
    """Shares are fractions, times are seconds.

    `tolerance`, `slack`: how much worse than stable is still fine (r = 1 + tolerance, d = slack).
    `patience`: a hiccup shorter than this must not decide; `patience_unmeasured` and
    `phi_unmeasured` hold without per-pod counts. `warmup`: latency is ignored so long after
    readiness. `promote_confidence`: of each advance. `guard_mark`: "worse than stable at all"
    before a bar counts. `scrape`: seconds between two samples in Prometheus.
    """

    tolerance: float = 0.10
    slack: float = 0.001
    patience: float = 30.0
    patience_unmeasured: float = 45.0
    phi_unmeasured: float = 3.0
    warmup: float = 30.0
    promote_confidence: float = 0.95
    guard_mark: float = 20.0
    scrape: float = 15.0
