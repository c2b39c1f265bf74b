"""The check of a metrics source: does this Prometheus have what a preset needs?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from merit.api.reasons import REASONS
from merit.prometheus.answer import Source
from merit.prometheus.edges import Edges
from merit.prometheus.inspection import Inspection, arm_selector, inspect
from merit.prometheus.preset import Latency, Preset, joined, matcher, service_of
from merit.stats.histogram import format_seconds

SHOWN = 5  # revisions that are named


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `ok`: None for a warning. `remedy`: what to do where it is not ok."""

    ok: bool | None
    subject: str
    message: str
    remedy: str = ""


async def self_check(
    source: Source,
    preset: Preset,
    *,
    matchers: Mapping[str, str],
    limits: Sequence[float] = (),
) -> tuple[Finding, ...]:
    """The findings, in order. `limits`: bounds on latency in seconds. Never raises."""
    selector = matcher(matchers)
    found = await inspect(source, preset, selector)
    if found.problem is not None:
        why = found.problem
        return (Finding(False, "series", f"{why.reason}: {why.message}", _remedy(why.reason)),)
    return (
        *_requests(found),
        *_latency(found, limits),
        await _revisions(source, preset, found, selector),
        *await _targets(source, selector),
    )


def _requests(found: Inspection) -> list[Finding]:
    requests = found.requests
    assert requests is not None
    lines = [
        Finding(True, "requests", f"{requests.series}: {found.series[requests.series]} series")
    ]
    if requests.class_:
        lines.append(Finding(True, "errors", f"{requests.class_} = {', '.join(requests.errors)}"))
    elif requests.failed:
        there = found.series.get(requests.failed, 0)
        found_series = f"{there} series" if there else "none yet"
        message = f"{requests.failed}: {found_series}"
        lines.append(Finding(True if there else None, "errors", message))
    else:
        remedy = "read errors at a gateway; this preset serves dispersion, drift and latency"
        lines.append(Finding(None, "errors", "it counts no errors", remedy))
    return lines


def _latency(found: Inspection, limits: Sequence[float]) -> list[Finding]:
    latency = found.latency
    if latency is None:
        remedy = "send a request, or read latency at a gateway"
        return [Finding(None, "latency", "no histogram is there", remedy)]
    if latency.bucket is None:
        message = f"{latency.mean} is only a mean, which says nothing of percentiles"
        return [Finding(None, "latency", message, _remedy("MeanOnly"))]
    edges = ", ".join(format_seconds(latency.seconds(e)) for e in sorted(found.edges) if e < 1e300)
    lines = [Finding(True, "latency", f"{latency.bucket} in {latency.unit}: edges at {edges}")]
    if latency.also_slow:
        there = found.series.get(latency.also_slow)
        series = "" if there is None else f", {there} series"
        message = f"requests that time out: {latency.also_slow}{series}"
        lines.append(Finding(True, "latency", message))
    return lines + [_limit(latency, found, limit) for limit in limits]


def _limit(latency: Latency, found: Inspection, limit: float) -> Finding:
    edges = Edges()
    edges.learn(latency, found.edges)
    for reason, message in edges.warnings({"bound": latency.edge(limit)}):
        return Finding(
            None, "bound", f"{reason}: {message.removeprefix('bound: ')}", _remedy(reason)
        )
    return Finding(True, "bound", f"{format_seconds(limit)} is an edge of the histogram")


async def _revisions(source: Source, preset: Preset, found: Inspection, selector: str) -> Finding:
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
        return Finding(False, "revisions", answer.message)
    named = sorted({"/".join(_named(s.labels, labels, preset)) for s in answer.series})
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return Finding(bool(named), "revisions", f"{', '.join(named[:SHOWN])}{more}")


def _named(labels: Mapping[str, str], wanted: tuple[str, ...], preset: Preset) -> list[str]:
    values = [labels.get(label, "") for label in wanted]
    if preset.per_pod:
        values[-1] = service_of(values[-1]) or values[-1]
    return values


async def _targets(source: Source, selector: str) -> list[Finding]:
    if not selector:
        remedy = "name the scrape targets to read, as matchers: {job: envoy}"
        return [Finding(None, "targets", "no matchers: every target is read", remedy)]
    answer = await source.instant(f"up{{{selector}}}")
    up = [bool(s.samples) and s.samples[-1][1] >= 1 for s in answer.series]
    if not up:
        return [Finding(None, "targets", "no scrape target has these labels itself")]
    if all(up):
        return [Finding(True, "targets", f"{len(up)} of {len(up)} answer")]
    # Only gateways and pods of revisions count, and which of them are down nobody can tell here.
    return [Finding(None, "targets", f"{sum(up)} of {len(up)} answer", _remedy("Partial"))]


def _remedy(reason: str) -> str:
    return REASONS[reason].remedy if reason in REASONS else ""
