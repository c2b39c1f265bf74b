"""A population that moves: what asks for training, what it runs, and what comes back of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.world.manifests import manifest
from tests.world.merge import Object
from tests.world.scenarios import USER, live
from tests.world.watching import BAD
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
    """The manifest of a model whose errors ask for training."""
    obj = manifest(version)
    obj["spec"]["failureModes"][1]["response"] = "Retrain"
    obj["spec"]["retrain"] = retrain
    return obj


def declare(version: str, retrain: dict[str, Any]) -> Step:
    """Git declares it, and it serves."""

    def do(world: World) -> None:
        world.store.apply(retraining(version, retrain), USER)

    return Step(do, live(version), name=f"{version} with {sorted(retrain)}", known=True)


def cron_job(world: World, template: dict[str, Any] = JOB) -> None:
    """The user's CronJob, suspended: Merit alone starts it."""
    meta = {"name": CRON_JOB, "namespace": world.key.namespace}
    spec = {"schedule": "@yearly", "suspend": True, "jobTemplate": {"spec": template}}
    obj = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec}
    world.store.create(obj, USER)


def with_cron_job(step: Step) -> Step:
    """The same after the CronJob was made."""

    def do(world: World) -> None:
        cron_job(world)
        step.do(world)

    return Step(do, step.until, limit=step.limit, hold=step.hold, name=step.name, known=True)


def move(until: Callable[[World], bool], version: str = "good", hold: float = 0.0) -> Step:
    """What serves does worse from now on."""

    def do(world: World) -> None:
        world.traffic.turn(version, BAD)

    return Step(do, until, limit=2000.0, hold=hold, name="the population moves")


def outcome(word: str) -> Callable[[World], bool]:
    """The last run stands so."""
    return lambda world: (world.status.get("retrain") or {}).get("outcome") == word


def trainings(world: World) -> list[str]:
    """Every training Job that was ever made."""
    return [name for name in world.monitor.jobs if "-retrain-" in name]


BY_TEMPLATE = (
    declare("good", {"job": JOB, "cooldown": "2h"}),
    move(outcome("Succeeded"), hold=120.0),
)
BY_CRON_JOB = (
    with_cron_job(declare("good", {"cronJob": CRON_JOB})),
    move(outcome("Succeeded"), hold=60.0),
)


def comes_back(version: str) -> Step:
    """The training has committed its version, and Git declares it."""

    def do(world: World) -> None:
        # While stable itself is beyond its bar there is nothing to compare a candidate with.
        world.traffic.turn("good", 0.0)
        world.store.apply(retraining(version, {"job": JOB, "cooldown": "2h"}), USER)

    return Step(do, live(version), name=f"{version} comes back")


FULL_CIRCLE = (*BY_TEMPLATE, comes_back("better"))
