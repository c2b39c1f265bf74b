"""The self-check: which of a preset's series this Prometheus has, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from merit.prometheus.answer import Answer, Source
from merit.prometheus.preset import ArmName, Latency, PodLabels, Preset, Requests, joined, quoted
from merit.prometheus.window import number_of
from merit.stats.counts import NoSample

CHECK_INTERVAL = 3600.0  # seconds: names of metrics change with versions
RECHECK_INTERVAL = 60.0  # the same while a revision without any series is asked for
_METRIC = "metric"  # the label that names what was counted


@dataclass(frozen=True, slots=True)
class Inspection:
    """The series that were found.

    `requests`, `latency`, `pod`: the variant in use, None if none is there. `edges`: the
    histogram's, with their spelling. `series`: how many there are, by metric. `problem`: why
    nothing can be read.
    """

    requests: Requests | None = None
    latency: Latency | None = None
    pod: PodLabels | None = None
    edges: Mapping[float, str] = field(default_factory=dict)
    series: Mapping[str, int] = field(default_factory=dict)
    problem: NoSample | None = None


async def inspect(
    source: Source, preset: Preset, selector: str, at: float | None = None
) -> Inspection:
    """Find which variants there are among the targets of `selector` (matchers). Never raises."""
    pod: PodLabels | None = None
    counted: Mapping[str, int] = {}
    for pod in preset.pod or (None,):
        revisions = joined((selector, arm_selector(preset, pod)))
        answer = await source.instant(_count_each(preset, revisions), at)
        if answer.reason:
            return Inspection(problem=_lost(answer))
        counted = _counted(answer)
        if counted:
            break
    if not counted:
        return Inspection(problem=await _why_nothing(source, preset, selector, at))
    requests = next((v for v in preset.requests if v.series in counted), None)
    latency = next((v for v in preset.latency if v.series in counted), None)
    found = Inspection(requests, latency, pod, series=counted)
    if requests is None:
        there = f"there are {', '.join(counted)}, and no {preset.requests[0].series}"
        return Inspection(series=counted, problem=NoSample("NoSeries", there))
    if latency is None or latency.bucket is None:
        return found
    where = joined((selector, arm_selector(preset, pod), *latency.matchers()))
    answer = await source.instant(f"count by (le) ({latency.bucket}{{{where}}})", at)
    if answer.reason:
        return Inspection(problem=_lost(answer))
    spelled = {number_of(s.labels["le"]): s.labels["le"] for s in answer.series if "le" in s.labels}
    return Inspection(requests, latency, pod, edges=spelled, series=counted)


def arm_selector(
    preset: Preset, pod: PodLabels | None, pattern: str = "", *, but: bool = False
) -> str:
    """The matcher that selects revisions: all of them, those of `pattern`, or all but those."""
    by = preset.arm or pod or preset.pod[0]
    label = by.label if isinstance(by, ArmName) else by.pod
    return f'{label}{"!~" if but else "=~"}"{quoted(pattern or by.pattern(None))}"'


async def _why_nothing(source: Source, preset: Preset, selector: str, at: float | None) -> NoSample:
    answer = await source.instant(_count_each(preset, selector), at)
    if answer.reason:
        return _lost(answer)
    there = _counted(answer)
    if not there:
        tried = ", ".join(sorted({v.series for v in preset.requests}))
        return NoSample("NoSeries", f"no series of {preset.name} ({tried}) on the chosen targets")
    label = preset.arm.label if preset.arm else preset.pod[0].pod
    example = f"label {label} names no revision"
    return NoSample("LabelsHidden", f"there are series of {', '.join(there)}, but {example}")


def _metrics(preset: Preset) -> set[str]:
    names = {v.series for v in preset.requests} | {v.series for v in preset.latency}
    return names | {v.failed for v in preset.requests if v.failed}


def _count_each(preset: Preset, where: str) -> str:
    """One query: how many series each metric has. Not every backend takes patterns of names."""
    return " or ".join(
        f'label_replace(count({name}{{{where}}}), "{_METRIC}", "{name}", "", "")'
        for name in sorted(_metrics(preset))
    )


def _counted(answer: Answer) -> dict[str, int]:
    found = {s.labels.get(_METRIC, ""): int(s.samples[-1][1]) for s in answer.series if s.samples}
    return {name: found[name] for name in sorted(found)}


def _lost(answer: Answer) -> NoSample:
    return NoSample(answer.reason, answer.message)


def missing(preset: Preset, found: Inspection, wanted: Sequence[str]) -> dict[str, NoSample]:
    """Which of these signals (`errors`, `latency/p99`) cannot be measured, and why."""
    lost: dict[str, NoSample] = {}
    if found.requests is not None and not found.requests.counts_errors:
        message = f"{preset.name} counts no errors: read them at a gateway"
        lost["errors"] = NoSample("NoSeries", message)
    slow = _why_no_latency(preset, found)
    if slow is not None:
        lost |= {name: slow for name in wanted if name.startswith("latency")}
    return {name: lost[name] for name in wanted if name in lost}


def _why_no_latency(preset: Preset, found: Inspection) -> NoSample | None:
    latency = found.latency
    if not preset.latency:
        return NoSample("NoSeries", f"{preset.name} has no latency: read it at a gateway")
    if latency is None and found.requests is not None:
        tried = ", ".join(each.series for each in preset.latency)
        why = "native histograms need always_scrape_classic_histograms beside them"
        return NoSample("NoSeries", f"there are requests and no {tried}; {why}")
    if latency is not None and latency.bucket is None:
        message = f"{latency.mean} is only a mean, and a mean says nothing of percentiles"
        return NoSample("MeanOnly", message)
    return None
