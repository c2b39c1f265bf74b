"""Scripts about retraining: a signal gets worse, a training runs, a new version comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.scenarios.scripts.steps import BAD, USER, Until, apply_object, live, set_errors
from tests.world.manifests import manifest
from tests.world.merge import Object
from tests.world.world import Step, World

CRON_JOB = "train-fraud"
JOB: dict[str, Any] = {
    "template": {
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "train", "image": "example.com/train:1"}],
        }
    }
}
BROKEN = {
    "template": {"spec": {"containers": [{"name": "train", "image": "example.com/broken:1"}]}}
}


def retraining(version: str, retrain: dict[str, Any]) -> Object:
    """The manifest of a model that is retrained when its errors breach."""
    obj = manifest(version)
    obj["spec"]["failureModes"][1]["response"] = "Retrain"
    obj["spec"]["retrain"] = retrain
    return obj


def declare(version: str, retrain: dict[str, Any]) -> Step:
    """Git declares it, and it serves."""
    step = apply_object(retraining(version, retrain), live(version))
    return replace(step, covered_elsewhere=True)


def cron_job(world: World, template: dict[str, Any] = JOB) -> None:
    """Create the user's CronJob; it is suspended, so that only the operator starts it."""
    meta = {"name": CRON_JOB, "namespace": world.key.namespace}
    spec = {"schedule": "@yearly", "suspend": True, "jobTemplate": {"spec": template}}
    obj = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec}
    world.store.create(obj, USER)


def with_cron_job(step: Step) -> Step:
    """The same step, with the CronJob created before."""

    def do(world: World) -> None:
        cron_job(world)
        step.do(world)

    return replace(step, do=do)


def breach(until: Until, hold: float = 0.0) -> Step:
    """The errors of the live version breach from now on."""
    return set_errors("good", BAD, until, hold)


def outcome(word: str) -> Until:
    """The last training has this outcome."""
    return lambda world: (world.status.get("retrain") or {}).get("outcome") == word


def trainings(world: World) -> list[str]:
    """Every training Job that was ever created."""
    return [name for name in world.invariants.jobs if "-retrain-" in name]


BY_TEMPLATE = (
    declare("good", {"job": JOB, "cooldown": "2h"}),
    breach(outcome("Succeeded"), hold=120.0),
)
BY_CRON_JOB = (
    with_cron_job(declare("good", {"cronJob": CRON_JOB})),
    breach(outcome("Succeeded"), hold=60.0),
)


def comes_back(version: str) -> Step:
    """The training has committed a new version, and Git declares it."""

    def do(world: World) -> None:
        # While stable itself breaches, no candidate can be compared with it.
        world.traffic.set_errors("good", 0.0)
        world.store.apply(retraining(version, {"job": JOB, "cooldown": "2h"}), USER)

    return Step(do, live(version), name=f"{version} comes back")


FULL_CIRCLE = (*BY_TEMPLATE, comes_back("better"))
