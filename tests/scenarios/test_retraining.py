"""Retraining: exactly once, whatever is killed, and never in a loop."""

from __future__ import annotations

import copy
from typing import Literal

import pytest

from tests.scenarios.scripts import retraining, steps
from tests.scenarios.scripts.retraining import outcome, trainings
from tests.world.actors import env
from tests.world.alerts import AlertBoard
from tests.world.crashes import disturbed_anywhere, killed_anywhere
from tests.world.merge import Object
from tests.world.world import Step, World


def condition(world: World) -> tuple[str, str, str]:
    (found,) = [c for c in world.status["conditions"] if c["type"] == "Retraining"]
    return found["status"], found["reason"], found["message"]


def job(world: World) -> Object:
    ref = ("Job", world.key.namespace, world.status["retrain"]["job"])
    return world.store.objects[ref]


async def test_a_breach_starts_one_training_with_its_reason_and_its_period() -> None:
    world = await World(retraining.BY_TEMPLATE).play()
    assert len(trainings(world)) == 1
    template, run = job(world)["spec"]["template"], world.status["retrain"]
    variables = {
        name: env(template, f"MERIT_{name}")
        for name in ("NAME", "NAMESPACE", "MODEL_VERSION", "RETRAIN_SIGNAL", "RETRAIN_RUN")
    }
    assert variables == {
        "NAME": "fraud-scorer",
        "NAMESPACE": "risk",
        "MODEL_VERSION": "good",
        "RETRAIN_SIGNAL": "errors",
        "RETRAIN_RUN": "1",
    }
    assert env(template, "MERIT_RETRAIN_REASON").startswith("errors 6")
    since, until = (env(template, f"MERIT_RETRAIN_{word}") for word in ("SINCE", "UNTIL"))
    assert since == world.status["stable"]["promotedAt"] < until == run["at"]
    assert world.status["stable"]["version"] == "good"
    assert world.mdep["spec"]["model"]["version"] == "good", "nobody edits what Git declares"


async def test_the_cron_jobs_template_runs_without_its_schedule_and_without_a_token() -> None:
    world = await World(retraining.BY_CRON_JOB).play()
    made = job(world)
    assert len(trainings(world)) == 1
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "example.com/train:1"
    assert made["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert "suspend" not in made["spec"]
    assert made["metadata"]["ownerReferences"][0]["kind"] == "ModelDeployment"
    assert condition(world)[:2] == ("False", "RetrainWaits")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(retraining.BY_TEMPLATE, id="template"),
        pytest.param(retraining.BY_CRON_JOB, id="cronJob", marks=pytest.mark.slow),
    ],
)
async def test_killed_at_any_write_there_is_exactly_one_training(
    script: tuple[retraining.Step, ...],
) -> None:
    async for world in killed_anywhere(script, least=7):
        assert len(trainings(world)) == 1


@pytest.mark.parametrize("fault", ["conflict", pytest.param("lose_answer", marks=pytest.mark.slow)])
async def test_a_disturbed_write_starts_no_second_training(
    fault: Literal["conflict", "lose_answer"],
) -> None:
    async for world in disturbed_anywhere(retraining.BY_TEMPLATE, fault):
        assert len(trainings(world)) == 1


async def test_the_new_version_comes_back_through_every_gate_and_the_signal_recovers() -> None:
    board = AlertBoard()
    world = await World(retraining.FULL_CIRCLE, outbox=board).play()
    flow = {stage["stage"]: stage["verdict"] for stage in world.status["flow"]}
    assert flow["Evaluation"] == flow["Rollout"] == "Good"
    await world.advance(600.0)
    assert len(trainings(world)) == 1
    assert condition(world)[1] == "Retrained"
    assert not board.of(world)


async def test_within_the_cooldown_no_second_training_begins() -> None:
    world = await World(retraining.BY_TEMPLATE).play()
    began = world.status["retrain"]["at"]
    assert condition(world)[1] == "RetrainWaits"
    assert "not before" in condition(world)[2]
    await world.advance(2 * 3600.0 - 600.0)
    assert world.status["retrain"]["at"] == began
    await world.advance(1200.0)
    assert world.status["retrain"]["run"] == 2


@pytest.mark.slow
async def test_a_week_has_at_most_three_trainings() -> None:
    world = await World(retraining.BY_TEMPLATE).play()
    await world.advance(14 * 3600.0)
    assert world.status["retrain"]["run"] == 3
    assert len(trainings(world)) == 3


async def test_a_failed_training_is_reported_and_not_retried_in_a_loop() -> None:
    board = AlertBoard()
    script = (
        retraining.declare("good", {"job": retraining.BROKEN, "cooldown": "2h"}),
        retraining.breach(outcome("Failed"), hold=900.0),
    )
    world = await World(script, outbox=board).play()
    assert len(trainings(world)) == 1
    assert board.ever.count("MeritRetrainFailed") == 1
    alert = board.of(world)["MeritRetrainFailed"]
    assert "BackoffLimitExceeded" in alert.annotations["summary"]


REFUSED_PODS = {
    "access to the node": (
        {"spec": {"hostNetwork": True}},
        "CronJob train-fraud: jobTemplate.spec.template.spec.hostNetwork: hostNetwork gives access "
        "to the node",
    ),
    "a label of the operator": (
        {"metadata": {"labels": {"merit.dev/role": "serving"}}},
        'CronJob train-fraud: jobTemplate.spec.template.metadata.labels: "merit.dev/role" is set '
        "by the operator",
    ),
}


@pytest.mark.parametrize("what", REFUSED_PODS)
async def test_a_cron_job_gets_the_checks_of_a_declared_template(what: str) -> None:
    more, said = REFUSED_PODS[what]
    template = copy.deepcopy(retraining.JOB)
    template["template"] |= {"metadata": more.get("metadata", {})}
    template["template"]["spec"] |= more.get("spec", {})
    script = (
        retraining.declare("good", {"cronJob": retraining.CRON_JOB}),
        retraining.breach(
            lambda w: outcome("Starting")(w) and bool(w.status["retrain"].get("reason"))
        ),
    )
    world = World(script)
    retraining.cron_job(world, template)
    await world.play()
    await world.advance(120.0)
    assert condition(world)[:2] == ("False", "RetrainRefused")
    assert condition(world)[2].startswith(said)
    assert not trainings(world)


async def test_a_missing_cron_job_is_named_and_the_training_begins_when_it_exists() -> None:
    board = AlertBoard()
    script = (
        retraining.declare("good", {"cronJob": retraining.CRON_JOB}),
        retraining.breach(
            lambda w: outcome("Starting")(w) and bool(w.status["retrain"].get("reason"))
        ),
    )
    world = await World(script, outbox=board).play()
    await world.advance(120.0)
    assert condition(world) == (
        "False",
        "CronJobMissing",
        "there is no CronJob train-fraud in risk",
    )
    assert board.of(world)["MeritRetrainFailed"].labels["reason"] == "CronJobMissing"
    reads = world.server.reads
    await world.advance(600.0)
    assert world.server.reads - reads < 15, "it is looked for about once a minute"
    retraining.cron_job(world)
    await world.run(outcome("Succeeded"), 300.0, "the training")
    assert len(trainings(world)) == 1
    assert "MeritRetrainFailed" not in board.of(world)


async def test_a_training_that_never_began_is_cancelled_when_the_signal_recovers() -> None:
    script = (
        retraining.declare("good", {"cronJob": retraining.CRON_JOB}),
        retraining.breach(
            lambda w: outcome("Starting")(w) and bool(w.status["retrain"].get("reason"))
        ),
    )
    world = await World(script).play()
    world.traffic.set_errors("good", 0.0)
    await world.run(outcome("Cancelled"), 3600.0, "the signal recovers")
    retraining.cron_job(world)
    await world.advance(600.0)
    assert not trainings(world)
    world.traffic.set_errors("good", steps.BAD)
    await world.run(outcome("Succeeded"), 2000.0, "the next one, at once")
    assert world.status["retrain"]["run"] == 2


async def test_while_paused_no_training_starts_and_a_running_one_is_followed() -> None:
    obj = retraining.retraining("good", {"job": retraining.JOB})
    paused = copy.deepcopy(obj)
    paused["spec"]["paused"] = True

    def pause(world: World) -> None:
        world.store.apply(paused, steps.USER)

    world = await World(
        (
            retraining.declare("good", {"job": retraining.JOB}),
            Step(pause, lambda w: True),
        )
    ).play()
    world.traffic.set_errors("good", steps.BAD)
    await world.advance(1800.0)
    assert not trainings(world)
    world.store.apply(obj, steps.USER)
    await world.run(outcome("Running"), 300.0, "the training")
    world.store.apply(paused, steps.USER)
    await world.run(outcome("Succeeded"), 300.0, "its end")
