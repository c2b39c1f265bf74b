"""The rollouts that are disturbed: what users do, and what must come of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from merit.api.hashing import identify
from tests.world.manifests import NAME, manifest
from tests.world.traffic import weights

Object = dict[str, Any]
STEP = 150.0  # seconds that one step of a scenario may take, with a fault in it


class Scene(Protocol):
    """One namespace, as a scenario sees it."""

    namespace: str

    @property
    def mdep(self) -> Object: ...

    def object(self, kind: str, name: str) -> Object | None: ...

    def apply(self, obj: Object) -> None: ...

    def delete(self) -> None: ...

    def fail(self, version: str, share: float) -> None: ...


@dataclass(frozen=True, slots=True)
class ScenarioStep:
    """What is done, and what must then be so within `limit` seconds. `disturbed`: with faults."""

    do: Callable[[Scene], None]
    until: Callable[[Scene], bool]
    disturbed: bool = True
    limit: float = STEP


@cache
def short(version: str) -> str:
    """The short hash of a version."""
    return identify(declared(version, "any")["spec"]).short


def known(hash_: str) -> bool:
    """Whether this is the hash, or the short hash, of a version."""
    return hash_.removeprefix("h1:")[:8] in {short(v) for v in VERSIONS}


VERSIONS = ("good", "better", "failing", "inaccurate", "hopeless")


def declared(version: str, namespace: str) -> Object:
    """The manifest of a version, with waits as short as users may make them."""
    obj = manifest(version)
    obj["metadata"]["namespace"] = namespace
    spec = obj["spec"]
    spec["rollout"] = copy.deepcopy(spec["rollout"]) | {
        "steps": [25, 50],
        "minDuration": "4s",
        "maxDuration": "10m",
        "holdback": {"weight": 10, "duration": "4s"},
    }
    spec["rollout"]["route"]["gateway"]["hostnames"] = [f"{namespace}.example.com"]
    spec["rollbackPolicy"]["keepWarm"] = "5s"
    return obj


def declare(version: str) -> Callable[[Scene], None]:
    """Git has that version."""
    return lambda scene: scene.apply(declared(version, scene.namespace))


def serves(scene: Scene, version: str) -> bool:
    """The route sends everything to that version."""
    return weights(scene.object("HTTPRoute", NAME)) == {short(version): 100}


def live(version: str) -> Callable[[Scene], bool]:
    """It has all traffic and is Live, at the newest generation."""

    def is_live(scene: Scene) -> bool:
        status = scene.mdep.get("status", {})
        return (
            status.get("phase") == "Live"
            and (status.get("stable") or {}).get("version") == version
            and status["observedGeneration"] == scene.mdep["metadata"]["generation"]
            and serves(scene, version)
        )

    return is_live


def rejected(version: str, serving: str, phase: str) -> Callable[[Scene], bool]:
    """It is in the ledger, the other one has all traffic."""

    def is_rejected(scene: Scene) -> bool:
        status = scene.mdep.get("status", {})
        ledger = {entry["revision"][3:11] for entry in status.get("rejected", ())}
        return short(version) in ledger and status["phase"] == phase and serves(scene, serving)

    return is_rejected


def pinned(version: str, serving: str) -> Callable[[Scene], bool]:
    """Rejected after it had traffic, and `spec.rollback` says so."""
    ends = rejected(version, serving, "RolledBack")
    return lambda scene: ends(scene) and "rollback" in scene.mdep["spec"]


def exposed(version: str) -> Callable[[Scene], bool]:
    """It has a part of the traffic."""
    return lambda scene: 0 < weights(scene.object("HTTPRoute", NAME)).get(short(version), 0) < 100


def gone(scene: Scene) -> bool:
    """Nothing of it is left but the ledger."""
    kinds = ("ModelDeployment", "Deployment", "HTTPRoute", "Service")
    return not any(scene.object(kind, "") for kind in kinds)


def samples(scene: Scene) -> None:
    """What the load test sends."""
    meta = {"name": "samples", "namespace": scene.namespace}
    scene.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "{}"}})


FIRST = ScenarioStep(declare("good"), live("good"), disturbed=False)
SCENARIOS: dict[str, tuple[ScenarioStep, ...]] = {
    "first deployment": (ScenarioStep(declare("good"), live("good")),),
    "promotion": (FIRST, ScenarioStep(declare("better"), live("better"))),
    "evaluation rejects": (
        FIRST,
        ScenarioStep(declare("inaccurate"), rejected("inaccurate", "good", "Rejected")),
    ),
    "load test rejects": (
        ScenarioStep(samples, lambda scene: True, disturbed=False),
        FIRST,
        ScenarioStep(declare("hopeless"), rejected("hopeless", "good", "Rejected")),
    ),
    "canary rolls back": (FIRST, ScenarioStep(declare("failing"), pinned("failing", "good"))),
    "live rolls back": (
        FIRST,
        ScenarioStep(declare("better"), live("better"), disturbed=False),
        ScenarioStep(lambda scene: scene.fail("better", 0.3), pinned("better", "good")),
    ),
    "deleted in mid-canary": (
        FIRST,
        ScenarioStep(declare("better"), exposed("better"), disturbed=False),
        ScenarioStep(lambda scene: scene.delete(), gone),
    ),
}
