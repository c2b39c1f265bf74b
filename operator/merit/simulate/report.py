"""What a simulation says: lines for a terminal, and the same as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from merit.api.defaults import effective
from merit.api.quantity import format_share
from merit.evidence.ladder import ladder, margin
from merit.evidence.sentences import share
from merit.simulate.plan import Plan
from merit.simulate.service import Service
from merit.simulate.study import Cell


@dataclass(frozen=True, slots=True)
class Report:
    """`healthy`: a version with nothing wrong; `defects`: the others. `notes`: what was left out
    or assumed, a sentence each."""

    plan: Plan
    service: Service
    healthy: Cell
    defects: tuple[Cell, ...]
    horizon: float
    seed: int
    measured: bool
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All of them."""
        return (self.healthy, *self.defects)


def judged(report: Report) -> Iterator[str]:
    """By what a version would be judged, and what is assumed: a few lines."""
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
    told = ", ".join(
        f"{share(report.service.share(bar))} "
        + (f"slower than {bar.text}" if bar.latency else "errors")
        for bar in plan.bars
    )
    phi = "measured on its pods" if report.measured else "not measured: taken as 3, patience 45s"
    yield f"assumed of stable: {told}; dispersion {phi}; a scrape every {plan.constants.scrape:g}s"
    yield from report.notes


def lines(report: Report) -> Iterator[str]:
    """The whole answer as text."""
    yield from judged(report)
    yield ""
    yield from _healthy(report)
    yield ""
    yield from _defects(report)
    yield ""
    yield from advice(report)


def _healthy(report: Report) -> Iterator[str]:
    cell = report.healthy
    yield f"a healthy version ({cell.runs} rollouts):"
    false = f"  rolled back {cell.rolled_back}, promoted {cell.promoted}"
    if cell.undecided:
        false += f", undecided after {when(report.horizon)}: {cell.undecided}"
    yield false
    if cell.promoted_after is not None:
        late = cell.promoted_late or cell.promoted_after
        yield f"  promoted after {when(cell.promoted_after)} (95% within {when(late)})"
    path = ", ".join(f"{w}% {'at once' if t <= 0 else when(t)}" for w, t in cell.reached.items())
    if path:
        yield f"  weight: {path}"


def _defects(report: Report) -> Iterator[str]:
    rows = [("a version with", "caught", "after", "bad requests", "not caught")]
    for cell in report.defects:
        rows.append(
            (
                cell.kind.name,
                f"{cell.rolled_back} of {cell.runs}",
                "-" if cell.caught_after is None else when(cell.caught_after),
                number(cell.bad),
                _rest(cell),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = "  ".join(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))
        yield f"{first}  {rest}".rstrip()
    yield (
        f"bad requests: the mean of all rollouts in their first {when(report.horizon)}; what is "
        "promoted goes on to serve, and to be watched"
    )
    if any(cell.kind.turns for cell in report.defects):
        yield "once promoted: all of it is counted from the moment when the version turned"


def _rest(cell: Cell) -> str:
    """What became of those that were not rolled back."""
    parts = [f"{cell.promoted} promoted"] if cell.promoted else []
    parts += [f"{cell.undecided} undecided"] if cell.undecided else []
    return ", ".join(parts)


def advice(report: Report) -> Iterator[str]:
    """What could be changed, where something is missed or slow."""
    known = effective(report.plan.spec)
    rps = report.plan.rps
    missed = [c for c in report.defects if c.promoted > c.runs / 4 and not c.kind.turns]
    if missed:
        rungs = ladder(known.steps, known.holdback_weight)
        excess = margin(rungs, len(rungs) - 1, blast_radius=known.blast_radius, rps=rps)
        half = format_share(known.blast_radius / 2)
        yield (
            f"{', '.join(c.kind.name for c in missed)}: promoted, because an excess of "
            f"{share(excess)} of bad requests is inside the blast radius. A smaller one catches "
            f"more and takes longer: --set rollout.blastRadius={half}"
        )
    if report.healthy.promoted < 0.9 * report.healthy.runs:
        yield (
            f"a healthy version is not always promoted within {when(report.horizon)}: there is too "
            "little traffic for this blast radius; raise it, or say what rollout.onInconclusive "
            "does at maxDuration"
        )


def data(report: Report) -> dict[str, Any]:
    """The same for machines. Times in seconds, shares as fractions."""
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
        "healthy": _cell(report.healthy),
        "defects": [_cell(cell) for cell in report.defects],
        "advice": list(advice(report)),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "name": cell.kind.name,
        "runs": cell.runs,
        "rolledBack": cell.rolled_back,
        "rolledBackAfterPromotion": cell.after_promotion,
        "promoted": cell.promoted,
        "undecided": cell.undecided,
        "signal": cell.signal,
        "badRequests": round(cell.bad, 2),
        "caughtAfter": cell.caught_after,
        "promotedAfter": cell.promoted_after,
        "promotedAfter95": cell.promoted_late,
        "reached": {str(weight): t for weight, t in cell.reached.items()},
        "message": cell.message,
    }


def when(seconds: float) -> str:
    """A time that passed: `45s`, `5m`, `20m15s`."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest}s"
    return f"{minutes}m{rest}s" if rest else f"{minutes}m"


def number(value: float) -> str:
    """A mean count, with a decimal where it matters."""
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _named(bar: str) -> str:
    return bar.rpartition("/")[2]
