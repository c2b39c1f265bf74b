"""One view of everything that a decision about one object may look at.

From the cache, without a call to the API, save for what is read once: the accepted specs and the
ledger of an object that this process sees for the first time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from merit.api.defaults import PRICES
from merit.api.hashing import content_hash, identify
from merit.api.host_access import host_access
from merit.api.names import LABEL_CANDIDATE, LABEL_NAME, LABEL_STAGE
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid, parse_spec
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.config import Config
from merit.policy.evaluation.gate import compares, newest_pass, unreadable
from merit.policy.gates.needs import expected_job
from merit.policy.observed import Accepted, JobRun, Observed, Tuning
from merit.policy.people.tokens import read_tokens
from merit.policy.standing.converge import ledger_content, worth_keeping
from merit.policy.standing.routes import kind_in_force, refusal, route_in_force, served
from merit.reconciler.contest import Contest
from merit.reconciler.facts import owned_by
from merit.reconciler.job_facts import has_ended, job_facts
from merit.reconciler.measuring import Looks, Measurements
from merit.reconciler.memory import Memory, read_status
from merit.reconciler.own_counters import counters_of
from merit.reconciler.standing import Children
from merit.traffic import ROUTERS

Object = dict[str, Any]


class Gatherer:
    """Makes the view of one object."""

    def __init__(
        self, cluster: Cluster, cache: Cache, fleet: Looks, config: Config, contest: Contest
    ) -> None:
        self._cluster, self._cache, self._fleet, self._config = cluster, cache, fleet, config
        self._contest = contest
        self._measurements = Measurements(fleet, config)
        self._counters = counters_of(config.metrics)

    async def observe(self, key: Key, obj: Object, memory: Memory, now: float) -> Observed:
        """Everything that matters about the object at Unix time `now`."""
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
        tuning = self._tuning(key.namespace, _judged(spec, status, accepted), status)
        children = Children(self._cache, key, uid, status, memory)
        jobs = [
            job
            for job in self._cache.children(key.namespace, key.name, "Job")
            if owned_by(job, uid) and not job["metadata"].get("deletionTimestamp")
        ]
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
            arms=children.arms(accepted, now),
            refused=refused,
            pin_losses=tuple(memory.pin_losses),
            traffic_refused=memory.traffic_refused,
            tokens=read_tokens(obj["metadata"].get("annotations") or {}),
            jobs=tuple(j["metadata"]["name"] for j in jobs),
            ended=frozenset(j["metadata"]["name"] for j in jobs if has_ended(j)),
            filed=memory.filing.all(),
            tuning=tuning,
        )
        seen = replace(seen, training=self._training(key, status))
        if memory.training is not None:
            seen = replace(seen, training_problem=memory.training[:2])
        seen = self._reached(key, obj, seen, children, memory)
        memory.replicas.note({s: max(a.desired, a.ready) for s, a in seen.arms.items()}, now)
        seen = replace(seen, replicas=memory.replicas.means(now))
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

    def _training(self, key: Key, status: Status) -> JobRun | None:
        """The Job of the last retraining, if there was one."""
        if status.retrain is None:
            return None
        name = status.retrain.job
        pods = self._cache.children(key.namespace, key.name, "Pod")
        return job_facts(name, self._cache.get("Job", key.namespace, name), pods)

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
            if run.finished and run.message is None and not _held(seen):
                # The Job's end may be seen before its pod's: its words are read afresh.
                fresh = await self._cluster.list(
                    "v1",
                    "Pod",
                    namespace=key.namespace,
                    labels=f"batch.kubernetes.io/job-name={job}",
                )
                run = job_facts(job, self._cache.get("Job", key.namespace, job), fresh)
        due = run is not None and run.finished and not _held(seen)
        record = await self._serving_record(key, seen) if due else {}
        return self._measurements.of(key, replace(seen, job=run, serving_record=record))

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

    def _tuning(self, namespace: str, spec: Spec | Invalid, status: Status) -> Tuning:
        named = spec.monitoring.source if isinstance(spec, Spec) and spec.monitoring else None
        source = self._config.source(namespace, named)
        name = source[0] if source else ""
        by_pods = kind_in_force(status, spec, None) == "replicas"
        gate = spec.feasibility if isinstance(spec, Spec) else None
        book = gate.prices if gate else None
        return Tuning(
            source=name,
            view=self._fleet.view_of(name, by_pods=by_pods) if name else "",
            per_pod=bool(name) and self._fleet.per_pod(name),
            tick=self._config.tick.fast,
            live_tick=self._config.tick.live,
            constants=self._config.constants(),
            prices=self._config.price_book(book or PRICES),
            report_image=self._config.images.report,
            load_image=self._config.images.tools,
            counters=self._counters.get(name, ()),
        )


def _held(seen: Observed) -> bool:
    """A gate has given up: whatever else its last run left is not judged any more."""
    return seen.status.candidate is not None and seen.status.candidate.held


def _judged(
    spec: Spec | Invalid, status: Status, accepted: Mapping[str, Accepted]
) -> Spec | Invalid:
    """What is declared; while that is invalid, what was accepted last: its source goes on."""
    arm = status.candidate or status.stable
    if isinstance(spec, Spec) or arm is None:
        return spec
    record = accepted.get(f"{arm.short}-{arm.policy}")
    return record.spec if record else spec
