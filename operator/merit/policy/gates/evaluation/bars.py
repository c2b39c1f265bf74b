"""A report against the bars of the spec: one pure function, no cluster, no clock.

Under `proof: PointEstimate` the value decides, and the message has its confidence bound; under
`Bound` the one-sided 95 % bound must meet the bar. A bar over m slices tests each at level 5 %/m
(Bonferroni): otherwise one of twenty healthy slices would be rejected by chance alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal

from merit.api.evaluation import EvaluationBar
from merit.policy.gates.evaluation.confidence import lower_bound, rows_needed, upper_bound
from merit.policy.gates.evaluation.finding import Check, Finding, shown
from merit.policy.gates.evaluation.report import Report, Value
from merit.policy.gates.evaluation.slice_spread import spread_finding
from merit.policy.state.verdict import Kind
from merit.stats.bounds import ALPHA


@dataclass(frozen=True, slots=True)
class Serving:
    """What a candidate is compared with: the stable revision, and its own report on record."""

    revision: str
    record: Report | None = None


def judge(
    report: Report, bars: Sequence[EvaluationBar], serving: Serving | None = None
) -> tuple[Finding, ...]:
    """The finding of every check of every bar. `serving`: None at a first deployment."""
    return tuple(
        finding
        for index, bar in enumerate(bars)
        for finding in _Judge(index, bar, report, serving).findings()
    )


class _Judge:
    """One bar and one report."""

    def __init__(
        self, index: int, bar: EvaluationBar, report: Report, serving: Serving | None
    ) -> None:
        self.index, self.bar, self.report, self.serving = index, bar, report, serving
        self.proven = bar.proof == "Bound"
        self.alpha = ALPHA

    def findings(self) -> Iterator[Finding]:
        """The number of slices sets the level that each is tested at."""
        bar = self.bar
        if bar.slices is None:
            yield from self._of("", self.report.metrics.get(bar.metric))
            return
        matched = matching(self.report.slices, bar.slices)
        if not matched:
            names = ", ".join(bar.slices)
            check: Check = "maxSpread" if bar.max_spread is not None else "min"
            yield self._undecided(check, "MetricMissing", f"no slice of the report is {names}")
            return
        self.alpha = ALPHA / len(matched)
        for name, metrics in matched.items():
            yield from self._of(name, metrics.get(bar.metric))
        if bar.max_spread is not None:
            values = {name: metrics.get(bar.metric) for name, metrics in matched.items()}
            yield spread_finding(self.index, bar, values)

    def _of(self, slice_: str, value: Value | None) -> Iterator[Finding]:
        """Minimum, maximum and comparison of the metric as a whole, or of one slice."""
        bar = self.bar
        if bar.min is not None:
            yield self._absolute("min", bar.min, slice_, value)
        if bar.max is not None:
            yield self._absolute("max", bar.max, slice_, value)
        if bar.no_worse_than_stable is not None:
            yield self._beside_stable(bar.no_worse_than_stable, slice_, value)

    def _absolute(
        self, side: Literal["min", "max"], bound: Decimal, slice_: str, value: Value | None
    ) -> Finding:
        name = _name(self.bar.metric, slice_)
        if value is None:
            return self._undecided(side, "MetricMissing", f"{name} is not in the report", slice_)
        too_few = self._too_few(side, name, value, slice_)
        if too_few is not None:
            return too_few
        below = side == "min"  # a minimum is proven by the lower bound, missed by the upper one
        wrong = value.v < bound if below else value.v > bound
        sign = ("<" if below else ">") if wrong else (">=" if below else "<=")
        near, which = (lower_bound, "lower") if below != wrong else (upper_bound, "upper")
        edge = near(value, self.alpha)
        text = f"{name} {shown(value.v, bound)} {sign} {bound}{_facts(value, which, edge)}"
        if wrong:
            return self._finding(side, "Bad", "BelowBar", text, slice_)
        if edge is None and self.proven:
            text = f"{text}: give k of n, or se, to prove it"
            return self._undecided(side, "TooFewSamples", text, slice_)
        if edge is not None and (edge < float(bound) if below else edge > float(bound)):
            text = f"{text}, not proven"
            if self.proven:
                text += f", {_rows(rows_needed(value, bound, self.alpha))}"
                return self._undecided(side, "NotProven", text, slice_)
        margin = float(abs(value.v - bound)) / max(float(abs(bound)), 1e-9)
        return self._finding(side, "Good", "MeetsBars", text, slice_, margin)

    def _beside_stable(self, tolerance: Decimal, slice_: str, value: Value | None) -> Finding:
        check: Check = "noWorseThanStable"
        name = _name(self.bar.metric, slice_)
        if self.serving is None:
            return self._finding(
                check, "Good", "NotApplicable",
                f"{name} vs stable does not apply: nothing serves yet", slice_,
            )  # fmt: skip
        delta = self._delta(slice_)
        if value is None and delta is None:
            return self._undecided(check, "MetricMissing", f"{name} is not in the report", slice_)
        too_few = self._too_few(check, name, value or delta, slice_)
        if too_few is not None:
            return too_few
        sign = 1 if self.bar.better == "Lower" else -1
        if delta is not None:
            worse = sign * delta.v
            most = upper_bound(delta, self.alpha)
            bound = None if most is None else float(worse) + most - float(delta.v)
            difference = delta.v
        else:
            assert value is not None
            stable, why = self._stable(slice_)
            if stable is None:
                return self._undecided(check, "NoComparison", f"{name} vs stable: {why}", slice_)
            difference = value.v - stable.v
            worse = sign * difference
            bound = self._worst(value, stable, worse, sign)
        return self._against_tolerance(name, slice_, worse, bound, tolerance, difference)

    def _against_tolerance(
        self,
        name: str,
        slice_: str,
        worse: Decimal,
        bound: float | None,
        tolerance: Decimal,
        difference: Decimal,
    ) -> Finding:
        """The difference to stable, by how much it is worse, against the tolerance."""
        check: Check = "noWorseThanStable"
        signed = f"{'+' if difference >= 0 else ''}{shown(difference)}"
        text = f"{name} {signed} vs stable"
        if worse > tolerance:
            text = f"{text}, {shown(worse, tolerance)} worse > {tolerance}"
            return self._finding(check, "Bad", "BelowBar", text, slice_)
        if bound is None:
            if self.proven:
                text += ": give se of the difference, or k of n of both, to prove it"
                return self._undecided(check, "TooFewSamples", text, slice_)
        else:
            text += f", at most {shown(max(bound, 0.0), tolerance)} worse"
            if bound > float(tolerance):
                text += f" > {tolerance}, not proven"
                if self.proven:
                    return self._undecided(check, "NotProven", text, slice_)
        margin = float(tolerance - worse) / max(float(tolerance), 1e-9)
        return self._finding(check, "Good", "MeetsBars", text, slice_, margin)

    def _delta(self, slice_: str) -> Value | None:
        """Candidate less stable on the same rows, if the report has it for what serves now."""
        stable = self.report.stable
        if slice_ or stable is None or self.serving is None:
            return None
        same = stable.revision == self.serving.revision
        return stable.delta.get(self.bar.metric) if same else None

    def _stable(self, slice_: str) -> tuple[Value | None, str]:
        """The serving revision's value, or why there is none to compare with."""
        assert self.serving is not None
        metric, record, reported = self.bar.metric, self.serving.record, self.report.stable
        if not slice_ and reported is not None and reported.revision == self.serving.revision:
            value = reported.metrics.get(metric)
            if value is not None:
                return value, ""
        if record is None:
            return None, "the report has no value of it, and no record has"
        ours, theirs = self.report.dataset, record.dataset
        if not ours.digest or ours.digest != theirs.digest:
            return None, (
                f"its record is of other data ({theirs.name or 'unnamed'} "
                f"{theirs.digest or 'without digest'}, this is {ours.name or 'unnamed'} "
                f"{ours.digest or 'without digest'})"
            )
        recorded = record.slices.get(slice_, {}) if slice_ else record.metrics
        return recorded.get(metric), "its record does not have it"

    def _worst(self, value: Value, stable: Value, worse: Decimal, sign: int) -> float | None:
        """The upper bound of how much worse it is; both margins of error, added in quadrature."""
        toward = (lower_bound, upper_bound) if sign < 0 else (upper_bound, lower_bound)
        ours, theirs = toward[0](value, self.alpha), toward[1](stable, self.alpha)
        if ours is None or theirs is None:
            return None
        return float(worse) + math.hypot(ours - float(value.v), theirs - float(stable.v))

    def _too_few(self, check: Check, name: str, value: Value | None, slice_: str) -> Finding | None:
        least = self.bar.min_samples
        if least is None or value is None or (value.n is not None and value.n >= least):
            return None
        n = "an unknown number of" if value.n is None else f"{value.n:,}"
        text = f"{name} rests on {n} samples, at least {least:,} are asked for"
        return self._undecided(check, "TooFewSamples", text, slice_)

    def _undecided(self, check: Check, reason: str, text: str, slice_: str = "") -> Finding:
        return self._finding(check, "Undecided", reason, text, slice_)

    def _finding(
        self,
        check: Check,
        kind: Kind,
        reason: str,
        text: str,
        slice_: str,
        margin: float = float("inf"),
    ) -> Finding:
        return Finding(self.index, check, self.bar.metric, kind, reason, text, slice_, margin)


def matching(
    slices: Mapping[str, Mapping[str, Value]], globs: Sequence[str]
) -> dict[str, Mapping[str, Value]]:
    """The slices that match any of the globs, in which only * and ? have a meaning."""
    return {name: m for name, m in slices.items() if any(fnmatchcase(name, g) for g in globs)}


def _name(metric: str, slice_: str) -> str:
    return f"{metric} of {slice_}" if slice_ else metric


def _facts(value: Value, side: str, bound: float | None) -> str:
    """Samples and confidence bound of the value, in brackets."""
    parts = [f"n={value.n:,}"] if value.n is not None else []
    parts += [f"{side} bound {shown(bound)}"] if bound is not None else []
    return f" ({', '.join(parts)})" if parts else ""


def _rows(rows: int | None) -> str:
    if rows is None:
        return "and no number of rows would: lower the bar, or take a better model"
    return f"about {rows:,} rows would"
