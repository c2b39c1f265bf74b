"""What the metrics source says about one object, from the newest poll."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from merit.stats.counts import NoSample, Sample
from merit.stats.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Figure:
    """A live signal over the last minute: `share` of bad requests among `n`, `value` for people."""

    share: float
    n: int
    value: str


Readings = tuple[tuple[float, float], ...] | NoSample
"""A query's newest values, oldest first: (Unix seconds of Prometheus, value)."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """What one revision's servers counted: `windows` maps seconds before `at` to a histogram."""

    at: float
    windows: Mapping[float, Histogram]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both revisions in the same minutes, and the log e-value that they differ."""

    candidate: Histogram
    stable: Histogram
    log_e: float


@dataclass(frozen=True, slots=True)
class Measurements:
    """All of one poll.

    `sample`: candidate and stable, None when nothing needs one; `live`: the stable revision alone;
    `comparison`: the stable revision (as candidate) and its predecessor. `dispersion`: phi per
    signal, as measured on stable's pods; `dispersion_pending` while that is being measured.
    `figures`: of the live signals. `readings`: of users' queries, by signal. `distributions`: of
    what serves, `pairs`: of both revisions, by name of the drift. `replicas`: mean number of pods
    over half an hour, by revision. `warnings`: a reason and a sentence for each bound that is no
    bucket edge.
    """

    sample: Sample | NoSample | None = None
    live: Sample | NoSample | None = None
    comparison: Sample | NoSample | None = None
    dispersion: Mapping[str, float] = field(default_factory=dict)
    dispersion_pending: bool = False
    figures: Mapping[str, Figure] = field(default_factory=dict)
    readings: Mapping[str, Readings] = field(default_factory=dict)
    distributions: Mapping[str, Distribution | NoSample] = field(default_factory=dict)
    pairs: Mapping[str, Pair | NoSample] = field(default_factory=dict)
    replicas: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
