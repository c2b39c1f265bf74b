"""The world's actors and the whole operator on a real API server: one namespace, one object.

What users and GitOps tools do goes through the real server, so apply, prune, managedFields and
generations are Kubernetes' own. The clock is real time plus what the stage has let pass.
"""

from __future__ import annotations

import asyncio
import copy
import time
import urllib.error
from collections.abc import Callable, Mapping
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from merit.kube.cache import Cache, Key
from merit.kube.client import Cluster
from merit.kube.errors import ApiError
from merit.reconciler.loop import Reconciler
from tests.apiserver.api import Api, ApiStore, Object, object_path
from tests.apiserver.nodes import Nodes
from tests.world.actors import Actors
from tests.world.manifests import NAME, config, manifest
from tests.world.store import Ref
from tests.world.traffic import MeasuredFleet, Traffic, weights
from tests.world.world import LISTED, WATCHED, ReasonRecorder


class Stage:
    """One namespace with a ModelDeployment, the actors, and an operator."""

    def __init__(self, plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
        self.plane, self.key = plane, Key(namespace, NAME)
        self.ref: Ref = ("ModelDeployment", namespace, NAME)
        self.api = Api(plane)
        self.passed = 0.0
        self.store = ApiStore(self.api, namespace, self.clock)
        self.traffic = Traffic(self.store)  # type: ignore[arg-type]
        self.store.listeners.append(self.traffic.see)
        self.actors = Actors(self.store)  # type: ignore[arg-type]
        self._cluster = cluster
        self.restart_operator()

    def clock(self) -> float:
        """Unix seconds: real time plus what the stage has let pass."""
        return time.time() + self.passed

    def restart_operator(self) -> None:
        """A new operator process, without any memory."""
        self.notes: list[str] = []
        self.cache = Cache()
        self.reconciler = Reconciler(
            self._cluster,
            self.cache,
            MeasuredFleet(self.traffic),  # type: ignore[arg-type]
            config(),
            ReasonRecorder(self._cluster, self.notes),
            self.clock,
        )

    def use_nodes(self, names: str) -> Nodes:
        """From now on pods run on nodes, one for each of these letters."""
        self.actors.placement = nodes = Nodes(self, names)
        return nodes

    def declare(self, version: str, manager: str = "kustomize-controller", **spec: Any) -> Object:
        """Git declares that version, by a forced apply."""
        obj = manifest(version)
        obj["metadata"]["namespace"] = self.key.namespace
        obj["spec"] |= spec
        return self.api.apply(obj, manager)

    def declared(self, version: str) -> Object:
        """The spec of that version, as Git has it."""
        spec: Object = manifest(version)["spec"]
        return spec

    @property
    def mdep(self) -> Object:
        """The object on the server; empty if there is none."""
        try:
            return self.api.call("GET", object_path(self.ref))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return {}

    @property
    def status(self) -> Object:
        """Its status on the server."""
        status: Object = self.mdep.get("status", {})
        return status

    @property
    def pin(self) -> Mapping[str, str] | None:
        """`spec.rollback` on the server."""
        pin: Mapping[str, str] | None = self.mdep["spec"].get("rollback")
        return pin

    @property
    def weights(self) -> dict[str, int]:
        """The traffic as the gateway splits it: percent per version."""
        split = self.traffic.history[-1][1] if self.traffic.history else {}
        return {self.traffic.versions.get(short, short): part for short, part in split.items()}

    def condition(self, kind: str) -> Object:
        """The status condition of that type; KeyError if there is none."""
        conditions: dict[str, Object] = {c["type"]: c for c in self.status["conditions"]}
        return conditions[kind]

    def describe(self) -> str:
        """Summary and next step, as users read them."""
        status = self.status
        return f"{status.get('summary')} {(status.get('next') or {}).get('what')}"

    def sends_all_to(self, version: str) -> bool:
        """Whether the HTTPRoute on the server sends all traffic to that version."""
        self.store.refresh()
        short = {v: s for s, v in self.traffic.versions.items()}[version]
        return weights(self.store.objects["HTTPRoute", *self.key]) == {short: 100}

    def pin_managers(self) -> list[str]:
        """The field managers of the pin."""
        return [
            entry["manager"]
            for entry in self.mdep["metadata"].get("managedFields", ())
            if "f:rollback" in entry.get("fieldsV1", {}).get("f:spec", {})
        ]

    async def run(self, until: Callable[[Stage], bool], what: str, limit: float = 1800.0) -> None:
        """Let actors and operator work until it is so; `limit`: seconds of this clock."""
        end = self.clock() + limit
        while not until(self):
            assert self.clock() < end, f"{what}: {self.describe()} {self.weights}"
            await self._step_and_wait()

    async def at_once(self, until: Callable[[Stage], bool], what: str) -> None:
        """It is so after at most three passes, without letting any time pass."""
        for _ in range(3):
            await self.step()
            if until(self):
                return
        raise AssertionError(f"{what}: {self.describe()} {self.weights}")

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, while actors and operator work."""
        end = self.clock() + seconds
        while self.clock() < end:
            await self._step_and_wait()

    async def _step_and_wait(self) -> None:
        requeue_after = await self.step()
        if requeue_after is None or requeue_after > 0:
            self.passed += min(requeue_after or 5.0, 15.0)

    async def step(self) -> float | None:
        """Actors and operator work once; returns the operator's requeue time."""
        self.look()
        self.actors.settle()
        self.look()
        await asyncio.sleep(0)
        try:
            return await self.reconciler.reconcile(self.key)
        except ApiError:
            return 1.0

    def look(self) -> None:
        """Bring the operator's cache up to date, as complete watches would."""
        self.store.refresh()
        for kind in (*WATCHED, *LISTED):
            watched = {
                ref: obj
                for ref, obj in self.store.objects.items()
                if ref[0] == kind
                and (
                    kind == "ModelDeployment"
                    or "merit.dev/name" in obj["metadata"].get("labels", {})
                )
            }
            for obj in watched.values():
                self.cache.put(kind, obj)
            for obj in list(self.cache.known(kind).values()):
                name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
                if (kind, namespace, name) not in watched:
                    self.cache.drop(kind, namespace, name)


def live(version: str) -> Callable[[Stage], bool]:
    """That version has all traffic and is Live, at the newest generation."""

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
    """The pin is written, and the first version has all traffic."""
    return (
        stage.status.get("phase") == "RolledBack"
        and stage.pin is not None
        and stage.weights == {"good": 100}
    )


def unblamed(stage: Stage) -> bool:
    """No version is rejected, and no pin is written."""
    return not stage.status.get("rejected") and stage.pin is None


def weighs(weight: int) -> Callable[[Stage], bool]:
    """The candidate has this weight, and status agrees."""
    return lambda stage: (
        stage.weights.get("better") == weight
        and (stage.status.get("candidate") or {}).get("weight") == weight
    )


def scaled(pods: int) -> Object:
    """The part of a spec that asks for so many pods of each revision."""
    constraints = copy.deepcopy(manifest("good")["spec"]["constraints"])
    constraints["scale"] = {"rps": 200, "replicas": {"min": pods, "max": pods}}
    return {"constraints": constraints}


async def canary(stage: Stage, weight: int) -> Nodes:
    """Stable on nodes a and b, the candidate alone on c, with that weight."""
    nodes = stage.use_nodes("abc")
    nodes.cordon("c")
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    nodes.restore("c")
    for name in "ab":
        nodes.cordon(name)
    stage.declare("better")
    await stage.run(weighs(weight), f"the candidate has {weight}%")
    for name in "ab":
        nodes.restore(name)
    assert (nodes.where("good"), nodes.where("better")) == ("ab", "cc")
    return nodes
