"""What users do, and what they wait for. Every scenario begins with nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from merit.api.hashing import identify
from merit.policy.times import stamp
from tests.world.ailing import LOOP, LOST, ail, well
from tests.world.manifests import manifest
from tests.world.merge import Object, cloned
from tests.world.world import START, Step, World

USER = "kustomize-controller"
BYPASS = {"stages": ["Rollout"], "reason": "INC-4711", "expires": stamp(START + 6 * 3600.0)}


def apply(version: str, until: Callable[[World], bool], hold: float = 0.0) -> Step:
    """Git declares that version."""

    def do(world: World) -> None:
        world.store.apply(manifest(version), USER)

    return Step(do, until, hold=hold, name=f"apply {version}")


def live(version: str) -> Callable[[World], bool]:
    """That version serves all traffic, and status says so about the current generation."""

    def is_live(world: World) -> bool:
        return (
            _observed(world)
            and world.status.get("phase") == "Live"
            and world.version("stable") == version
            and world.weights == {version: 100}
            and "rollback" not in world.mdep["spec"]
        )

    return is_live


def rejected(world: World) -> bool:
    """A gate has said no."""
    return _observed(world) and world.status.get("phase") == "Rejected"


def rolled_back(world: World) -> bool:
    """The pin stands, and the bad version has no traffic."""
    return (
        _observed(world)
        and world.status.get("phase") == "RolledBack"
        and "rollback" in world.mdep["spec"]
        and "failing" not in world.weights
    )


def taken_back(world: World) -> bool:
    """The first version has all traffic again, and the pin says so."""
    return world.weights == {"good": 100} and "rollback" in world.mdep["spec"]


def exposed(version: str) -> Callable[[World], bool]:
    """That version has some traffic, but not all."""
    return lambda world: 0 < world.weights.get(version, 0) < 100


def condemned(world: World) -> bool:
    """The verdict is on record, and nothing else has happened yet."""
    return any(entry.get("version") == "failing" for entry in world.status.get("rejected", []))


def wait(until: Callable[[World], bool]) -> Step:
    """Nobody does anything."""
    return Step(lambda world: None, until, name="wait", known=True)


def known(*steps: Step) -> tuple[Step, ...]:
    """Steps that another scenario explores."""
    return tuple(replace(step, known=True) for step in steps)


def token(verb: str, value: str, until: Callable[[World], bool], **more: Any) -> Step:
    """Somebody annotates the object. "CANDIDATE", "DECLARED" stand for those 8 characters."""

    def do(world: World) -> None:
        annotate(world, verb, value)

    return Step(do, until, name=f"{verb}={value}", **more)


def annotate(world: World, verb: str, value: str | None, by: str = "kubectl-annotate") -> None:
    """The annotation is set, or taken away."""
    if value is not None:
        shorts = {"CANDIDATE": (world.status.get("candidate") or {}).get("short", "")}
        shorts["DECLARED"] = identify(world.mdep["spec"]).short
        for word, short in shorts.items():
            value = value.replace(word, short)
    body = {"metadata": {"annotations": {f"merit.dev/{verb}": value}}}
    world.store.patch(("ModelDeployment", *world.key), body, by)


def handled(verb: str) -> Callable[[World], bool]:
    """The token that stands there now is acknowledged."""

    def is_handled(world: World) -> bool:
        value = world.mdep["metadata"].get("annotations", {}).get(f"merit.dev/{verb}")
        return value is not None and world.status.get("lastHandled", {}).get(verb) == value

    return is_handled


def change(path: str, value: Any, until: Callable[[World], bool], hold: float = 0.0) -> Step:
    """Git declares another value at the dotted path below spec; the rest stays as it stands."""

    def do(world: World) -> None:
        obj = {k: world.mdep[k] for k in ("apiVersion", "kind")}
        spec = cloned({k: v for k, v in world.mdep["spec"].items() if k != "rollback"})
        *parents, last = path.split(".")
        at = spec
        for part in parents:
            at = at.setdefault(part, {})
        at[last] = value
        name = {"name": world.key.name, "namespace": world.key.namespace}
        world.store.apply(obj | {"metadata": name, "spec": spec}, USER)

    return Step(do, until, hold=hold, name=f"{path}={value}")


def asks(world: World) -> bool:
    """It waits for a person."""
    found = {c["type"]: c["reason"] for c in world.status.get("conditions", [])}
    return found.get("Paused") == "AwaitingApproval"


def serves(version: str) -> Callable[[World], bool]:
    """That version has all traffic, and is the stable one."""
    return lambda world: world.weights == {version: 100} and world.version("stable") == version


def pods_are(status: Object | None, until: Callable[[World], bool]) -> Step:
    """All pods of `better` are in that state from now on; None: they are well again."""

    def do(world: World) -> None:
        if status is None:
            well(world)
        else:
            ail(world, "better", 8, status)

    return Step(do, until, name="its pods")


def withdrawn(world: World) -> bool:
    """It has no traffic, and nothing is held against it."""
    return world.weights == {"good": 100} and world.status.get("phase") == "Withdrawn"


def crashed(world: World) -> bool:
    """It is rejected for its pods, and says so."""
    reasons = [entry["reason"] for entry in world.status.get("rejected", [])]
    return reasons == ["PodsDown"] and world.status.get("phase") == "RolledBack"


def weighs(version: str, weight: int) -> Callable[[World], bool]:
    """That version has this share of the traffic."""
    return lambda world: world.weights.get(version) == weight


def delete() -> Step:
    """The user deletes the object; all that is left is the ledger."""

    def do(world: World) -> None:
        world.store.delete(("ModelDeployment", *world.key), USER)

    def gone(world: World) -> bool:
        return {kind for kind, _, _ in world.store.objects} <= {"ConfigMap", "Event"}

    return Step(do, gone, name="delete")


def _observed(world: World) -> bool:
    generation = world.mdep.get("metadata", {}).get("generation")
    return bool(world.status.get("observedGeneration") == generation)


FIRST = (apply("good", live("good")),)
PROMOTED = (*known(*FIRST), apply("better", live("better")))
REFUSED = (*known(*FIRST), apply("inaccurate", rejected), apply("inaccurate", rejected, hold=60.0))
ROLLED_BACK = (
    *known(*FIRST),
    apply("failing", rolled_back, hold=40.0),
    apply("failing", rolled_back, hold=60.0),
)
FIXED = (*ROLLED_BACK, apply("fixed", exposed("fixed")), wait(live("fixed")))
BACK_AND_FORTH = (*known(*FIRST), apply("better", exposed("better")), apply("good", live("good")))
OVERTAKEN = (
    *known(*FIRST, apply("failing", condemned)),
    apply("better", exposed("better")),
    wait(live("better")),
)
DELETED = (*known(*FIRST), apply("better", exposed("better")), delete())
ABORTED = (
    *known(*FIRST, apply("better", exposed("better"))),
    token("abort", "now", taken_back),
    token("retry", "DECLARED", exposed("better")),
    wait(live("better")),
)
BY_HAND = (*known(*PROMOTED), token("rollback", "INC-1", taken_back))
ON_ITS_WAY = known(*FIRST, apply("better", exposed("better")))
STOPPED = known(token("abort", "now", taken_back))
APPROVED = (
    *known(
        *FIRST,
        change("rollout.approvals", [50], live("good")),
        change("model.version", "better", asks),
    ),
    token("approve", "CANDIDATE", weighs("better", 50)),
    *STOPPED,
)
AT_ONCE = (*ON_ITS_WAY, token("promote", "CANDIDATE", live("better")))
UNMEASURED = (*ON_ITS_WAY, change("bypass", BYPASS, serves("better")))
CRASHING = (*ON_ITS_WAY, pods_are(LOOP, lambda world: crashed(world) and taken_back(world)))
NODE_LOST = (
    *ON_ITS_WAY,
    pods_are(LOST, withdrawn),
    pods_are(None, exposed("better")),
    *STOPPED,
)
SLOW = (
    *known(*FIRST),
    apply("slow", rejected, hold=40.0),
    change("constraints.scale.replicas.max", 4, exposed("slow")),
    wait(live("slow")),
)

FLAKY = (apply("flaky", live("flaky")),)

ALL = {
    "a first version serves": FIRST,
    "a better one is promoted": PROMOTED,
    "an inaccurate one is refused at the gate": REFUSED,
    "an evaluation that is killed once": FLAKY,
    "a failing one is rolled back, a fixed one rolls out": FIXED,
    "A, then B, then A again in mid-canary": BACK_AND_FORTH,
    "C is declared while B rolls back": OVERTAKEN,
    "deleted in mid-canary": DELETED,
    "aborted by hand, and tried again": ABORTED,
    "rolled back by hand from live": BY_HAND,
    "refused under load, until a suggestion is taken": SLOW,
    "a step that a person approves": APPROVED,
    "promoted by hand": AT_ONCE,
    "promoted by a bypass in mid-canary": UNMEASURED,
    "all pods of a candidate crash": CRASHING,
    "withdrawn with its node, and back": NODE_LOST,
}
