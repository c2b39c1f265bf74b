"""The report of a simulation: lines for a terminal, and plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from merit.api.defaults import effective
from merit.api.quantity import format_share
from merit.simulate.plan import Plan
from merit.simulate.service import Service
from merit.simulate.study import StudyResult
from merit.stats.ladder import ladder, margin
from merit.stats.sentences import share


@dataclass(frozen=True, slots=True)
class Report:
    """`healthy`: the result without a defect; `defects`: the others. `notes`: a sentence for each
    field of the manifest that was ignored."""

    plan: Plan
    service: Service
    healthy: StudyResult
    defects: tuple[StudyResult, ...]
    horizon: float
    seed: int
    measured: bool
    notes: tuple[str, ...] = ()

    @property
    def results(self) -> tuple[StudyResult, ...]:
        """All results, the healthy one first."""
        return (self.healthy, *self.defects)


def settings(report: Report) -> Iterator[str]:
    """The bars and settings that judge a version, and what is assumed: a few lines."""
    plan, known = report.plan, effective(report.plan.spec)
    bars = ", ".join(f"{_named(bar.name)} <= {bar.text}" for bar in plan.bars)
    weights = ladder(known.steps, known.holdback_weight)
    steps = " ".join(f"{w}" for w in weights)
    yield f"{plan.name}: {bars} at {plan.rps:g} requests/s"
    yield (
        f"confidence {format_share(known.confidence)}, blast radius "
        f"{format_share(known.blast_radius)}, steps {steps}, at least "
        f"{when(known.min_duration)} of them, then {100 - weights[-1]}% held back for "
        f"{when(known.holdback_duration)}"
    )
    shares = ", ".join(
        f"{share(report.service.share(bar))} "
        + (f"slower than {bar.text}" if bar.latency else "errors")
        for bar in plan.bars
    )
    phi = "measured on its pods" if report.measured else "not measured: taken as 3, patience 45s"
    every = plan.constants.scrape
    yield f"assumed of stable: {shares}; dispersion {phi}; a scrape every {every:g}s"
    yield from report.notes


def lines(report: Report) -> Iterator[str]:
    """The whole report as text."""
    yield from settings(report)
    yield ""
    yield from _healthy(report)
    yield ""
    yield from _defects(report)
    yield ""
    yield from advice(report)


def _healthy(report: Report) -> Iterator[str]:
    result = report.healthy
    yield f"a healthy version ({result.runs} rollouts):"
    endings = f"  rolled back {result.rolled_back}, promoted {result.promoted}"
    if result.undecided:
        endings += f", undecided after {when(report.horizon)}: {result.undecided}"
    yield endings
    if result.promoted_after is not None:
        late = result.promoted_late or result.promoted_after
        yield f"  promoted after {when(result.promoted_after)} (95% within {when(late)})"
    path = ", ".join(f"{w}% {'at once' if t <= 0 else when(t)}" for w, t in result.reached.items())
    if path:
        yield f"  weight: {path}"


def _defects(report: Report) -> Iterator[str]:
    rows = [("a version with", "caught", "after", "bad requests", "not caught")]
    for result in report.defects:
        rows.append(
            (
                result.scenario.name,
                f"{result.rolled_back} of {result.runs}",
                "-" if result.caught_after is None else when(result.caught_after),
                number(result.bad),
                _rest(result),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = "  ".join(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))
        yield f"{first}  {rest}".rstrip()
    yield (
        f"bad requests: the mean of all rollouts in their first {when(report.horizon)}; what is "
        "promoted goes on to serve and is monitored"
    )
    if any(result.scenario.defect_after for result in report.defects):
        yield "once promoted: everything is counted from the moment when the defect began"


def _rest(result: StudyResult) -> str:
    """How the rollouts ended that were not rolled back."""
    parts = [f"{result.promoted} promoted"] if result.promoted else []
    parts += [f"{result.undecided} undecided"] if result.undecided else []
    return ", ".join(parts)


def advice(report: Report) -> Iterator[str]:
    """What to change if a defect is missed or a healthy version is not promoted."""
    known = effective(report.plan.spec)
    rps = report.plan.rps
    missed = [c for c in report.defects if c.promoted > c.runs / 4 and not c.scenario.defect_after]
    if missed:
        rungs = ladder(known.steps, known.holdback_weight)
        excess = margin(rungs, len(rungs) - 1, blast_radius=known.blast_radius, rps=rps)
        half = format_share(known.blast_radius / 2)
        yield (
            f"{', '.join(c.scenario.name for c in missed)}: promoted, because an excess of "
            f"{share(excess)} of bad requests is inside the blast radius. A smaller one catches "
            f"more and takes longer: --set rollout.blastRadius={half}"
        )
    if report.healthy.promoted < 0.9 * report.healthy.runs:
        yield (
            f"a healthy version is not always promoted within {when(report.horizon)}: there is too "
            "little traffic for this blast radius; raise it, or choose what rollout.onInconclusive "
            "does at maxDuration"
        )


def data(report: Report) -> dict[str, Any]:
    """The report as plain data. Times in seconds, shares as fractions."""
    known = effective(report.plan.spec)
    return {
        "name": report.plan.name,
        "rps": report.plan.rps,
        "bars": {bar.name: {"text": bar.text, "tolerated": bar.limit} for bar in report.plan.bars},
        "confidence": known.confidence,
        "blastRadius": known.blast_radius,
        "steps": list(ladder(known.steps, known.holdback_weight)),
        "stable": dict(report.service.shares),
        "dispersionMeasured": report.measured,
        "scrape": report.plan.constants.scrape,
        "seed": report.seed,
        "horizon": report.horizon,
        "notes": list(report.notes),
        "healthy": _result_data(report.healthy),
        "defects": [_result_data(result) for result in report.defects],
        "advice": list(advice(report)),
    }


def _result_data(result: StudyResult) -> dict[str, Any]:
    return {
        "name": result.scenario.name,
        "runs": result.runs,
        "rolledBack": result.rolled_back,
        "rolledBackAfterPromotion": result.after_promotion,
        "promoted": result.promoted,
        "undecided": result.undecided,
        "signal": result.signal,
        "badRequests": round(result.bad, 2),
        "caughtAfter": result.caught_after,
        "promotedAfter": result.promoted_after,
        "promotedAfter95": result.promoted_late,
        "reached": {str(weight): t for weight, t in result.reached.items()},
        "message": result.message,
    }


def when(seconds: float) -> str:
    """A duration for people: `45s`, `5m`, `20m15s`."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest}s"
    return f"{minutes}m{rest}s" if rest else f"{minutes}m"


def number(value: float) -> str:
    """A mean count, with one decimal below 10."""
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _named(bar: str) -> str:
    return bar.rpartition("/")[2]
