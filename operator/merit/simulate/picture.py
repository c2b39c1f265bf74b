"""One HTML page of a simulation: weight and evidence over time, nothing loaded from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from merit.api.defaults import effective
from merit.simulate.report import Report, advice, judged, number, when
from merit.simulate.rollout import Course
from merit.simulate.study import Cell

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
.mark { stroke: var(--evidence); stroke-dasharray: 4 4 }
.key b { color: var(--weight) } .key i { color: var(--evidence); font-style: normal;
  font-weight: bold }
"""


def page(report: Report, courses: Sequence[Course]) -> str:
    """The page. `courses`: one typical rollout of each of the report's cells, with its moments."""
    head = "".join(f"<p>{escape(line)}</p>\n" for line in judged(report))
    said = "".join(f"<p>{escape(line)}</p>\n" for line in advice(report))
    panels = "\n".join(
        _panel(report, cell, course) for cell, course in zip(report.cells, courses, strict=True)
    )
    title = escape(f"merit simulate: {report.plan.name}")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><h1>{title}</h1>
{head}{_table(report)}{said}
<p class="key">One typical rollout of each: <b>weight in percent</b>, and <i>evidence against the
version in nats</i>, which rolls it back at the dashed line.</p>
<main>
{panels}
</main></body></html>
"""


def _table(report: Report) -> str:
    rows = [("", "rollouts", "rolled back", "after", "bad requests", "promoted", "after")]
    for i, cell in enumerate(report.cells):
        rows.append(
            (
                cell.kind.name if i else "a healthy version",
                str(cell.runs),
                str(cell.rolled_back),
                "" if cell.caught_after is None else when(cell.caught_after),
                number(cell.bad) if i else "",
                str(cell.promoted),
                "" if cell.promoted_after is None else when(cell.promoted_after),
            )
        )
    html = "<table>\n"
    for i, row in enumerate(rows):
        tag = "td" if i else "th"
        html += f"<tr>{''.join(f'<{tag}>{escape(c)}</{tag}>' for c in row)}</tr>\n"
    return html + "</table>\n"


def _panel(report: Report, cell: Cell, course: Course) -> str:
    mark = -math.log(1 - effective(report.plan.spec).confidence)
    end = course.moments[-1].t if course.moments else report.horizon
    name = "a healthy version" if cell is report.healthy else cell.kind.name
    said = f"{course.ending} after {when(course.ended)}" if course.ended else course.ending
    if course.ending == "rolled back":
        said += f", {course.bad[cell.signal]:,} bad requests: {course.message}"
    drawing = "".join(_drawing(course, end=max(end, 60.0), mark=mark))
    return (
        f"<section><h2>{escape(name)}</h2><p>{escape(said)}</p>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">'
        f"{drawing}</svg></section>"
    )


def _drawing(course: Course, *, end: float, mark: float) -> Iterator[str]:
    top = max(2 * mark, 1.0)
    low = -mark

    def x(t: float) -> float:
        return LEFT + (WIDTH - 2 * LEFT) * t / end

    def y(share: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(1.0, max(0.0, share)))

    def nats(value: float) -> float:
        return y((value - low) / (top - low))

    for percent in (0, 25, 50, 75, 100):
        at = y(percent / 100)
        yield f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - LEFT}"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{percent}%</text>'
    for t in _ticks(end):
        yield f'<text x="{x(t):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{when(t)}</text>'
    for value in (low, 0.0, mark, top):
        yield f'<text x="{WIDTH - LEFT + 6}" y="{nats(value) + 4:.1f}">{value:.1f}</text>'
    yield f'<path class="mark" d="M{LEFT} {nats(mark):.1f}H{WIDTH - LEFT}"/>'
    points = " ".join(f"{x(m.t):.1f},{nats(m.evidence):.1f}" for m in course.moments)
    yield f'<polyline class="line evidence" points="{points}"/>'
    weight, path = min(course.reached, default=0), ""
    path = f"M{x(0):.1f} {y(weight / 100):.1f}"
    for moment in course.moments:
        path += f"H{x(moment.t):.1f}"
        if moment.weight != weight:
            weight = moment.weight
            path += f"V{y(weight / 100):.1f}"
    yield f'<path class="line weight" d="{path}"/>'


def _ticks(end: float) -> list[float]:
    """About five round instants."""
    for step in (15, 30, 60, 120, 300, 600, 900, 1800, 3600):
        if end / step <= 6:
            return [i * float(step) for i in range(int(end // step) + 1)]
    return [0.0, end]
