"""What the metrics sources know of one object, put into its view: no query is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from merit.api.monitoring import Drift
from merit.api.spec import Spec
from merit.cluster.cache import Key
from merit.config import Config
from merit.evidence.counts import NoSample, Sample
from merit.metrics.distributions import Wanted
from merit.metrics.fleet import FleetArms
from merit.metrics.pods import Dispersion
from merit.policy.observed import Accepted, Distribution, Figure, Observed, Pair, Readings
from merit.policy.signals import declared
from merit.policy.times import seconds
from merit.policy.watch.baselines import drifts
from merit.policy.watch.thresholds import asked
from merit.reconciler.render import fleet_arms
from merit.reconciler.watching import consumed, live_arms, probe_arms, soon_judged

CLOSED = NoSample("QueriesClosed", "the metrics source takes no queries from this namespace")


class Looks(Protocol):
    """What of the metrics sources the loop reads: memory only."""

    def sample(self, arms: FleetArms) -> Sample | NoSample: ...

    def view_of(self, source: str, *, by_pods: bool) -> str: ...

    def per_pod(self, source: str) -> bool: ...

    def idle(
        self, namespace: str, name: str, short: str, port: int, *, source: str = ""
    ) -> bool: ...

    def display(
        self,
        namespace: str,
        name: str,
        short: str,
        port: int,
        edges: Mapping[str, float | None],
        *,
        source: str = "",
    ) -> dict[str, Figure]: ...

    def warnings(
        self, edges: Mapping[str, float | None], *, source: str = ""
    ) -> tuple[tuple[str, str], ...]: ...

    def dispersion(
        self,
        namespace: str,
        name: str,
        short: str,
        edges: Mapping[str, float | None],
        *,
        source: str = "",
    ) -> Dispersion | None: ...

    def windows(
        self, namespace: str, name: str, short: str, wanted: Wanted, *, source: str = ""
    ) -> Distribution | NoSample: ...

    def pair(
        self,
        namespace: str,
        name: str,
        *,
        candidate: str,
        stable: str,
        wanted: Wanted,
        source: str = "",
    ) -> Pair | NoSample: ...

    def readings(self, query: str, *, source: str = "") -> Readings: ...


class Measurements:
    """Reads what is needed for one object at a time."""

    def __init__(self, fleet: Looks, config: Config) -> None:
        self._fleet, self._config = fleet, config

    def of(self, key: Key, seen: Observed) -> Observed:
        """The view with everything that was measured."""
        phi = self._dispersion(key, seen)
        return replace(
            seen,
            sample=self._sample(key, seen),
            live=self._look(live_arms(key, seen)),
            probe=self._look(probe_arms(key, seen)),
            figures=self._figures(key, seen),
            dispersion=phi or {},
            measuring=phi is None,
            warnings=self._warnings(seen),
            readings=self._readings(key, seen),
            distributions=self._distributions(key, seen),
            pairs=self._pairs(key, seen),
        )

    def _sample(self, key: Key, seen: Observed) -> Sample | NoSample | None:
        candidate, stable, accepted = seen.status.candidate, seen.status.stable, _candidate(seen)
        if candidate is None or stable is None or accepted is None:
            return None
        if candidate.stage in ("Evaluation", "Feasibility"):
            return None
        if not seen.tuning.view:
            return NoSample("NoSource", "the operator's configuration has no metrics source for it")
        since = consumed(seen.status.analysis) if candidate.weight else None
        began = seconds(candidate.rollout_since) or None
        serving = _serving(seen)
        arms = fleet_arms(key, accepted.spec, candidate.short, stable.short, since, began)
        if serving is not None:
            arms = replace(arms, stable_port=serving.spec.serving.port)
        return self._fleet.sample(replace(arms, source=seen.tuning.view))

    def _look(self, arms: FleetArms | None) -> Sample | NoSample | None:
        return self._fleet.sample(arms) if arms is not None else None

    def _figures(self, key: Key, seen: Observed) -> dict[str, Figure]:
        stable, accepted = seen.status.stable, _serving(seen)
        if stable is None or accepted is None or not seen.tuning.view:
            return {}
        edges = {signal.name: signal.bound for signal in declared(accepted.spec)}
        port, source = accepted.spec.serving.port, seen.tuning.view
        return self._fleet.display(
            key.namespace, key.name, stable.short, port, edges, source=source
        )

    def _dispersion(self, key: Key, seen: Observed) -> Mapping[str, float] | None:
        """Of the stable revision's pods, until evidence begins; None: being read."""
        accepted, stable = soon_judged(seen), seen.status.stable
        if not seen.tuning.per_pod or accepted is None or stable is None:
            return {}
        edges = {s.name: s.bound for s in declared(accepted.spec)}
        found = self._fleet.dispersion(
            key.namespace, key.name, stable.short, edges, source=seen.tuning.view
        )
        return None if found is None else found.phi

    def _warnings(self, seen: Observed) -> tuple[tuple[str, str], ...]:
        if not isinstance(seen.spec, Spec) or not seen.tuning.view:
            return ()
        edges = {s.name: s.bound for s in declared(seen.spec)}
        return self._fleet.warnings(edges, source=seen.tuning.view)

    def _readings(self, key: Key, seen: Observed) -> dict[str, Readings]:
        """Of the queries of what serves, and of a candidate that has traffic."""
        accepted = _exposed(seen) or _serving(seen)
        if accepted is None:
            return {}
        source = self._config.metrics.sources.get(seen.tuning.source)
        opened = source is not None and source.takes_queries_from(key.namespace)
        return {
            name: self._fleet.readings(it.query, source=seen.tuning.source) if opened else CLOSED
            for name, it in asked(accepted.spec)
        }

    def _distributions(self, key: Key, seen: Observed) -> dict[str, Distribution | NoSample]:
        stable, accepted = seen.status.stable, _serving(seen)
        if stable is None or accepted is None:
            return {}
        return {
            drift.name: self._fleet.windows(
                key.namespace, key.name, stable.short, _wanted(drift), source=seen.tuning.source
            )
            for drift in drifts(accepted.spec)
        }

    def _pairs(self, key: Key, seen: Observed) -> dict[str, Pair | NoSample]:
        candidate, stable, accepted = seen.status.candidate, seen.status.stable, _exposed(seen)
        if candidate is None or stable is None or accepted is None:
            return {}
        return {
            drift.name: self._fleet.pair(
                key.namespace,
                key.name,
                candidate=candidate.short,
                stable=stable.short,
                wanted=_wanted(drift),
                source=seen.tuning.source,
            )
            for drift in drifts(accepted.spec)
            if drift.of == "Predictions"
        }


def _candidate(seen: Observed) -> Accepted | None:
    candidate = seen.status.candidate
    return seen.accepted.get(f"{candidate.short}-{candidate.policy}") if candidate else None


def _exposed(seen: Observed) -> Accepted | None:
    """The candidate's spec, while it has traffic."""
    candidate = seen.status.candidate
    return _candidate(seen) if candidate is not None and candidate.weight > 0 else None


def _serving(seen: Observed) -> Accepted | None:
    stable = seen.status.stable
    return seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None


def _wanted(drift: Drift) -> Wanted:
    if drift.classes is not None:
        return Wanted(drift.classes.counter, drift.classes.label)
    return Wanted(drift.histogram or "")
