"""Which measurements of an object a decision needs, read from the newest polls.

Here is decided what is asked for, and since when. Not here: queries (`prometheus` sends them at its
own pace and keeps the answers) and verdicts (`policy`).
"""

from __future__ import annotations

import time
from dataclasses import replace

from merit.api.evidence_state import AnalysisState, WatchState
from merit.api.monitoring import Drift
from merit.api.spec import Spec
from merit.config import Config
from merit.kube.cache import Key
from merit.policy.signals.baselines import declared_drifts
from merit.policy.signals.thresholds import queries
from merit.policy.state.counted_signals import counted_signals
from merit.policy.state.measurements import Distribution, Figure, Pair, Readings
from merit.policy.state.observed import Accepted, Observed
from merit.policy.state.times import seconds
from merit.prometheus.distributions import DistributionMetric, Distributions
from merit.prometheus.fleet import Fleet
from merit.prometheus.sampling import SampleRequest
from merit.prometheus.sources import Sources
from merit.stats.counts import NoSample, Sample

NO_SERVERS = NoSample("NoSource", "the metrics source reads no series of the servers")
CLOSED = NoSample("QueriesClosed", "the metrics source takes no queries from this namespace")
NO_SOURCE = NoSample("NoSource", "the operator's configuration has no metrics source for it")


class MeasurementReader:
    """Reads what is needed for one object at a time."""

    def __init__(self, metrics: Sources, config: Config) -> None:
        self._metrics, self._config = metrics, config

    def of(self, key: Key, seen: Observed) -> Observed:
        """The view with everything that was measured."""
        dispersion = self._dispersion(key, seen)
        return replace(
            seen,
            measurements=replace(
                seen.measurements,
                sample=self._rollout(key, seen),
                live=self._live(key, seen),
                comparison=self._comparison(key, seen),
                figures=self._figures(key, seen),
                dispersion=dispersion or {},
                dispersion_pending=dispersion is None,
                warnings=self._warnings(seen),
                readings=self._readings(key, seen),
                distributions=self._distributions(key, seen),
                pairs=self._pairs(key, seen),
            ),
        )

    def idle(self, key: Key, seen: Observed) -> dict[str, bool]:
        """By revision that leaves: whether requests have ceased to end at it."""
        ports = {a.identity.short: a.spec.serving.port for a in seen.recorded.accepted.values()}
        leaving = [each.short for each in seen.status.leaving if each.short in ports]
        fleet = self._fleet(seen) if leaving else None
        return {
            short: fleet is not None and fleet.idle(*key, short, ports[short]) for short in leaving
        }

    def _fleet(self, seen: Observed) -> Fleet | None:
        """Where the requests of this object are counted; None without a metrics source."""
        view = self._metrics.view(seen.tuning.view)
        return view.fleet if view is not None else None

    def _rollout(self, key: Key, seen: Observed) -> Sample | NoSample | None:
        """Candidate and stable; since the last sample only while the candidate has traffic."""
        candidate, stable = seen.status.candidate, seen.status.stable
        accepted, serving = seen.record(candidate), seen.record(stable)
        if candidate is None or stable is None or accepted is None or candidate.at_gate:
            return None
        fleet = self._fleet(seen)
        if fleet is None:
            return NO_SOURCE
        since = _consumed(seen.status.analysis) if candidate.weight else None
        request = _request(key, accepted, candidate.short, stable.short, since, beside=serving)
        started_at = seconds(candidate.rollout_since) or None
        return fleet.sample(replace(request, candidate_started_at=started_at))

    def _live(self, key: Key, seen: Observed) -> Sample | NoSample | None:
        """The stable revision alone, since the last sample that its live monitor used."""
        stable, serving = seen.status.stable, seen.record(seen.status.stable)
        if stable is None or serving is None or (fleet := self._fleet(seen)) is None:
            return None
        watch = seen.status.watch
        ours = watch is not None and watch.of == serving.identity.key
        since = _consumed(watch) if ours else None
        return fleet.sample(_request(key, serving, None, stable.short, since))

    def _comparison(self, key: Key, seen: Observed) -> Sample | NoSample | None:
        """The stable revision as the candidate, beside its predecessor that serves again."""
        stable, comparison = seen.status.stable, seen.status.comparison
        serving, predecessor = seen.record(stable), seen.record(comparison)
        if stable is None or serving is None or comparison is None:
            return None
        if comparison.stage != "Comparing" or (fleet := self._fleet(seen)) is None:
            return None
        since, beside = _consumed(comparison.analysis), predecessor
        return fleet.sample(
            _request(key, serving, stable.short, comparison.short, since, beside=beside)
        )

    def _figures(self, key: Key, seen: Observed) -> dict[str, Figure]:
        stable, serving = seen.status.stable, seen.record(seen.status.stable)
        if stable is None or serving is None or (fleet := self._fleet(seen)) is None:
            return {}
        port = serving.spec.serving.port
        return fleet.display(*key, stable.short, port, _bounds(serving.spec))

    def _dispersion(self, key: Key, seen: Observed) -> dict[str, float] | None:
        """Of the stable revision's pods, until evidence begins; None while it is being read."""
        stable, accepted = seen.status.stable, _judged_next(seen)
        if not seen.tuning.per_pod or accepted is None or stable is None:
            return {}
        view = self._metrics.view(seen.tuning.view)
        if view is None or view.pods is None:
            return {}
        bounds = _bounds(accepted.spec)
        return view.pods.dispersion(*key, stable.short, bounds, time.monotonic())

    def _warnings(self, seen: Observed) -> tuple[tuple[str, str], ...]:
        spec = seen.declared.spec
        if not isinstance(spec, Spec) or (fleet := self._fleet(seen)) is None:
            return ()
        return fleet.warnings(_bounds(spec))

    def _readings(self, key: Key, seen: Observed) -> dict[str, Readings]:
        """Users' queries of a candidate that has traffic, else of what serves."""
        accepted = _exposed(seen) or seen.record(seen.status.stable)
        if accepted is None:
            return {}
        source, view = self._config.metrics.sources.get(seen.tuning.source), None
        if source is not None and source.takes_queries_from(key.namespace):
            view = self._metrics.view(seen.tuning.source)
        asked = view.queries if view is not None else None
        return {
            name: asked.readings(it.query, key.namespace, time.monotonic()) if asked else CLOSED
            for name, it in queries(accepted.spec)
        }

    def _distributions(self, key: Key, seen: Observed) -> dict[str, Distribution | NoSample]:
        stable, serving = seen.status.stable, seen.record(seen.status.stable)
        if stable is None or serving is None:
            return {}
        servers, now = self._servers(seen), time.monotonic()
        return {
            drift.name: servers.windows(*key, stable.short, _metric(drift), now)
            if servers is not None
            else NO_SERVERS
            for drift in declared_drifts(serving.spec)
        }

    def _pairs(self, key: Key, seen: Observed) -> dict[str, Pair | NoSample]:
        candidate, stable, accepted = seen.status.candidate, seen.status.stable, _exposed(seen)
        if candidate is None or stable is None or accepted is None:
            return {}
        servers, now = self._servers(seen), time.monotonic()
        return {
            drift.name: servers.pair(*key, candidate.short, stable.short, _metric(drift), now)
            if servers is not None
            else NO_SERVERS
            for drift in declared_drifts(accepted.spec)
            if drift.of == "Predictions"
        }

    def _servers(self, seen: Observed) -> Distributions | None:
        view = self._metrics.view(seen.tuning.source)
        return view.distributions if view is not None else None


def unmeasured(seen: Observed) -> Observed:
    """Nothing could be read, by a defect of ours: that is missing data like any other."""
    nothing = NoSample("InternalError", f"its measurements cannot be read ({seen.failed})")
    lost = replace(seen.measurements, sample=nothing, live=nothing, comparison=nothing)
    return replace(seen, measurements=lost)


def _request(
    key: Key,
    accepted: Accepted,
    candidate: str | None,
    stable: str,
    since: float | None,
    *,
    beside: Accepted | None = None,
) -> SampleRequest:
    """By the bars of `accepted`. `beside`: the other revision, which may have a port of its own."""
    spec, other = accepted.spec, beside.spec.serving.port if beside is not None else None
    port, edges = spec.serving.port, _bounds(spec)
    return SampleRequest(*key, candidate, stable, port, since, edges, stable_port=other)


def _bounds(spec: Spec) -> dict[str, float | None]:
    return {signal.name: signal.bound for signal in counted_signals(spec)}


def _consumed(state: AnalysisState | WatchState | None) -> float | None:
    """Until when counts have become evidence, in Unix seconds of Prometheus; None at first."""
    return seconds(state.consumed_until or "") or None if state is not None else None


def _exposed(seen: Observed) -> Accepted | None:
    """The candidate's accepted spec, while it has traffic."""
    candidate = seen.status.candidate
    return seen.record(candidate) if candidate is not None and candidate.weight > 0 else None


def _judged_next(seen: Observed) -> Accepted | None:
    """Whose evidence begins next: a comparison's, or a candidate's before its first request."""
    candidate, comparison = seen.status.candidate, seen.status.comparison
    if comparison is not None and comparison.analysis is None:
        return seen.record(seen.status.stable) if seen.tuning.view else None
    if candidate is None or candidate.stage != "Rollout" or seen.status.analysis:
        return None
    return seen.record(candidate)


def _metric(drift: Drift) -> DistributionMetric:
    if drift.classes is not None:
        return DistributionMetric(drift.classes.counter, drift.classes.label)
    return DistributionMetric(drift.histogram or "")
