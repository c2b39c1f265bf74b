"""The world's actors and the whole operator on a real API server: one namespace, one object.

What users and GitOps tools do goes through the real server, so apply, prune, managedFields and
generations are Kubernetes' own. The clock is real plus what the stage has let pass.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import ssl
import time
import urllib.error
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from email.message import Message
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.cluster.errors import ApiError
from merit.cluster.kinds import collection, item
from merit.reconciler.loop import Reconciler
from tests.apiserver.nodes import Nodes
from tests.world.actors import Actors
from tests.world.manifests import config, manifest
from tests.world.store import Commit, Ref, ref_of
from tests.world.traffic import Fleet, Traffic
from tests.world.world import LISTED, WATCHED, Recorder

Object = dict[str, Any]
GATEWAY = "gateway.networking.k8s.io/v1"
VERSIONS = {
    "ModelDeployment": "merit.dev/v1alpha1",
    "Deployment": "apps/v1",
    "Pod": "v1",
    "Job": "batch/v1",
    "HTTPRoute": GATEWAY,
    "Service": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "ConfigMap": "v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
}


class Api:
    """Plain requests as admin over one connection, each under a field manager of its own."""

    def __init__(self, plane: ControlPlane) -> None:
        place = urllib.parse.urlsplit(plane.url)
        assert place.hostname is not None
        trust = ssl.create_default_context(cafile=str(plane.ca))
        self._line = http.client.HTTPSConnection(
            place.hostname, place.port, timeout=10, context=trust
        )
        self._token = plane.token()

    def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        *,
        patient: bool = True,
    ) -> Object:
        """The reply. Raises urllib.error.HTTPError; 429 only where that is an answer."""
        for _ in range(100):
            code, said = self._ask(verb, path, body, kind)
            if code < 300:
                answer: Object = json.loads(said)
                return answer
            if code != 429 or not patient:  # a kind that is new needs a moment
                raise urllib.error.HTTPError(path, code, "", Message(), io.BytesIO(said))
            time.sleep(0.1)
        raise TimeoutError(path)

    def _ask(self, verb: str, path: str, body: Any, kind: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        self._line.request(verb, path, None if body is None else json.dumps(body), headers)
        reply = self._line.getresponse()
        return reply.status, reply.read()

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def apply(self, obj: Object, manager: str) -> Object:
        """Forced server-side apply, as Flux and Argo CD do it."""
        path = _path(ref_of(obj))
        query = f"?fieldManager={manager}&force=true"
        return self.call("PATCH", path + query, obj, "application/apply-patch+yaml")

    def merge(self, ref: Ref, body: Object, manager: str, subresource: str = "") -> Object:
        """A merge patch."""
        path = _path(ref) + (f"/{subresource}" if subresource else "")
        kind = "application/merge-patch+json"
        return self.call("PATCH", f"{path}?fieldManager={manager}", body, kind)

    def put(self, ref: Ref, obj: Object, manager: str = "kubectl-replace") -> Object:
        """The whole object, as `kubectl replace` sends it."""
        return self.call("PUT", f"{_path(ref)}?fieldManager={manager}", obj)


def _path(ref: Ref) -> str:
    kind, namespace, name = ref
    return item(VERSIONS[kind], kind, namespace, name)


class ApiStore:
    """What the actors know of a store, over the real API: objects as of the last `refresh`."""

    def __init__(self, api: Api, namespace: str, now: Callable[[], float]) -> None:
        self._api, self._namespace, self.now = api, namespace, now
        self.objects: dict[Ref, Object] = {}
        self.version = 0
        self.listeners: list[Callable[[Commit], None]] = []
        self._said: dict[tuple[str, str], Object] = {}
        self._ahead: dict[str, float] = {}  # by uid: how far this clock was when a pod was made

    def refresh(self) -> None:
        """Everything as it stands now; listeners are told what has changed."""
        found: dict[Ref, Object] = {}
        for kind, version in VERSIONS.items():
            listed = self._api.call("GET", collection(version, kind, self._namespace))
            for obj in listed["items"]:
                whole = self._dated(obj | {"apiVersion": version, "kind": kind})
                found[ref_of(whole)] = whole
        for ref in {*found, *self.objects}:
            old, new = self.objects.get(ref), found.get(ref)
            if old != new:
                for listener in self.listeners:
                    listener(Commit("", "seen", ref, old, new))
        self.objects = found

    def all(self, kind: str, namespace: str | None = None, labels: str = "") -> Iterator[Object]:
        wanted = dict(term.split("=", 1) for term in labels.split(",") if term)
        for ref in sorted(ref for ref in self.objects if ref[0] == kind):
            marks = self.objects[ref]["metadata"].get("labels", {})
            if all(marks.get(key) == value for key, value in wanted.items()):
                yield self.objects[ref]

    def create(self, obj: Object, manager: str) -> Object:
        kind, namespace, _ = ref_of(obj)
        body = {key: value for key, value in obj.items() if key != "status"}
        try:
            made = self._api.call("POST", collection(VERSIONS[kind], kind, namespace), body)
        except urllib.error.HTTPError as error:
            said = json.load(error)
            raise ApiError(error.code, said["reason"], said["message"]) from error
        return self.keep(kind, made)

    def patch(self, ref: Ref, body: Object, manager: str, subresource: str = "") -> Object:
        known = (self.objects[ref]["metadata"]["uid"], subresource)
        if self._said.get(known) == body:
            return self.objects[ref]  # the server adds to what an actor says; once is enough
        self._said[known] = body
        if ref[0] == "Job" and subresource == "status":  # the server wants to know when it began
            began = self.objects[ref]["metadata"]["creationTimestamp"]
            body = {"status": {"startTime": began, **body["status"]}}
        return self.keep(ref[0], self._api.merge(ref, body, manager, subresource))

    def delete(self, ref: Ref, manager: str, grace: int | None = None) -> None:
        """`grace`: seconds, 0 for at once; None is the object's own, and a pod that runs hangs
        until its kubelet confirms it.
        """
        self.version += 1
        known = self.objects.pop(ref, None)
        hangs = grace is None and bool((known or {}).get("spec", {}).get("nodeName"))
        query = "" if grace is None else f"?gracePeriodSeconds={grace}"
        try:
            left = self._api.call("DELETE", _path(ref) + query)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return
        if hangs:
            self.keep(ref[0], left)

    def keep(self, kind: str, made: Object) -> Object:
        """The answer to a write is the newest that is known."""
        self.version += 1
        whole = self._dated(made | {"apiVersion": VERSIONS[kind], "kind": kind})
        self.objects[ref_of(whole)] = whole
        return whole

    def _dated(self, obj: Object) -> Object:
        """A pod's age is told by this clock: the server's knows nothing of what has passed."""
        if obj["kind"] != "Pod":
            return obj
        meta = obj["metadata"]
        ahead = self._ahead.setdefault(meta["uid"], self.now() - time.time())
        made = datetime.fromisoformat(meta["creationTimestamp"]) + timedelta(seconds=ahead)
        stamp = made.strftime("%Y-%m-%dT%H:%M:%SZ")
        return obj | {"metadata": meta | {"creationTimestamp": stamp}}


class Stage:
    """One namespace with an object `fraud-scorer`, its actors, and an operator."""

    def __init__(self, plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
        self.plane, self.key = plane, Key(namespace, "fraud-scorer")
        self.ref: Ref = ("ModelDeployment", namespace, "fraud-scorer")
        self.api = Api(plane)
        self.passed = 0.0
        self.store = ApiStore(self.api, namespace, self.clock)
        self.traffic = Traffic(self.store)  # type: ignore[arg-type]
        self.store.listeners.append(self.traffic.see)
        self.actors = Actors(self.store)  # type: ignore[arg-type]
        self._cluster = cluster
        self.start()

    def clock(self) -> float:
        """Unix seconds, with what the stage has let pass."""
        return time.time() + self.passed

    def start(self) -> None:
        """A new operator, which knows nothing."""
        self.notes: list[str] = []
        self.cache = Cache()
        self.reconciler = Reconciler(
            self._cluster,
            self.cache,
            Fleet(self.traffic),  # type: ignore[arg-type]
            config(),
            Recorder(self._cluster, self.notes),
            self.clock,
        )

    def on(self, names: str) -> Nodes:
        """From now on pods run on nodes with these letters."""
        self.actors.places = nodes = Nodes(self, names)
        return nodes

    def declare(self, version: str, manager: str = "kustomize-controller", **spec: Any) -> Object:
        """Git declares that version, by a forced apply."""
        obj = manifest(version)
        obj["metadata"]["namespace"] = self.key.namespace
        obj["spec"] |= spec
        return self.api.apply(obj, manager)

    def declared(self, version: str) -> Object:
        """The spec of that version as Git has it."""
        found: Object = manifest(version)["spec"]
        return found

    @property
    def mdep(self) -> Object:
        """The object as it stands on the server now; empty if there is none."""
        try:
            return self.api.call("GET", _path(self.ref))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return {}

    @property
    def status(self) -> Object:
        found: Object = self.mdep.get("status", {})
        return found

    @property
    def pin(self) -> Mapping[str, str] | None:
        found: Mapping[str, str] | None = self.mdep["spec"].get("rollback")
        return found

    @property
    def weights(self) -> dict[str, int]:
        """What the gateway does: percent per version."""
        split = self.traffic.history[-1][1] if self.traffic.history else {}
        return {self.traffic.versions.get(short, short): part for short, part in split.items()}

    def pin_managers(self) -> list[str]:
        """Who owns the pin, by managedFields."""
        return [
            entry["manager"]
            for entry in self.mdep["metadata"].get("managedFields", ())
            if "f:rollback" in entry.get("fieldsV1", {}).get("f:spec", {})
        ]

    async def run(self, until: Callable[[Stage], bool], what: str, limit: float = 1800.0) -> None:
        """Actors and operator work until it is so. `limit`: seconds of the stage's clock."""
        end = self.clock() + limit
        while not until(self):
            assert self.clock() < end, f"{what}: {self.status.get('summary')} {self.weights}"
            again = await self.step()
            if again is None or again > 0:
                self.passed += min(again or 5.0, 15.0)

    async def at_once(self, until: Callable[[Stage], bool], what: str) -> None:
        """It is so after three passes at the most, without any time that would have to pass."""
        for _ in range(3):
            await self.step()
            if until(self):
                return
        raise AssertionError(f"{what}: {self.status.get('summary')} {self.weights}")

    async def rest(self, seconds: float) -> None:
        """Let so much time pass, with everybody at work."""
        end = self.clock() + seconds
        while self.clock() < end:
            again = await self.step()
            if again is None or again > 0:
                self.passed += min(again or 5.0, 15.0)

    async def step(self) -> float | None:
        """Everybody looks and acts once; the operator's answer."""
        self.look()
        self.actors.settle()
        self.look()
        await asyncio.sleep(0)
        try:
            return await self.reconciler.reconcile(self.key)
        except ApiError:
            return 1.0

    def look(self) -> None:
        """The operator's cache as complete watches would have it."""
        self.store.refresh()
        for kind in (*WATCHED, *LISTED):
            watched = {
                ref: obj
                for ref, obj in self.store.objects.items()
                if ref[0] == kind
                and (kind == "ModelDeployment" or "merit.dev/name" in _labels(obj))
            }
            for obj in watched.values():
                self.cache.put(kind, obj)
            for obj in list(self.cache.known(kind).values()):
                name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
                if (kind, namespace, name) not in watched:
                    self.cache.drop(kind, namespace, name)


def _labels(obj: Object) -> Object:
    found: Object = obj["metadata"].get("labels", {})
    return found


def live(version: str) -> Callable[[Stage], bool]:
    """That version serves all, and says so of the newest generation."""

    def is_live(stage: Stage) -> bool:
        status = stage.status
        return (
            status.get("phase") == "Live"
            and status["stable"]["version"] == version
            and stage.weights == {version: 100}
            and status["observedGeneration"] == stage.mdep["metadata"]["generation"]
        )

    return is_live


def rolled_back(stage: Stage) -> bool:
    """The pin stands, and the first version has all traffic."""
    return (
        stage.status.get("phase") == "RolledBack"
        and stage.pin is not None
        and stage.weights == {"good": 100}
    )
