"""A self-contained HTML page of a simulation: weight and evidence over time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from merit.api.defaults import effective
from merit.simulate.report import Report, advice, number, settings, when
from merit.simulate.rollout import Outcome
from merit.simulate.study import StudyResult

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 210, 44, 14, 28
STYLE = """
:root { --ink: #1d2430; --faint: #d9dde4; --paper: #fff; --soft: #5c6675;
  --weight: #2c6fbb; --evidence: #c2461e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --faint: #39414e; --paper: #14181f;
  --soft: #9aa5b5; --weight: #6aa9ee; --evidence: #f2855e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1340px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem } h2 { font-size: 1rem; margin: 0 }
p { margin: .2rem 0; color: var(--soft) }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid var(--faint) }
th:first-child, td:first-child { text-align: left }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 1.5rem }
svg { width: 100%; height: auto } text { font-size: 11px; fill: var(--soft) }
.grid { stroke: var(--faint); stroke-width: 1 } .line { fill: none; stroke-width: 2 }
.weight { stroke: var(--weight) } .evidence { stroke: var(--evidence) }
.threshold { stroke: var(--evidence); stroke-dasharray: 4 4 }
.key b { color: var(--weight) } .key i { color: var(--evidence); font-style: normal;
  font-weight: bold }
"""


def page(report: Report, rollouts: Sequence[Outcome]) -> str:
    """The page. `rollouts`: a typical one of each of the report's results, with snapshots."""
    head = "".join(f"<p>{escape(line)}</p>\n" for line in settings(report))
    advices = "".join(f"<p>{escape(line)}</p>\n" for line in advice(report))
    panels = "\n".join(
        _panel(report, result, rollout)
        for result, rollout in zip(report.results, rollouts, strict=True)
    )
    title = escape(f"merit simulate: {report.plan.name}")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><h1>{title}</h1>
{head}{_table(report)}{advices}
<p class="key">One typical rollout of each: <b>weight in percent</b>, and <i>evidence against the
version (log e-value)</i>, which rolls it back at the dashed line.</p>
<main>
{panels}
</main></body></html>
"""


def _table(report: Report) -> str:
    rows = [("", "rollouts", "rolled back", "after", "bad requests", "promoted", "after")]
    for i, result in enumerate(report.results):
        rows.append(
            (
                result.scenario.name if i else "a healthy version",
                str(result.runs),
                str(result.rolled_back),
                "" if result.caught_after is None else when(result.caught_after),
                number(result.bad) if i else "",
                str(result.promoted),
                "" if result.promoted_after is None else when(result.promoted_after),
            )
        )
    html = "<table>\n"
    for i, row in enumerate(rows):
        tag = "td" if i else "th"
        html += f"<tr>{''.join(f'<{tag}>{escape(c)}</{tag}>' for c in row)}</tr>\n"
    return html + "</table>\n"


def _panel(report: Report, result: StudyResult, rollout: Outcome) -> str:
    threshold = -math.log(1 - effective(report.plan.spec).confidence)
    end = rollout.snapshots[-1].t if rollout.snapshots else report.horizon
    name = "a healthy version" if result is report.healthy else result.scenario.name
    outcome = f"{rollout.ending} after {when(rollout.ended)}" if rollout.ended else rollout.ending
    if rollout.ending == "rolled back":
        outcome += f", {rollout.bad[result.signal]:,} bad requests: {rollout.message}"
    drawing = "".join(_drawing(rollout, end=max(end, 60.0), threshold=threshold))
    return (
        f"<section><h2>{escape(name)}</h2><p>{escape(outcome)}</p>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">'
        f"{drawing}</svg></section>"
    )


def _drawing(rollout: Outcome, *, end: float, threshold: float) -> Iterator[str]:
    top = max(2 * threshold, 1.0)
    low = -threshold

    def x(t: float) -> float:
        return LEFT + (WIDTH - 2 * LEFT) * t / end

    def y(share: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(1.0, max(0.0, share)))

    def y_evidence(value: float) -> float:
        return y((value - low) / (top - low))

    for percent in (0, 25, 50, 75, 100):
        at = y(percent / 100)
        yield f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - LEFT}"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{percent}%</text>'
    for t in _ticks(end):
        yield f'<text x="{x(t):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{when(t)}</text>'
    for value in (low, 0.0, threshold, top):
        yield f'<text x="{WIDTH - LEFT + 6}" y="{y_evidence(value) + 4:.1f}">{value:.1f}</text>'
    yield f'<path class="threshold" d="M{LEFT} {y_evidence(threshold):.1f}H{WIDTH - LEFT}"/>'
    points = " ".join(f"{x(s.t):.1f},{y_evidence(s.evidence):.1f}" for s in rollout.snapshots)
    yield f'<polyline class="line evidence" points="{points}"/>'
    weight, path = min(rollout.reached, default=0), ""
    path = f"M{x(0):.1f} {y(weight / 100):.1f}"
    for snapshot in rollout.snapshots:
        path += f"H{x(snapshot.t):.1f}"
        if snapshot.weight != weight:
            weight = snapshot.weight
            path += f"V{y(weight / 100):.1f}"
    yield f'<path class="line weight" d="{path}"/>'


def _ticks(end: float) -> list[float]:
    """About five round times for the axis, in seconds."""
    for step in (15, 30, 60, 120, 300, 600, 900, 1800, 3600):
        if end / step <= 6:
            return [i * float(step) for i in range(int(end // step) + 1)]
    return [0.0, end]
