"""Retraining in a world of its own: once, whatever is killed, and never in a loop."""

from __future__ import annotations

import copy
from typing import Literal

import pytest

from tests.test_world_alarms import Board
from tests.world import training
from tests.world.actors import env
from tests.world.crashing import disturbed_anywhere, killed_anywhere
from tests.world.merge import Object
from tests.world.training import outcome, trainings
from tests.world.world import World


def condition(world: World) -> tuple[str, str, str]:
    (found,) = [c for c in world.status["conditions"] if c["type"] == "Retraining"]
    return found["status"], found["reason"], found["message"]


def job(world: World) -> Object:
    ref = ("Job", world.key.namespace, world.status["retrain"]["job"])
    return world.store.objects[ref]


async def test_a_signal_that_asks_for_it_starts_one_training_and_tells_it_why_and_on_what() -> None:
    world = await World(training.BY_TEMPLATE).play()
    assert len(trainings(world)) == 1
    template, run = job(world)["spec"]["template"], world.status["retrain"]
    told = {
        name: env(template, f"MERIT_{name}")
        for name in ("NAME", "NAMESPACE", "MODEL_VERSION", "RETRAIN_SIGNAL", "RETRAIN_RUN")
    }
    assert told == {
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


async def test_the_cron_jobs_template_is_run_without_its_schedule_and_without_a_token() -> None:
    world = await World(training.BY_CRON_JOB).play()
    made = job(world)
    assert len(trainings(world)) == 1
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "example.com/train:1"
    assert made["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert "suspend" not in made["spec"]
    assert made["metadata"]["ownerReferences"][0]["kind"] == "ModelDeployment"
    assert condition(world)[:2] == ("False", "RetrainWaits")


@pytest.mark.parametrize(
    "script", [training.BY_TEMPLATE, training.BY_CRON_JOB], ids=["template", "cronJob"]
)
async def test_killed_at_any_write_there_is_exactly_one_training(
    script: tuple[training.Step, ...],
) -> None:
    async for world in killed_anywhere(script, least=7):
        assert len(trainings(world)) == 1


@pytest.mark.parametrize("fault", ["conflict", "lose_answer"])
async def test_a_disturbed_write_starts_no_second_one(
    fault: Literal["conflict", "lose_answer"],
) -> None:
    async for world in disturbed_anywhere(training.BY_TEMPLATE, fault):
        assert len(trainings(world)) == 1


async def test_the_new_version_comes_back_through_every_gate_and_the_signal_recovers() -> None:
    board = Board()
    world = await World(training.FULL_CIRCLE, outbox=board).play()
    flow = {stage["stage"]: stage["verdict"] for stage in world.status["flow"]}
    assert flow["Evaluation"] == flow["Rollout"] == "Good"
    await world.rest(600.0)
    assert len(trainings(world)) == 1
    assert condition(world)[1] == "Retrained"
    assert not board.of(world)


async def test_within_the_cooldown_nothing_more_begins_and_a_week_has_three() -> None:
    world = await World(training.BY_TEMPLATE).play()
    began = world.status["retrain"]["at"]
    assert condition(world)[1] == "RetrainWaits"
    assert "not before" in condition(world)[2]
    await world.rest(2 * 3600.0 - 600.0)
    assert world.status["retrain"]["at"] == began
    await world.rest(1200.0)
    assert world.status["retrain"]["run"] == 2
    await world.rest(12 * 3600.0)
    assert world.status["retrain"]["run"] == 3
    assert len(trainings(world)) == 3


async def test_a_training_that_fails_is_told_and_not_tried_again_in_a_loop() -> None:
    board = Board()
    script = (
        training.declare("good", {"job": training.BROKEN, "cooldown": "2h"}),
        training.move(outcome("Failed"), hold=900.0),
    )
    world = await World(script, outbox=board).play()
    assert len(trainings(world)) == 1
    assert board.ever.count("MeritRetrainFailed") == 1
    told = board.of(world)["MeritRetrainFailed"]
    assert "BackoffLimitExceeded" in told.annotations["summary"]


async def test_a_missing_cron_job_is_named_and_training_begins_when_it_is_there() -> None:
    board = Board()
    script = (
        training.declare("good", {"cronJob": training.CRON_JOB}),
        training.move(lambda w: outcome("Starting")(w) and bool(w.status["retrain"].get("reason"))),
    )
    world = await World(script, outbox=board).play()
    await world.rest(120.0)
    assert condition(world) == (
        "False",
        "CronJobMissing",
        "there is no CronJob train-fraud in risk",
    )
    assert board.of(world)["MeritRetrainFailed"].labels["reason"] == "CronJobMissing"
    reads = world.server.reads
    await world.rest(600.0)
    assert world.server.reads - reads < 15, "it is looked for about once a minute"
    training.cron_job(world)
    await world.run(outcome("Succeeded"), 300.0, "the training")
    assert len(trainings(world)) == 1
    assert "MeritRetrainFailed" not in board.of(world)


async def test_what_never_began_and_is_not_asked_for_any_more_is_no_run() -> None:
    script = (
        training.declare("good", {"cronJob": training.CRON_JOB}),
        training.move(lambda w: outcome("Starting")(w) and bool(w.status["retrain"].get("reason"))),
    )
    world = await World(script).play()
    world.traffic.turn("good", 0.0)
    await world.run(outcome("Cancelled"), 3600.0, "the signal recovers")
    training.cron_job(world)
    await world.rest(600.0)
    assert not trainings(world)
    world.traffic.turn("good", training.BAD)
    await world.run(outcome("Succeeded"), 2000.0, "the next one, at once")
    assert world.status["retrain"]["run"] == 2


async def test_paused_nothing_is_trained_and_a_training_that_runs_is_followed() -> None:
    obj = training.retraining("good", {"job": training.JOB})
    paused = copy.deepcopy(obj)
    paused["spec"]["paused"] = True

    def pause(world: World) -> None:
        world.store.apply(paused, training.USER)

    world = await World(
        (training.declare("good", {"job": training.JOB}), training.Step(pause, lambda w: True))
    ).play()
    world.traffic.turn("good", training.BAD)
    await world.rest(1800.0)
    assert not trainings(world)
    world.store.apply(obj, training.USER)
    await world.run(outcome("Running"), 300.0, "the training")
    world.store.apply(paused, training.USER)
    await world.run(outcome("Succeeded"), 300.0, "its end")
