"""The finding of one check of one bar; the verdict and the message that all findings make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from merit.policy.state.verdict import Kind, Verdict

Check = Literal["min", "max", "noWorseThanStable", "maxSpread", "exitCode"]
MESSAGE = 1500  # bytes of a flow message


@dataclass(frozen=True, slots=True)
class Finding:
    """`bar`: its index in spec. `slice`: empty for the metric as a whole.

    `margin`: distance from the bar as a fraction of it; the smallest is the tightest.
    """

    bar: int
    check: Check
    metric: str
    kind: Kind
    reason: str
    message: str
    slice: str = ""
    margin: float = float("inf")

    def as_record(self) -> dict[str, str]:
        """As the record of the evaluation keeps it."""
        return {
            "metric": self.metric,
            "slice": self.slice,
            "check": self.check,
            "verdict": self.kind,
            "reason": self.reason,
            "message": self.message,
        }


def gate_verdict(findings: Sequence[Finding]) -> Verdict:
    """Any Bad decides, then any Undecided or NoData, then Good. No finding at all is no pass."""
    for kind in ("Bad", "Undecided", "NoData"):
        of_kind = [f for f in findings if f.kind == kind]
        if of_kind:
            return Verdict(of_kind[0].kind, of_kind[0].reason, summary(findings))
    if not findings:
        return Verdict("Undecided", "MetricMissing", "no bar is declared, so nothing is proven")
    return Verdict("Good", "MeetsBars", summary(findings))


def summary(findings: Sequence[Finding]) -> str:
    """What is not Good, the worst first, and the tightest of what is; at most 1,500 bytes."""
    order = {"Bad": 0, "Undecided": 1, "NoData": 2}
    wrong = sorted((f for f in findings if f.kind != "Good"), key=lambda f: order[f.kind])
    met = [f for f in findings if f.kind == "Good"]
    parts = [f.message for f in wrong]
    tail = ""
    if met:
        tightest = min(met, key=lambda f: f.margin).message
        tail = f"met: {tightest}" if wrong else tightest
        if len(met) > 1:
            tail += f"; {len(met) - 1} more met"
    return _joined(parts, tail)


def _joined(parts: Iterable[str], tail: str) -> str:
    """As many parts as fit, the number of the others, the tail."""
    kept, rest, budget = [], list(parts), MESSAGE - len(tail.encode()) - 40
    while rest and budget >= len(rest[0].encode()) + 2:
        budget -= len(rest[0].encode()) + 2
        kept.append(rest.pop(0))
    if rest and not kept:
        kept.append(rest.pop(0).encode()[:budget].decode("utf-8", "ignore"))
    more = [f"{len(rest)} more not met"] if rest else []
    return "; ".join([*kept, *more, *([tail] if tail else [])])


def shown(value: Decimal | float, beside: Decimal | None = None) -> str:
    """A number with four decimals, or as many as distinguish it from the bar `beside` it."""
    value = Decimal(value)
    size = abs(value)
    if size and (size < Decimal("0.0001") or size >= 10**9):
        return f"{float(value):.4g}"
    for digits in (4, 6, 9):
        text = f"{value:.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        if beside is None or value == beside or Decimal(text) != beside:
            break
    return text
