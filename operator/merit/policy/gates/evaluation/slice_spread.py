"""The spread of a metric between slices: the largest value less the smallest.

It is large by chance alone where values are noisy. So a spread is Bad only if it exceeds the bar by
more than chance explains: the confidence bounds of all slices hold together with 95 %. A report
without counts or standard errors allows no such bounds; then the values themselves decide.
"""

from __future__ import annotations

from collections.abc import Mapping

from merit.api.evaluation import EvaluationBar
from merit.policy.gates.evaluation.confidence import lower_bound, upper_bound
from merit.policy.gates.evaluation.finding import Finding, shown
from merit.policy.gates.evaluation.report import Value
from merit.policy.state.verdict import Kind
from merit.stats.bounds import ALPHA


def spread_finding(index: int, bar: EvaluationBar, values: Mapping[str, Value | None]) -> Finding:
    """The one finding of `maxSpread` over the slices that it matches."""
    allowed = bar.max_spread
    assert allowed is not None and bar.slices is not None
    named = f"{bar.metric} of {', '.join(bar.slices)}"

    def finding(kind: Kind, reason: str, text: str, margin: float = float("inf")) -> Finding:
        return Finding(index, "maxSpread", bar.metric, kind, reason, f"{named} {text}", "", margin)

    missing = sorted(name for name, value in values.items() if value is None)
    if missing:
        return finding("Undecided", "MetricMissing", f"is missing in {_list(missing)}")
    known = {name: value for name, value in values.items() if value is not None}
    judged = {name: value for name, value in known.items() if _enough(value, bar.min_samples)}
    left = sorted(known.keys() - judged.keys())
    out = f"; too few samples in {_list(left)}" if left else ""
    if len(judged) < 2:
        return finding("Undecided", "TooFewSlices", f"can be compared in {len(judged)} slices{out}")
    low = min(judged, key=lambda name: judged[name].v)
    high = max(judged, key=lambda name: judged[name].v)
    spread = judged[high].v - judged[low].v
    alpha = ALPHA / (2 * len(judged))  # every slice's two bounds hold at once
    bounds = [(lower_bound(v, alpha), upper_bound(v, alpha), float(v.v)) for v in judged.values()]
    bounded = all(at_least is not None for at_least, _, _ in bounds)
    lows = [v if at_least is None else at_least for at_least, _, v in bounds]
    highs = [v if at_most is None else at_most for _, at_most, v in bounds]
    least, most = max(lows) - min(highs), max(highs) - min(lows)
    ends = f"{low} {shown(judged[low].v)}, {high} {shown(judged[high].v)}"
    text = f"spread {shown(spread, allowed)}"
    if least > float(allowed):
        return finding("Bad", "BelowBar", f"{text} > {allowed}: {ends}{out}")
    if spread > allowed:
        text += f" > {allowed}, which so few rows bring about by chance: {ends}{out}"
        return finding("Undecided", "NotProven", text)
    text += f" <= {allowed}: {ends}"
    if bounded and most > float(allowed):
        text += f"; at most {shown(most)}, not proven"
    if bar.proof == "Bound" and not bounded:
        return finding(
            "Undecided", "TooFewSamples", f"{text}; give k of n, or se, to prove it{out}"
        )
    if bar.proof == "Bound" and most > float(allowed):
        return finding("Undecided", "NotProven", f"{text}{out}")
    margin = float(allowed - spread) / max(float(allowed), 1e-9)
    return finding("Good", "MeetsBars", f"{text}{out}", margin)


def _enough(value: Value, least: int | None) -> bool:
    return least is None or (value.n is not None and value.n >= least)


def _list(names: list[str]) -> str:
    rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + rest
