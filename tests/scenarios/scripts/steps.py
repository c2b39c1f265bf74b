"""What users do (functions that return a Step), and what is waited for (predicates of a world)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from merit.api.hashing import identify
from tests.world.manifests import OBJECT, manifest
from tests.world.merge import Object, cloned
from tests.world.world import Step, World

USER = "kustomize-controller"
BAD = 0.06  # share of failed requests, against a threshold of 1 %
POLICY = OBJECT["spec"]["rollbackPolicy"]
Until = Callable[[World], bool]


def apply(version: str, until: Until, hold: float = 0.0) -> Step:
    """Git declares that version."""
    return apply_object(manifest(version), until, hold)


def apply_object(obj: Object, until: Until, hold: float = 0.0) -> Step:
    """Git declares that manifest."""

    def do(world: World) -> None:
        world.store.apply(obj, USER)

    return Step(do, until, hold=hold, name=f"apply {obj['spec']['model']['version']}")


def edit(until: Until, version: str = "better", **parts: object) -> Step:
    """Git declares that version, with other values in these parts of the spec."""
    obj = manifest(version)
    obj["spec"] |= copy.deepcopy(parts)
    return replace(apply_object(obj, until), limit=2000.0)


def change(path: str, value: Any, until: Until, hold: float = 0.0) -> Step:
    """Git declares another value at the dotted path below spec, and the rest as it is."""

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


def delete() -> Step:
    """The user deletes the object; only the ledger stays."""

    def do(world: World) -> None:
        world.store.delete(("ModelDeployment", *world.key), USER)

    def deleted(world: World) -> bool:
        return {kind for kind, _, _ in world.store.objects} <= {"ConfigMap", "Event"}

    return Step(do, deleted, name="delete")


def token(verb: str, value: str, until: Until, **more: Any) -> Step:
    """Somebody sets a token. "CANDIDATE" and "DECLARED" stand for those short revisions."""

    def do(world: World) -> None:
        annotate(world, verb, value)

    return Step(do, until, name=f"{verb}={value}", **more)


def annotate(world: World, verb: str, value: str | None, by: str = "kubectl-annotate") -> None:
    """Set the annotation of that token; None removes it."""
    if value is not None:
        shorts = {"CANDIDATE": (world.status.get("candidate") or {}).get("short", "")}
        shorts["DECLARED"] = identify(world.mdep["spec"]).short
        for word, short in shorts.items():
            value = value.replace(word, short)
    body = {"metadata": {"annotations": {f"merit.dev/{verb}": value}}}
    world.store.patch(("ModelDeployment", *world.key), body, by)


def lose_status(world: World) -> None:
    """The status is gone, as after a restore from a backup."""
    body = {"status": dict.fromkeys(world.status)}
    world.store.patch(("ModelDeployment", *world.key), body, "restore", "status")


def set_errors(version: str, share: float, until: Until, hold: float = 0.0) -> Step:
    """From now on that share of the version's requests fails; "*" is every version."""

    def do(world: World) -> None:
        world.traffic.set_errors(version, share)

    return Step(do, until, limit=2000.0, hold=hold, name=f"{version} fails {share:.0%}")


def crash_loop(version: str, until: Until, hold: float = 0.0) -> Step:
    """From now on the pods of that version crash again and again."""

    def do(world: World) -> None:
        world.actors.crash_looping.add(f"{world.key.name}-{world.short(version)}")
        world.wake_actors()

    return Step(do, until, limit=2000.0, hold=hold, name=f"{version} crash-loops")


def set_pods(status: Object | None, until: Until) -> Step:
    """From now on all pods of `better` have that status; None: they are healthy again."""

    def do(world: World) -> None:
        if status is None:
            world.heal_pods()
        else:
            world.set_pods("better", 8, status)

    return Step(do, until, name="status of its pods")


def wait(until: Until) -> Step:
    """Nobody does anything."""
    return Step(lambda world: None, until, name="wait", covered_elsewhere=True)


def advance(seconds: float) -> Step:
    """Time passes."""
    return replace(wait(lambda world: True), hold=seconds)


def covered_elsewhere(*steps: Step) -> tuple[Step, ...]:
    """Steps whose crashes are explored by another script."""
    return tuple(replace(step, covered_elsewhere=True) for step in steps)


def observed(world: World) -> bool:
    """Status is about the current generation."""
    generation = world.mdep.get("metadata", {}).get("generation")
    return bool(world.status.get("observedGeneration") == generation)


def live(version: str) -> Until:
    """That version has all traffic and is Live, at the current generation."""

    def is_live(world: World) -> bool:
        return (
            observed(world)
            and world.status.get("phase") == "Live"
            and world.version("stable") == version
            and world.weights == {version: 100}
            and "rollback" not in world.mdep["spec"]
        )

    return is_live


def serves(version: str) -> Until:
    """That version is stable and has all traffic."""
    return lambda world: world.weights == {version: 100} and world.version("stable") == version


def exposed(version: str) -> Until:
    """That version has some traffic, but not all."""
    return lambda world: 0 < world.weights.get(version, 0) < 100


def weighs(version: str, weight: int) -> Until:
    """That version has this weight."""
    return lambda world: world.weights.get(version) == weight


def rejected(world: World) -> bool:
    """A gate has rejected the declared version."""
    return observed(world) and world.status.get("phase") == "Rejected"


def condemned(world: World) -> bool:
    """The rejection of `failing` is recorded; nothing else need have happened."""
    return any(entry.get("version") == "failing" for entry in world.status.get("rejected", []))


def good_again(world: World) -> bool:
    """The first version has all traffic again, and the pin is written."""
    return world.weights == {"good": 100} and "rollback" in world.mdep["spec"]


def rolled_back(world: World) -> bool:
    """Status says RolledBack, the pin is written, and `failing` has no traffic."""
    return (
        observed(world)
        and world.status.get("phase") == "RolledBack"
        and "rollback" in world.mdep["spec"]
        and "failing" not in world.weights
    )


def taken_back(bad: str, good: str) -> Until:
    """The version that was live is rejected, and its predecessor has all traffic."""

    def is_taken_back(world: World) -> bool:
        return (
            world.status.get("phase") == "RolledBack"
            and world.version("stable") == good
            and world.weights == {good: 100}
            and [entry["version"] for entry in world.status["rejected"]][:1] == [bad]
            and "rollback" in world.mdep["spec"]
        )

    return is_taken_back


def withdrawn(world: World) -> bool:
    """The candidate has no traffic and is not rejected."""
    return world.weights == {"good": 100} and world.status.get("phase") == "Withdrawn"


def pods_down(world: World) -> bool:
    """The candidate is rejected for its pods, and rolled back."""
    reasons = [entry["reason"] for entry in world.status.get("rejected", [])]
    return reasons == ["PodsDown"] and world.status.get("phase") == "RolledBack"


def alarmed(held: str, version: str) -> Until:
    """There is an alarm, a rollback is held for that reason, and the version has all traffic."""

    def is_alarmed(world: World) -> bool:
        alarm = world.status.get("alarm") or {}
        return (
            alarm.get("held") == held
            and "comparison" not in world.status
            and world.weights == {version: 100}
            and world.version("stable") == version
        )

    return is_alarmed


def awaits_approval(world: World) -> bool:
    """A step waits for a person."""
    return bool(world.condition("Paused").get("reason") == "AwaitingApproval")


def handled(verb: str) -> Until:
    """The token's present value is acknowledged."""

    def is_handled(world: World) -> bool:
        value = world.mdep["metadata"].get("annotations", {}).get(f"merit.dev/{verb}")
        return value is not None and world.status.get("lastHandled", {}).get(verb) == value

    return is_handled
