"""One view of everything that a decision about one object may look at.

From the cache, without a call to the API, save for what is read once: the accepted specs and the
ledger of an object that this process sees for the first time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from pydantic import ValidationError

from merit.api.hashing import Identity, content_hash, identify
from merit.api.names import LABEL_NAME, LABEL_REVISION, accepted_name, arm_name, ledger_name
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid, parse_spec
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.config import Config
from merit.evidence.counts import NoSample, Sample
from merit.metrics.fleet import FleetArms
from merit.policy.converge import ledger_content
from merit.policy.evaluation import expected_job
from merit.policy.observed import Accepted, Arm, Figure, Ledger, Observed, Route, Tuning
from merit.policy.signals import declared
from merit.policy.times import seconds
from merit.reconciler.facts import (
    applied,
    arm_facts,
    job_facts,
    of_predecessor,
    owned_by,
    route_facts,
)
from merit.reconciler.render import fleet_arms, render_route

Object = dict[str, Any]


class Looks(Protocol):
    """What of the metrics fleet the loop reads: memory only."""

    def sample(self, arms: FleetArms) -> Sample | NoSample: ...

    def display(
        self,
        namespace: str,
        name: str,
        short: str,
        port: int,
        edges: Mapping[str, float | None],
    ) -> dict[str, Figure]: ...


@dataclass(slots=True)
class Memory:
    """What this process has read or written of one object; losing it costs a read."""

    loaded: bool = False
    raw: dict[str, Object] = field(default_factory=dict)
    ledger: Object | None = None
    ledger_hash: str = ""
    refused: tuple[int, Invalid] | None = None
    conflict: tuple[int, str, float] | None = None  # generation, words, Unix seconds


async def load(memory: Memory, cluster: Cluster, key: Key, uid: str) -> None:
    """Read the accepted specs and the ledger, once."""
    if memory.loaded:
        return
    found = await cluster.list(
        "apps/v1", "ControllerRevision", namespace=key.namespace, labels=f"{LABEL_NAME}={key.name}"
    )
    memory.raw = {r["metadata"]["name"]: r["data"] for r in found if owned_by(r, uid)}
    memory.ledger = await cluster.get("v1", "ConfigMap", key.namespace, ledger_name(key.name))
    if memory.ledger is not None:
        memory.ledger_hash = content_hash(memory.ledger.get("data") or {})
    memory.loaded = True


def read_status(raw: Mapping[str, Any]) -> Status:
    """The status, or an empty one if it cannot be read: the ledger restores what matters."""
    try:
        return Status.model_validate(raw or {})
    except ValidationError:
        return Status()


class Gatherer:
    """Makes the view of one object."""

    def __init__(self, cluster: Cluster, cache: Cache, fleet: Looks, config: Config) -> None:
        self._cluster, self._cache, self._fleet, self._config = cluster, cache, fleet, config

    async def observe(self, key: Key, obj: Object, memory: Memory) -> Observed:
        """Everything that matters about the object now."""
        uid = obj["metadata"]["uid"]
        generation = int(obj["metadata"].get("generation", 0))
        await load(memory, self._cluster, key, uid)
        raw = obj.get("spec") or {}
        spec = parse_spec(raw, name=key.name)
        identity = identify(raw) if isinstance(spec, Spec) else None
        status = read_status(obj.get("status") or {})
        accepted = _accepted(key.name, memory, spec, identity)
        refused = memory.refused[1] if memory.refused and memory.refused[0] == generation else None
        tuning = self._tuning(key.namespace, spec)
        arms = self._arms(key, uid, status, accepted)
        front = self._cache.get("Service", key.namespace, key.name)
        foreign = front is not None and not owned_by(front, uid)
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
            ledger=_ledger(memory.ledger),
            ledger_in_sync=content_hash(ledger_content(status)) == memory.ledger_hash
            or (not memory.ledger_hash and not status.rejected and not status.promoted),
            arms=arms,
            route=self._route(key, uid, status, accepted),
            service_selects=_selects(front),
            service_foreign=foreign,
            idle={},
            refused=refused,
            conflict=self._conflict(key, uid, memory, generation),
            jobs=tuple(
                j["metadata"]["name"]
                for j in self._cache.children(key.namespace, key.name, "Job")
                if owned_by(j, uid) and not j["metadata"].get("deletionTimestamp")
            ),
            tuning=tuning,
        )
        return await self._measured(key, seen)

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
        sample = self._sample(key, seen)
        figures = self._figures(key, seen)
        return replace(seen, job=run, sample=sample, figures=figures)

    def _sample(self, key: Key, seen: Observed) -> Sample | NoSample | None:
        candidate, stable = seen.status.candidate, seen.status.stable
        if candidate is None or stable is None:
            return None
        if candidate.stage in ("Evaluation", "Feasibility"):
            return None
        accepted = seen.accepted.get(f"{candidate.short}-{candidate.policy}")
        if accepted is None:
            return None
        if not seen.tuning.source:
            return NoSample("NoSource", "the operator's configuration has no metrics source for it")
        since = _consumed(seen.status.analysis) if candidate.weight else None
        began = seconds(candidate.rollout_since) or None
        serving = seen.accepted.get(f"{stable.short}-{stable.policy}")
        arms = fleet_arms(key, accepted.spec, candidate.short, stable.short, since, began)
        if serving is not None:
            arms = replace(arms, stable_port=serving.spec.serving.port)
        return self._fleet.sample(arms)

    def _figures(self, key: Key, seen: Observed) -> dict[str, Figure]:
        stable = seen.status.stable
        if stable is None or not seen.tuning.source:
            return {}
        accepted = seen.accepted.get(f"{stable.short}-{stable.policy}")
        if accepted is None:
            return {}
        edges = {signal.name: signal.bound for signal in declared(accepted.spec)}
        port = accepted.spec.serving.port
        return self._fleet.display(key.namespace, key.name, stable.short, port, edges)

    def _tuning(self, namespace: str, spec: Spec | Invalid) -> Tuning:
        named = spec.monitoring.source if isinstance(spec, Spec) and spec.monitoring else None
        source = self._config.source(namespace, named)
        return Tuning(
            source=source[0] if source else "",
            tick=self._config.tick.fast,
            live_tick=self._config.tick.live,
            constants=self._config.constants(),
            prices=self._config.price_book(),
        )

    def _arms(
        self, key: Key, uid: str, status: Status, accepted: Mapping[str, Accepted]
    ) -> dict[str, Arm]:
        policies = {r.short: r.policy for r in (status.stable, status.candidate) if r is not None}
        pods = self._cache.children(key.namespace, key.name, "Pod")
        found: dict[str, Arm] = {}
        for deployment in self._cache.children(key.namespace, key.name, "Deployment"):
            short = (deployment["metadata"].get("labels") or {}).get(LABEL_REVISION, "")
            if not short or not owned_by(deployment, uid):
                continue
            if deployment["metadata"].get("deletionTimestamp"):
                continue
            service = self._cache.get("Service", key.namespace, arm_name(key.name, short))
            record = accepted.get(f"{short}-{policies.get(short, '')}")
            found[short] = arm_facts(short, deployment, service, pods, record)
        return found

    def _route(self, key: Key, uid: str, status: Status, accepted: Mapping[str, Accepted]) -> Route:
        route = self._cache.get("HTTPRoute", key.namespace, key.name)
        facts = route_facts(route, uid)
        if route is None or facts.foreign or status.stable is None:
            return facts
        owner = accepted.get(f"{status.stable.short}-{status.stable.policy}")
        if owner is None:
            return facts
        rendered = render_route(key, uid, owner.spec, facts.weights, accepted)
        return replace(facts, in_sync=applied(route) == applied(rendered))

    def _conflict(self, key: Key, uid: str, memory: Memory, generation: int) -> str:
        if memory.conflict and memory.conflict[0] == generation:
            return memory.conflict[1]
        for kind in ("HTTPRoute", "Service"):
            found = self._cache.get(kind, key.namespace, key.name)
            if found is None or owned_by(found, uid) or of_predecessor(found, key.name, uid):
                continue
            return f"{kind} {key.name} belongs to somebody else: rename it, or this object"
        return ""


def _accepted(
    name: str, memory: Memory, spec: Spec | Invalid, identity: Identity | None
) -> dict[str, Accepted]:
    """The records by `<rev8>-<pol8>`; what is in no hash (steps, route) comes from the object."""
    found: dict[str, Accepted] = {}
    for record, data in memory.raw.items():
        was = identify(data["spec"])
        parsed = parse_spec(data["spec"], name=name)
        if isinstance(parsed, Invalid) or record != accepted_name(name, was.key):
            continue
        current = (
            spec if isinstance(spec, Spec) and identity and identity.key == was.key else parsed
        )
        found[was.key] = Accepted(
            name=record,
            identity=was,
            spec=current,
            deployment=data["deployment"],
            service=data["service"],
        )
    return found


def _ledger(config_map: Object | None) -> Ledger | None:
    if config_map is None:
        return None
    data = config_map.get("data") or {}
    try:
        parts = {name: json.loads(text) for name, text in data.items()}
        return Ledger(status=Status.model_validate(parts))
    except (ValueError, ValidationError):
        return None


def _selects(service: Object | None) -> str | None:
    if service is None:
        return None
    selector = (service.get("spec") or {}).get("selector") or {}
    return str(selector.get(LABEL_REVISION, ""))


def _consumed(analysis: Mapping[str, Any] | None) -> float | None:
    until = (analysis or {}).get("consumedUntil")
    return datetime.fromisoformat(until).timestamp() if until else None
