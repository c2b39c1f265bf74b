"""One view of everything that a decision about one object may look at.

From the cache, without a call to the API, save for what is read once: the accepted specs and the
ledger of an object that this process sees for the first time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from merit.api.hashing import content_hash, identify
from merit.api.host_access import host_access
from merit.api.names import LABEL_CANDIDATE, LABEL_NAME, LABEL_STAGE
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid, parse_spec
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.config import Config
from merit.evidence.counts import NoSample, Sample
from merit.metrics.fleet import FleetArms
from merit.metrics.pods import Dispersion
from merit.policy.converge import ledger_content, worth_keeping
from merit.policy.evaluation import compares, expected_job, newest_pass, unreadable
from merit.policy.observed import Figure, Observed, Tuning
from merit.policy.routes import kind_in_force, refusal, route_in_force, served
from merit.policy.signals import declared
from merit.policy.times import seconds
from merit.policy.tokens import read_tokens
from merit.reconciler.contest import Contest
from merit.reconciler.facts import owned_by
from merit.reconciler.job_facts import job_facts
from merit.reconciler.memory import Memory, read_status
from merit.reconciler.render import fleet_arms
from merit.reconciler.standing import Children
from merit.reconciler.watching import consumed, live_arms, probe_arms, soon_judged
from merit.traffic import ROUTERS

Object = dict[str, Any]


class Looks(Protocol):
    """What of the metrics fleet the loop reads: memory only."""

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


class Gatherer:
    """Makes the view of one object."""

    def __init__(
        self, cluster: Cluster, cache: Cache, fleet: Looks, config: Config, contest: Contest
    ) -> None:
        self._cluster, self._cache, self._fleet, self._config = cluster, cache, fleet, config
        self._contest = contest

    async def observe(self, key: Key, obj: Object, memory: Memory) -> Observed:
        """Everything that matters about the object now."""
        uid = obj["metadata"]["uid"]
        generation = int(obj["metadata"].get("generation", 0))
        await memory.load(self._cluster, key, uid)
        raw = obj.get("spec") or {}
        spec = parse_spec(raw, name=key.name)
        identity = identify(raw) if isinstance(spec, Spec) else None
        status = memory.listening(read_status(obj.get("status") or {}))
        accepted = memory.accepted(spec, identity, status.route)
        refused = memory.refused[1] if memory.refused and memory.refused[0] == generation else None
        if isinstance(spec, Spec) and not self._config.pods.host_access:
            refused = host_access(spec) or refused
        tuning = self._tuning(key.namespace, spec, status)
        children = Children(self._cache, key, uid, status, memory)
        seen = Observed(
            name=key.name,
            namespace=key.namespace,
            uid=uid,
            generation=generation,
            spec=spec,
            identity=identity,
            status=status,
            seen_before=status.observed_generation >= 0,
            deleting=bool(obj["metadata"].get("deletionTimestamp")),
            accepted=accepted,
            pin=spec.rollback if isinstance(spec, Spec) else None,
            pin_is_ours=bool(obj.get("pinOurs")),
            pin_is_foreign=bool(obj.get("pinForeign")),
            ledger=memory.remembered(),
            ledger_in_sync=content_hash(ledger_content(status)) == memory.ledger_hash
            or (not memory.ledger_hash and not worth_keeping(status)),
            arms=children.arms(accepted),
            refused=refused,
            tokens=read_tokens(obj["metadata"].get("annotations") or {}),
            jobs=tuple(
                j["metadata"]["name"]
                for j in self._cache.children(key.namespace, key.name, "Job")
                if owned_by(j, uid) and not j["metadata"].get("deletionTimestamp")
            ),
            tuning=tuning,
        )
        seen = self._reached(key, obj, seen, children, memory)
        return await self._measured(key, seen)

    def _reached(
        self, key: Key, obj: Object, seen: Observed, children: Children, memory: Memory
    ) -> Observed:
        """The view with its traffic: the route in force, what stands, and whose it is."""
        behind = served(seen)
        refused = (
            seen.refused
            or refusal(seen.spec, seen.status, behind, seen.tuning)
            or unreadable(seen.spec, seen.tuning)
        )
        contested = self._contest.declared(obj)
        seen = replace(seen, refused=refused, contested=contested)
        router = ROUTERS[kind_in_force(seen.status, seen.spec, behind)]
        pods = {short: arm.desired for short, arm in seen.arms.items()}
        route = children.route(router, route_in_force(seen), seen.accepted, pods)
        standing = self._cache.get("HTTPRoute", key.namespace, key.name)
        if route.exists and not route.foreign and self._contest.standing(obj, standing):
            route = replace(route, contested=True)
        conflict = memory.conflict
        told = conflict[1] if conflict and conflict[0] == seen.generation else ""
        return replace(
            seen,
            route=route,
            conflict=told or children.conflict(router) or contested,
            idle=self._idle(key, seen),
        )

    def _idle(self, key: Key, seen: Observed) -> dict[str, bool]:
        """For each arm that leaves, whether requests still end at it."""
        ports = {a.identity.short: a.spec.serving.port for a in seen.accepted.values()}
        source = seen.tuning.view
        return {
            arm.short: bool(source)
            and self._fleet.idle(
                key.namespace, key.name, arm.short, ports[arm.short], source=source
            )
            for arm in seen.status.leaving
            if arm.short in ports
        }

    async def _measured(self, key: Key, seen: Observed) -> Observed:
        job = expected_job(seen)
        run = None
        if job is not None:
            pods = self._cache.children(key.namespace, key.name, "Pod")
            run = job_facts(job, self._cache.get("Job", key.namespace, job), pods)
            if run.finished and run.message is None:
                # The Job's end may be seen before its pod's: its words are read afresh.
                fresh = await self._cluster.list(
                    "v1",
                    "Pod",
                    namespace=key.namespace,
                    labels=f"batch.kubernetes.io/job-name={job}",
                )
                run = job_facts(job, self._cache.get("Job", key.namespace, job), fresh)
        phi = self._dispersion(key, seen)
        record = await self._serving_record(key, seen) if run is not None and run.finished else {}
        return replace(
            seen,
            job=run,
            serving_record=record,
            sample=self._sample(key, seen),
            live=self._look(live_arms(key, seen)),
            probe=self._look(probe_arms(key, seen)),
            figures=self._figures(key, seen),
            dispersion=phi or {},
            measuring=phi is None,
            warnings=self._warnings(seen),
        )

    def _look(self, arms: FleetArms | None) -> Sample | NoSample | None:
        return self._fleet.sample(arms) if arms is not None else None

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

    async def _serving_record(self, key: Key, seen: Observed) -> Mapping[str, str]:
        """The stable revision's evaluation on record, if a verdict is due that may need it."""
        stable = seen.status.stable
        if stable is None or not compares(seen):
            return {}
        labels = (
            f"{LABEL_NAME}={key.name},{LABEL_STAGE}=evaluation,{LABEL_CANDIDATE}={stable.short}"
        )
        found = await self._cluster.list("v1", "ConfigMap", namespace=key.namespace, labels=labels)
        return newest_pass([r.get("data") or {} for r in found if owned_by(r, seen.uid)])

    def _sample(self, key: Key, seen: Observed) -> Sample | NoSample | None:
        candidate, stable = seen.status.candidate, seen.status.stable
        if candidate is None or stable is None:
            return None
        if candidate.stage in ("Evaluation", "Feasibility"):
            return None
        accepted = seen.accepted.get(f"{candidate.short}-{candidate.policy}")
        if accepted is None:
            return None
        if not seen.tuning.view:
            return NoSample("NoSource", "the operator's configuration has no metrics source for it")
        since = consumed(seen.status.analysis) if candidate.weight else None
        began = seconds(candidate.rollout_since) or None
        serving = seen.accepted.get(f"{stable.short}-{stable.policy}")
        arms = fleet_arms(key, accepted.spec, candidate.short, stable.short, since, began)
        if serving is not None:
            arms = replace(arms, stable_port=serving.spec.serving.port)
        arms = replace(arms, source=seen.tuning.view)
        return self._fleet.sample(arms)

    def _figures(self, key: Key, seen: Observed) -> dict[str, Figure]:
        stable = seen.status.stable
        if stable is None or not seen.tuning.view:
            return {}
        accepted = seen.accepted.get(f"{stable.short}-{stable.policy}")
        if accepted is None:
            return {}
        edges = {signal.name: signal.bound for signal in declared(accepted.spec)}
        port = accepted.spec.serving.port
        source = seen.tuning.view
        return self._fleet.display(
            key.namespace, key.name, stable.short, port, edges, source=source
        )

    def _tuning(self, namespace: str, spec: Spec | Invalid, status: Status) -> Tuning:
        named = spec.monitoring.source if isinstance(spec, Spec) and spec.monitoring else None
        source = self._config.source(namespace, named)
        name = source[0] if source else ""
        by_pods = kind_in_force(status, spec, None) == "replicas"
        return Tuning(
            source=name,
            view=self._fleet.view_of(name, by_pods=by_pods) if name else "",
            per_pod=bool(name) and self._fleet.per_pod(name),
            tick=self._config.tick.fast,
            live_tick=self._config.tick.live,
            constants=self._config.constants(),
            prices=self._config.price_book(),
            report_image=self._config.images.report,
        )
