"""What each metrics source says that model servers count their requests by."""

from __future__ import annotations

from collections.abc import Mapping

from merit.config import Metrics
from merit.evidence.load_order import Counter
from merit.metrics.preset import Preset, find_preset


def counters_of(metrics: Metrics) -> Mapping[str, tuple[Counter, ...]]:
    """By the source's name; none for a source that reads a gateway alone."""
    found = {}
    for name, source in metrics.sources.items():
        preset = find_preset(source.server or source.preset, metrics.presets)
        if preset.per_pod:
            found[name] = _counters(preset)
    return found


def _counters(preset: Preset) -> tuple[Counter, ...]:
    return tuple(
        Counter(
            series=(each.series, each.failed) if each.failed else (each.series,),
            where=each.where,
            never=each.except_,
        )
        for each in preset.requests
    )
