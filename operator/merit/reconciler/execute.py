"""Effects, one function each. All are idempotent and conditional: a crash may cut anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.hashing import content_hash
from merit.api.names import API_VERSION, KIND, accepted_name, arm_name, ledger_name
from merit.api.spec import Spec
from merit.api.validation import Invalid
from merit.children.job import evaluation_job
from merit.children.records import controller_revision, ledger_map, stage_record
from merit.children.workload import arm_service, deployment, front_service, owner_reference
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.cluster.errors import ApiError, Conflict, Unreachable
from merit.policy.decision import (
    Accept,
    Action,
    ClearPin,
    EnsureArm,
    Record,
    RemoveArm,
    RemoveJob,
    RunJob,
    SetTraffic,
    WriteLedger,
    WritePin,
)
from merit.policy.observed import Observed
from merit.reconciler.facts import applied, of_predecessor, owned_by
from merit.reconciler.gather import Memory
from merit.reconciler.render import render_route

Object = dict[str, Any]
DECISIVE = (SetTraffic, WritePin, ClearPin)
QUICK = 2.0  # seconds for a decisive write: it must end while the Lease surely holds


class NotReady(Exception):
    """Not yet: an arm without a ready endpoint, or a name whose old object is still going."""


class Foreign(Exception):
    """A name that we need belongs to somebody else."""


class Executor:
    """Carries out the actions of one decision about one object."""

    def __init__(
        self, cluster: Cluster, cache: Cache, key: Key, obj: Object, seen: Observed, memory: Memory
    ) -> None:
        self._cluster, self._cache, self._key = cluster, cache, key
        self._obj, self._seen, self._memory = obj, seen, memory
        self._owner = owner_reference(key.name, seen.uid)

    async def run(self, action: Action) -> None:
        """Carry out one action. Raises ApiError, NotReady or Foreign."""
        match action:
            case Accept():
                await self._accept()
            case EnsureArm():
                await self._ensure_arm(action)
            case SetTraffic():
                await self._set_traffic(action)
            case RunJob():
                await self._run_job(action)
            case Record():
                record = stage_record(
                    record=action.name,
                    name=self._key.name,
                    namespace=self._key.namespace,
                    owner=self._owner,
                    content=action.content,
                )
                await self._create(record)
            case RemoveJob():
                await self._remove("batch/v1", "Job", action.name)
            case RemoveArm():
                called = arm_name(self._key.name, action.short)
                # The Deployment last: after a crash it tells that there is more to remove.
                await self._remove("v1", "Service", called)
                await self._remove("apps/v1", "Deployment", called)
            case WritePin():
                await self._pin(action.pin)
            case ClearPin():
                version = {"resourceVersion": self._obj["metadata"]["resourceVersion"]}
                body = {"metadata": version, "spec": {"rollback": None}}
                self._cache.put(KIND, await self._cluster.patch(self._ref(), body, timeout=QUICK))
            case WriteLedger():
                await self._ledger(action.content)

    def _ref(self) -> Object:
        name = {"name": self._key.name, "namespace": self._key.namespace}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": name}

    async def _accept(self) -> None:
        """A strict dry-run of what would be made, then the immutable record of it."""
        seen, key = self._seen, self._key
        assert isinstance(seen.spec, Spec) and seen.identity is not None
        made = deployment(key.name, key.namespace, self._owner, seen.spec, seen.identity)
        service = arm_service(key.name, key.namespace, self._owner, seen.spec, seen.identity.short)
        job = evaluation_job(
            job=f"{key.name[:30]}-dry-run",
            name=key.name,
            namespace=key.namespace,
            owner=self._owner,
            spec=seen.spec,
            revision=seen.identity.revision,
            short=seen.identity.short,
            nonce="0" * 16,
        )
        for field, obj in (("spec.serving.template", made), ("spec.evaluation.job", job)):
            refused = await self._dry_run(field, obj)
            if refused is not None:
                self._memory.refused = (seen.generation, refused)
                return
        record = controller_revision(
            name=key.name,
            namespace=key.namespace,
            owner=self._owner,
            key=seen.identity.key,
            number=seen.generation,
            spec=self._obj["spec"],
            deployment=made,
            service=service,
        )
        await self._create(record)
        self._memory.raw[accepted_name(key.name, seen.identity.key)] = record["data"]

    async def _dry_run(self, field: str, obj: Object) -> Invalid | None:
        try:
            await self._cluster.create(obj, dry_run=True)
        except Conflict:
            return None  # it is there already: this template was taken before
        except Unreachable:
            raise
        except ApiError as error:
            if error.status not in (400, 403, 422):
                raise
            said = " ".join(str(error.message).split())[:600]
            return Invalid(field, f"the API server refuses it: {said}", "correct the template")
        return None

    async def _create(self, obj: Object) -> None:
        """Create it; if the name is taken, it must be ours."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        try:
            made = await self._cluster.create(obj)
        except Conflict:
            found = await self._cluster.get(obj["apiVersion"], kind, self._key.namespace, name)
            if found is None:
                raise
            self._must_be_ours(found)
            made = found
        if kind in ("Deployment", "Service", "Job", "HTTPRoute"):
            self._cache.put(kind, made)

    def _must_be_ours(self, found: Mapping[str, Any]) -> None:
        if owned_by(found, self._seen.uid):
            return
        called = f"{found['kind']} {found['metadata']['name']}"
        if of_predecessor(found, self._key.name, self._seen.uid):
            raise NotReady(f"{called} of the deleted object of this name is still being collected")
        raise Foreign(f"{called} belongs to somebody else")

    async def _stand(self, obj: Object) -> None:
        """The object stands as rendered: made if missing, applied if it differs."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        known = self._cache.get(kind, self._key.namespace, name)
        if known is None:
            await self._create(obj)
            return
        self._must_be_ours(known)
        if applied(known) == applied(obj):
            return
        try:
            made = await self._cluster.apply(_fenced(obj, known), timeout=QUICK)
        except Conflict:
            # A gateway's or controller's status moved the version: read afresh, once, at once.
            fresh = await self._cluster.get(obj["apiVersion"], kind, self._key.namespace, name)
            if fresh is None or not owned_by(fresh, self._seen.uid):
                self._cache.drop(kind, self._key.namespace, name)
                raise
            made = await self._cluster.apply(_fenced(obj, fresh), timeout=QUICK)
        self._cache.put(kind, made)

    async def _ensure_arm(self, action: EnsureArm) -> None:
        accepted = self._seen.accepted[action.key]
        called = arm_name(self._key.name, accepted.identity.short)
        known = self._cache.get("Deployment", self._key.namespace, called)
        wanted: Object = dict(accepted.deployment)
        if known is None:
            # Replicas are named when it is made, and afterwards only through scale.
            wanted = wanted | {"spec": {**wanted["spec"], "replicas": action.replicas}}
            await self._create(wanted)
        else:
            await self._stand(wanted)
            if int((known.get("spec") or {}).get("replicas", 1)) != action.replicas:
                await self._cluster.scale(wanted, action.replicas)
        await self._stand(dict(accepted.service))

    async def _set_traffic(self, action: SetTraffic) -> None:
        for short in action.check_ready:
            if not await self._ready_endpoints(short):
                raise NotReady(f"{arm_name(self._key.name, short)} has no ready endpoint")
        owner = self._seen.accepted[action.key]
        await self._stand(
            render_route(self._key, self._seen.uid, owner.spec, action.weights, self._seen.accepted)
        )
        await self._stand(
            front_service(
                self._key.name,
                self._key.namespace,
                self._owner,
                owner.spec.serving.port,
                action.serves,
            )
        )

    async def _ready_endpoints(self, short: str) -> int:
        service = arm_name(self._key.name, short)
        slices = await self._cluster.list(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            namespace=self._key.namespace,
            labels=f"kubernetes.io/service-name={service}",
        )
        return sum(
            (endpoint.get("conditions") or {}).get("ready") is not False
            for found in slices
            for endpoint in found.get("endpoints") or ()
        )

    async def _run_job(self, action: RunJob) -> None:
        accepted = self._seen.accepted[action.key]
        stable = self._seen.accepted.get(action.stable_key)
        await self._create(
            evaluation_job(
                job=action.name,
                name=self._key.name,
                namespace=self._key.namespace,
                owner=self._owner,
                spec=accepted.spec,
                revision=accepted.identity.revision,
                short=accepted.identity.short,
                nonce=action.nonce,
                stable=(stable.identity.revision, stable.spec.model.uri) if stable else ("", ""),
            )
        )

    async def _remove(self, api_version: str, kind: str, name: str) -> None:
        known = self._cache.get(kind, self._key.namespace, name)
        if known is None or not owned_by(known, self._seen.uid):
            return
        uid = known["metadata"]["uid"]
        ref = {"apiVersion": api_version, "kind": kind, "metadata": known["metadata"]}
        await self._cluster.delete(ref, uid=uid)
        self._cache.drop(kind, self._key.namespace, name, uid)

    async def _pin(self, pin: Mapping[str, str]) -> None:
        body = self._ref()
        body["metadata"] = {
            **body["metadata"],
            "uid": self._seen.uid,
            "resourceVersion": self._obj["metadata"]["resourceVersion"],
        }
        body["spec"] = {"rollback": dict(pin)}
        self._cache.put(KIND, await self._cluster.apply(body, timeout=QUICK))

    async def _ledger(self, content: Mapping[str, str]) -> None:
        wanted = ledger_map(name=self._key.name, namespace=self._key.namespace, content=content)
        found = await self._cluster.get(
            "v1", "ConfigMap", self._key.namespace, ledger_name(self._key.name)
        )
        if found is None:
            await self._cluster.create(wanted)
        else:
            version = {"resourceVersion": found["metadata"]["resourceVersion"]}
            body = {"metadata": version, "data": wanted["data"]}
            await self._cluster.patch(wanted, body)
        self._memory.ledger = wanted  # a status that is lost later is restored from what stands
        self._memory.ledger_hash = content_hash(dict(content))


def _fenced(obj: Object, known: Mapping[str, Any]) -> Object:
    """The object bound to the very version that was seen: it neither resurrects nor overwrites."""
    metadata = {
        **obj["metadata"],
        "uid": known["metadata"]["uid"],
        "resourceVersion": known["metadata"]["resourceVersion"],
    }
    return {**obj, "metadata": metadata}
