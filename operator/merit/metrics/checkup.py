"""What a platform team wants to know: does this Prometheus have what a preset needs?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from merit.api.reasons import REASONS
from merit.evidence.quantile import seconds_text
from merit.metrics.answer import Source
from merit.metrics.edges import Edges
from merit.metrics.inspection import Inspection, arm_selector, inspect
from merit.metrics.preset import Latency, Preset, service_of
from merit.metrics.promql import joined, matcher

SHOWN = 5  # revisions that are named


@dataclass(frozen=True, slots=True)
class Line:
    """One finding. `well`: None is worth a look, and no hindrance. `remedy`: where it is not."""

    well: bool | None
    what: str
    said: str
    remedy: str = ""


async def check_up(
    source: Source,
    preset: Preset,
    *,
    matchers: Mapping[str, str],
    limits: Sequence[float] = (),
) -> tuple[Line, ...]:
    """The findings, in order. `limits`: bounds on latency in seconds. Never raises."""
    selector = matcher(matchers)
    found = await inspect(source, preset, selector)
    if found.problem is not None:
        why = found.problem
        return (Line(False, "series", f"{why.reason}: {why.message}", _remedy(why.reason)),)
    return (
        *_requests(found),
        *_latency(found, limits),
        await _revisions(source, preset, found, selector),
        *await _targets(source, selector),
    )


def _requests(found: Inspection) -> list[Line]:
    requests = found.requests
    assert requests is not None
    lines = [Line(True, "requests", f"{requests.series}: {found.series[requests.series]} series")]
    if requests.class_:
        lines.append(Line(True, "errors", f"{requests.class_} = {', '.join(requests.errors)}"))
    elif requests.failed:
        there = found.series.get(requests.failed, 0)
        said = f"{requests.failed}: {there} series" if there else f"{requests.failed}: none yet"
        lines.append(Line(True if there else None, "errors", said))
    else:
        remedy = "read errors at a gateway; this preset serves dispersion, drift and latency"
        lines.append(Line(None, "errors", "it counts no errors", remedy))
    return lines


def _latency(found: Inspection, limits: Sequence[float]) -> list[Line]:
    latency = found.latency
    if latency is None:
        remedy = "send a request, or read latency at a gateway"
        return [Line(None, "latency", "no histogram is there", remedy)]
    if latency.bucket is None:
        said = f"{latency.mean} is only a mean, which says nothing of percentiles"
        return [Line(None, "latency", said, _remedy("MeanOnly"))]
    edges = ", ".join(seconds_text(latency.seconds(e)) for e in sorted(found.edges) if e < 1e300)
    lines = [Line(True, "latency", f"{latency.bucket} in {latency.unit}: edges at {edges}")]
    if latency.also_slow:
        there = found.series.get(latency.also_slow)
        said = f"requests that time out: {latency.also_slow}"
        lines.append(Line(True, "latency", said if there is None else f"{said}, {there} series"))
    return lines + [_limit(latency, found, limit) for limit in limits]


def _limit(latency: Latency, found: Inspection, limit: float) -> Line:
    edges = Edges()
    edges.learn(latency, found.edges)
    for reason, said in edges.warnings({"bound": latency.edge(limit)}):
        return Line(None, "bound", f"{reason}: {said.removeprefix('bound: ')}", _remedy(reason))
    return Line(True, "bound", f"{seconds_text(limit)} is an edge of the histogram")


async def _revisions(source: Source, preset: Preset, found: Inspection, selector: str) -> Line:
    requests = found.requests
    assert requests is not None
    where = joined((selector, arm_selector(preset, found.pod), *requests.matchers()))
    if preset.arm is not None:
        labels: tuple[str, ...] = (preset.arm.label,)
    else:
        pod = found.pod or preset.pod[0]
        labels = (pod.namespace, pod.pod)
    query = f"count by ({', '.join(labels)}) ({requests.series}{{{where}}})"
    answer = await source.instant(query)
    if answer.reason:
        return Line(False, "revisions", answer.message)
    named = sorted({"/".join(_named(s.labels, labels, preset)) for s in answer.series})
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return Line(bool(named), "revisions", f"{', '.join(named[:SHOWN])}{more}")


def _named(labels: Mapping[str, str], wanted: tuple[str, ...], preset: Preset) -> list[str]:
    values = [labels.get(label, "") for label in wanted]
    if preset.per_pod:
        values[-1] = service_of(values[-1]) or values[-1]
    return values


async def _targets(source: Source, selector: str) -> list[Line]:
    if not selector:
        remedy = "name the scrape targets that may speak, as matchers: {job: envoy}"
        return [Line(None, "targets", "no matchers: every target may speak", remedy)]
    answer = await source.instant(f"up{{{selector}}}")
    up = [bool(s.samples) and s.samples[-1][1] >= 1 for s in answer.series]
    if not up:
        return [Line(None, "targets", "no scrape target has these labels itself")]
    return [Line(all(up), "targets", f"{sum(up)} of {len(up)} answer", "" if all(up) else
                 _remedy("Partial"))]  # fmt: skip


def _remedy(reason: str) -> str:
    return REASONS[reason].remedy if reason in REASONS else ""
