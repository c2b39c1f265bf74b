"""The view of one object that a decision is made from.

It is made from the cache and from memory. Calls of the API read what is not in the cache: records,
once per process, and what a finished Job of a gate left, once per verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from merit.api.defaults import PRICES
from merit.api.extensions import extension_refusal
from merit.api.hashing import content_hash, identify
from merit.api.host_access import host_access
from merit.api.names import LABEL_CANDIDATE, LABEL_NAME, LABEL_STAGE
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid, parse_spec
from merit.config import Config, Metrics
from merit.kube.cache import Cache, Key
from merit.kube.client import Cluster
from merit.loadtest.order import Counter
from merit.policy.desired.ledger import ledger_content, worth_keeping
from merit.policy.gates.evaluation.gate import (
    compares_with_stable,
    newest_pass,
    unreadable_report,
)
from merit.policy.gates.job_run import expected_job
from merit.policy.state.observed import (
    Accepted,
    Declared,
    JobRun,
    Jobs,
    Observed,
    ObservedPin,
    Recorded,
    Tuning,
)
from merit.policy.state.route_kind import kind_in_force, route_in_force, route_refusal
from merit.policy.state.tokens import read_tokens
from merit.prometheus.preset import find_preset
from merit.prometheus.sources import Sources
from merit.reconciler.children import Children
from merit.reconciler.job_facts import has_ended, job_facts
from merit.reconciler.measurements import MeasurementReader
from merit.reconciler.memory import Memory, read_status, unread_parts
from merit.reconciler.pod_facts import owned_by
from merit.reconciler.route_claims import RouteClaims
from merit.traffic import ROUTERS

Object = dict[str, Any]


class Gatherer:
    """Makes the view of one object."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        metrics: Sources,
        config: Config,
        route_claims: RouteClaims,
    ) -> None:
        self._cluster, self._cache, self._metrics = cluster, cache, metrics
        self._config, self._route_claims = config, route_claims
        self._measurements = MeasurementReader(metrics, config)
        self._counters = counters_of(config.metrics)

    async def observe(self, key: Key, obj: Object, memory: Memory, now: float) -> Observed:
        """Everything about the object at Unix time `now` but its measurements."""
        metadata = obj["metadata"]
        uid = metadata["uid"]
        await memory.load(self._cluster, key, uid)
        recorded = read_status(obj.get("status") or {})
        status = memory.with_newest_watch(recorded)
        declared = self._declared(key, obj, memory)
        memory.forget_other_pin(declared.identity)
        accepted = memory.accepted(declared.spec, declared.identity, status.route)
        children = Children(self._cache, key, uid, status, memory)
        seen = Observed(
            name=key.name,
            namespace=key.namespace,
            uid=uid,
            generation=_generation(obj),
            status=status,
            unread=unread_parts(obj.get("status") or {}, recorded),
            seen_before=status.observed_generation >= 0,
            deleting=bool(metadata.get("deletionTimestamp")),
            pods=children.pods(accepted, now),
            tuning=self._tuning(key.namespace, _judged(declared.spec, status, accepted), status),
            declared=declared,
            recorded=Recorded(
                accepted=accepted,
                ledger=memory.read_ledger(),
                ledger_in_sync=content_hash(ledger_content(status)) == memory.ledger_hash
                or (not memory.ledger_hash and not worth_keeping(status)),
                entries=memory.record_index.all(),
            ),
            pin=ObservedPin(
                value=declared.spec.rollback if isinstance(declared.spec, Spec) else None,
                is_ours=bool(obj.get("pinOurs")),
                is_foreign=bool(obj.get("pinForeign")),
                losses=tuple(memory.pin_losses),
            ),
            jobs=self._jobs(key, uid, status, memory),
            refused_writes=dict(memory.refused_writes),
        )
        seen = await self._with_gate_job(key, self._with_traffic(key, obj, seen, children, memory))
        memory.replicas.note({s: max(p.desired, p.ready) for s, p in seen.pods.items()}, now)
        replicas = memory.replicas.means(now)
        seen = replace(
            seen,
            measurements=replace(seen.measurements, replicas=replicas),
            traffic=replace(seen.traffic, edited=memory.fought_over(now)),
        )
        return seen

    def with_measurements(self, key: Key, seen: Observed) -> Observed:
        """The same with what the metrics sources say."""
        return self._measurements.of(key, seen)

    def _declared(self, key: Key, obj: Object, memory: Memory) -> Declared:
        raw = obj.get("spec") or {}
        spec = parse_spec(raw, name=key.name)
        refused = None
        if memory.refused and memory.refused[0] == _generation(obj):
            refused = memory.refused[1]
        if isinstance(spec, Spec):
            refused = extension_refusal(spec, self._config.routes.extension_refs) or refused
            if not self._config.pods.host_access:
                refused = host_access(spec) or refused
        return Declared(
            spec=spec,
            identity=identify(raw) if isinstance(spec, Spec) else None,
            refused=refused,
            tokens=read_tokens(obj["metadata"].get("annotations") or {}),
        )

    def _jobs(self, key: Key, uid: str, status: Status, memory: Memory) -> Jobs:
        jobs = [
            job
            for job in self._cache.children(*key, "Job")
            if owned_by(job, uid) and not job["metadata"].get("deletionTimestamp")
        ]
        retrain = status.retrain
        return Jobs(
            names=tuple(job["metadata"]["name"] for job in jobs),
            ended=frozenset(job["metadata"]["name"] for job in jobs if has_ended(job)),
            training=self._job(key, retrain.job) if retrain is not None else None,
            training_problem=memory.training[:2] if memory.training is not None else None,
        )

    def _job(self, key: Key, name: str, pods: list[Object] | None = None) -> JobRun:
        """`pods`: of the Job, if they were read afresh; else those of the cache."""
        if pods is None:
            pods = self._cache.children(*key, "Pod")
        return job_facts(name, self._cache.get("Job", key.namespace, name), pods)

    def _with_traffic(
        self, key: Key, obj: Object, seen: Observed, children: Children, memory: Memory
    ) -> Observed:
        """The view with the route in force, its weights, and who else claims the same."""
        spec, serving = seen.declared.spec, seen.record(seen.status.stable)
        refused = (
            seen.declared.refused or route_refusal(seen) or unreadable_report(spec, seen.tuning)
        )
        contested = self._route_claims.refusal(key, obj)
        seen = replace(
            seen,
            declared=replace(seen.declared, refused=refused),
            traffic=replace(seen.traffic, contested=contested),
        )
        router = ROUTERS[kind_in_force(seen.status, spec, serving)]
        desired = {short: pods.desired for short, pods in seen.pods.items()}
        route = children.route(router, route_in_force(seen), seen.recorded.accepted, desired)
        conflict = ""
        if memory.conflict and memory.conflict[0] == seen.generation:
            conflict = memory.conflict[1]
        conflict = conflict or children.conflict(router) or contested
        traffic = replace(
            seen.traffic,
            route=route,
            conflict=conflict,
            refused=conflict if route.foreign else memory.traffic_refused,
            idle=self._measurements.idle(key, seen),
        )
        return replace(seen, traffic=traffic)

    async def _with_gate_job(self, key: Key, seen: Observed) -> Observed:
        """The view with the Job that a gate waits for, and what its verdict compares it with."""
        name, candidate = expected_job(seen), seen.status.candidate
        if name is None:
            return seen
        job = self._job(key, name)
        record: Mapping[str, str] = {}
        # Once a gate has given up, nothing else that its last run left is judged.
        if job.finished and not (candidate is not None and candidate.held):
            if job.message is None:
                # The Job's end may be seen before its pod's: the pod's message is read afresh.
                labels = f"batch.kubernetes.io/job-name={name}"
                pods = await self._cluster.list("v1", "Pod", namespace=key.namespace, labels=labels)
                job = self._job(key, name, pods)
            if job.finished:
                record = await self._stable_evaluation(key, seen)
        jobs = replace(seen.jobs, awaited=job)
        return replace(seen, jobs=jobs, recorded=replace(seen.recorded, evaluation=record))

    async def _stable_evaluation(self, key: Key, seen: Observed) -> Mapping[str, str]:
        """The stable revision's evaluation on record, if the verdict that is due compares to it."""
        stable = seen.status.stable
        if stable is None or not compares_with_stable(seen):
            return {}
        labels = (
            f"{LABEL_NAME}={key.name},{LABEL_STAGE}=evaluation,{LABEL_CANDIDATE}={stable.short}"
        )
        records = await self._cluster.list(
            "v1", "ConfigMap", namespace=key.namespace, labels=labels
        )
        return newest_pass([r.get("data") or {} for r in records if owned_by(r, seen.uid)])

    def _tuning(self, namespace: str, spec: Spec | Invalid, status: Status) -> Tuning:
        declared = spec.monitoring.source if isinstance(spec, Spec) and spec.monitoring else None
        source = self._config.source(namespace, declared)
        name = source[0] if source else ""
        by_pods = kind_in_force(status, spec, None) == "replicas"
        gate = spec.feasibility if isinstance(spec, Spec) else None
        book = gate.prices if gate else None
        metrics = self._metrics.view(name)
        return Tuning(
            source=name,
            view=self._metrics.view_of(name, by_pods=by_pods),
            per_pod=metrics is not None and metrics.pods is not None,
            tick=self._config.tick.fast,
            live_tick=self._config.tick.live,
            constants=self._config.constants(),
            prices=self._config.price_book(book or PRICES),
            report_image=self._config.images.report,
            load_image=self._config.images.tools,
            counters=self._counters.get(name, ()),
            takes_queries=source is not None and source[1].takes_queries_from(namespace),
            host_access=self._config.pods.host_access,
        )


def counters_of(metrics: Metrics) -> dict[str, tuple[Counter, ...]]:
    """By metrics source, the series that model servers count requests in, from its preset.

    None for a source that reads a gateway alone.
    """
    found = {}
    for name, source in metrics.sources.items():
        preset = find_preset(source.server or source.preset, metrics.presets)
        if preset.per_pod:
            found[name] = tuple(
                Counter(
                    series=(each.series, each.failed) if each.failed else (each.series,),
                    where=each.where,
                    never=each.except_,
                )
                for each in preset.requests
            )
    return found


def unreadable(key: Key, obj: Object, error: str) -> Observed | None:
    """The little that is surely known of an object whose view cannot be made; None without it."""
    raw = obj.get("status") or {}
    status = read_status(raw)
    if raw and status == Status():
        return None  # writing it would erase what stands there
    return Observed(
        name=key.name,
        namespace=key.namespace,
        uid=obj["metadata"]["uid"],
        generation=_generation(obj),
        declared=Declared(parse_spec(obj.get("spec") or {}, name=key.name), None),
        status=status,
        seen_before=True,
        failed=error,
    )


def _generation(obj: Object) -> int:
    return int(obj["metadata"].get("generation", 0))


def _judged(
    spec: Spec | Invalid, status: Status, accepted: Mapping[str, Accepted]
) -> Spec | Invalid:
    """The declared spec; while that is invalid, the last accepted one: its source is still used."""
    revision = status.candidate or status.stable
    if isinstance(spec, Spec) or revision is None:
        return spec
    record = accepted.get(revision.key)
    return record.spec if record else spec
