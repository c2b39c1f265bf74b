"""Gate 2: load before users, what the cluster lacks, pods that do not survive the load."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.scenarios.scripts import rollouts, steps
from tests.world.manifests import manifest
from tests.world.world import World


def flow(world: World, stage: str = "Feasibility") -> dict[str, Any]:
    return next((s for s in world.status.get("flow", []) if s["stage"] == stage), {})


def jobs(world: World, stage: str) -> list[str]:
    return [name for name in world.invariants.jobs if f"-{stage}-" in name]


def records(world: World, version: str) -> dict[str, dict[str, str]]:
    """Records of a version, by stage."""
    found = {}
    for (kind, _, _), obj in world.store.objects.items():
        data = obj.get("data", {})
        if kind == "ConfigMap" and data.get("version") == version:
            found[f"{data['stage']} {data['verdict']}"] = data
    return found


def pods(world: World, version: str) -> int:
    """Pods of that version's Deployment; -1 without one."""
    found = [s for s, v in world.traffic.versions.items() if v == version]
    for short in found:
        ref = ("Deployment", world.key.namespace, f"{world.key.name}-{short}")
        if ref in world.store.objects:
            return int(world.store.objects[ref]["spec"]["replicas"])
    return -1


async def declared(version: str, until: Any, limit: float = 900.0) -> World:
    world = await World(rollouts.FIRST).play()
    steps.apply(version, until).do(world)
    await world.run(until, limit, version)
    return world


async def test_a_version_that_holds_the_load_goes_on_and_its_numbers_are_on_record() -> None:
    world = await declared("brisk", steps.live("brisk"))
    assert len(jobs(world, "feasibility")) == 1
    record = records(world, "brisk")["Feasibility Good"]
    assert record["reason"] == "MeetsConstraints"
    assert json.loads(record["report"])["replicas"] == 2
    asked = json.loads(record["asked"])["plan"]
    assert asked["rate"] == 240.0
    assert (asked["counts"]["port"], asked["counts"]["path"]) == (8080, "/metrics")
    assert asked["counts"]["counters"][0]["series"] == ["model_requests_total"]
    assert not world.invariants.violations


async def test_the_pods_own_counts_are_on_record_and_in_the_message() -> None:
    world = await declared("brisk", steps.live("brisk"))
    counts = records(world, "brisk")["Feasibility Good"]["counts"]
    assert counts == "2,400 counted by the pods, 2,400 sent, 2,400 answered well"
    assert flow(world)["message"].endswith(f"; {counts}")
    assert records(world, "brisk")["Feasibility Good"]["bodies"].startswith("1, sha256:")


async def test_while_a_load_test_runs_status_has_its_deadline() -> None:
    def has_deadline(world: World) -> bool:
        return "load test when" in str(world.status.get("next")) and "at" in world.status["next"]

    world = await declared("brisk", has_deadline)
    (name,) = jobs(world, "feasibility")
    job = world.store.objects[("Job", world.key.namespace, name)]
    begun = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    left = datetime.fromisoformat(world.status["next"]["at"]) - begun
    assert left.total_seconds() == job["spec"]["activeDeadlineSeconds"] > 600


async def test_pods_without_counts_of_their_own_are_judged_by_the_generators() -> None:
    world = await declared("mute", steps.live("mute"))
    record = records(world, "mute")["Feasibility Good"]
    assert record["counts"] == "not compared: /metrics on port 8080 answers 404"
    assert "counted" not in flow(world)["message"]


async def test_counts_that_disagree_are_ignored_where_the_spec_says_so() -> None:
    world = await declared("shadowed", lambda w: flow(w).get("reason") == "CountsDisagree")
    step = steps.change("feasibility.load.ownCounts", "Ignore", steps.live("shadowed"))
    step.do(world)
    await world.run(steps.live("shadowed"), 900.0, "counts ignored")
    record = records(world, "shadowed")["Feasibility Good"]
    assert record["counts"] == "not compared: spec.feasibility.load.ownCounts is Ignore"


async def test_pods_under_load_get_no_traffic_of_users() -> None:
    world = await declared("brisk", lambda w: bool(jobs(w, "feasibility")))
    assert pods(world, "brisk") == 2
    await world.advance(5.0)
    assert world.weights == {"good": 100}
    front = world.store.objects[("Service", *world.key)]["spec"]["selector"]
    assert front["merit.dev/revision"] == world.status["stable"]["short"]


async def test_the_load_test_has_the_image_pull_secrets_of_the_server() -> None:
    world = await World(rollouts.FIRST).play()
    again = manifest("brisk")
    secrets = [{"name": "registry"}]
    again["spec"]["serving"]["template"]["spec"]["imagePullSecrets"] = secrets
    world.store.apply(again, steps.USER)
    await world.run(lambda w: bool(jobs(w, "feasibility")), 300.0, "the load test")
    (job,) = jobs(world, "feasibility")
    pod = world.store.objects[("Job", world.key.namespace, job)]["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == secrets


async def test_a_version_that_is_too_slow_is_rejected_with_suggestions_and_leaves_no_pods() -> None:
    world = await declared("slow", steps.rejected)
    entry = world.status["rejected"][0]
    assert (entry["stage"], entry["reason"]) == ("Feasibility", "TooManyReplicas")
    assert "holds up to 60 rps per replica, not at 120" in entry["evidence"]
    assert "scale.replicas.max 4" in entry["evidence"]
    assert "scale.rps 100" in entry["evidence"]
    assert "latency.p99 200ms" in entry["evidence"]
    again = "new content, other spec.constraints, another spec.feasibility, or kubectl merit retry"
    assert again in world.status["next"]["what"]
    assert again in next(c for c in world.status["conditions"] if c["type"] == "Stalled")["message"]
    await world.advance(30.0)
    assert pods(world, "slow") == -1
    assert world.weights == {"good": 100}
    assert "slow" not in {world.traffic.versions[s] for s in world.invariants.exposed}


async def test_a_suggestion_when_taken_passes_and_the_evaluation_is_not_run_again() -> None:
    world = await World(rollouts.SLOW).play()
    assert len(jobs(world, "evaluation")) == 2  # of good, and of slow, once
    assert len(jobs(world, "feasibility")) == 2
    assert pods(world, "slow") == 4
    assert world.status["stable"]["replicas"] == 4
    assert not world.invariants.violations


@pytest.mark.parametrize(
    ("path", "value"),
    [("constraints.latency.p99", "200ms"), ("constraints.scale.rps", 100)],
)
async def test_each_other_suggestion_passes_too(path: str, value: Any) -> None:
    world = await declared("slow", steps.rejected)
    step = steps.change(path, value, steps.exposed("slow"))
    step.do(world)
    await world.run(lambda w: flow(w).get("verdict") == "Good", 300.0, "the gate")
    assert len(jobs(world, "evaluation")) == 2


async def test_the_same_manifest_again_starts_no_job() -> None:
    world = await declared("slow", steps.rejected)
    before = list(world.invariants.jobs)
    steps.apply("slow", steps.rejected).do(world)
    await world.advance(120.0)
    assert world.invariants.jobs == before


async def test_a_version_that_fails_under_any_load_gets_no_suggestion_in_numbers() -> None:
    world = await declared("hopeless", steps.rejected)
    entry = world.status["rejected"][0]
    assert entry["reason"] == "TooSlow"
    assert entry["evidence"].endswith("only a simpler model is known to help")


@pytest.mark.parametrize(("version", "detail"), [("crashing", "crash loop"), ("leaky", "memory")])
async def test_a_version_whose_pods_cannot_serve_is_rejected(version: str, detail: str) -> None:
    world = await declared(version, steps.rejected)
    entry = world.status["rejected"][0]
    assert (entry["stage"], entry["reason"]) == ("Feasibility", "CannotServe")
    assert detail in entry["evidence"] or "crash loop" in entry["evidence"]
    assert "Feasibility Bad" in records(world, version)
    await world.advance(60.0)
    assert pods(world, version) == -1
    assert not list(world.store.all("Job")), "a load test of pods that are gone would go on"
    assert world.weights == {"good": 100}


@pytest.mark.parametrize(
    ("version", "reason", "words"),
    [
        ("unschedulable", "Unschedulable", "Insufficient cpu"),
        ("unpullable", "ImagePull", "not found"),
        ("overquota", "QuotaExceeded", "exceeded quota"),
    ],
)
async def test_what_the_cluster_lacks_is_named_and_no_version_is_rejected(
    version: str, reason: str, words: str
) -> None:
    world = await declared(version, lambda w: flow(w).get("reason") == reason)
    await world.advance(900.0)
    stage = flow(world)
    assert (stage["verdict"], stage["reason"]) == ("NoData", reason)
    assert words in stage["message"] and words in world.status["summary"]
    assert world.status["next"] == {"what": "put it under load once its pods are ready"}
    assert not world.status.get("rejected")
    assert not jobs(world, "feasibility")
    assert world.weights == {"good": 100}
    assert pods(world, "good") == 2
    assert not world.invariants.violations


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("starved", "GeneratorSaturated"),
        ("misasked", "BadRequest"),
        ("shadowed", "CountsDisagree"),
    ],
)
async def test_a_load_test_without_a_verdict_is_retried_and_then_held(
    version: str, reason: str
) -> None:
    world = await declared(version, lambda w: flow(w).get("reason") == reason)
    await world.advance(3600.0)
    stage = flow(world)
    assert (stage["verdict"], stage["reason"]) == ("NoData", reason)
    assert len(jobs(world, "feasibility")) == 4
    assert world.status["candidate"]["held"]
    stalled = next(c for c in world.status["conditions"] if c["type"] == "Stalled")
    assert stalled["reason"] == reason
    assert world.status["next"]["what"].startswith("nothing by itself: ")
    assert pods(world, version) == -1  # held: its pods would only cost
    assert not world.status.get("rejected")
    assert world.notes.count(reason) == 4


async def test_a_load_test_with_a_malformed_report_is_retried_once() -> None:
    world = await declared(
        "garbled", lambda w: (w.status.get("candidate") or {}).get("held", False)
    )
    assert len(jobs(world, "feasibility")) == 2
    assert flow(world)["reason"] == "Malformed"


async def test_without_a_load_generator_the_candidate_is_held_until_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.world import world as module

    bare = module.config().model_copy(update={"images": type(module.config().images)()})
    monkeypatch.setattr(module, "config", lambda: bare)
    world = await declared("brisk", lambda w: flow(w).get("reason") == "NoLoadGenerator")
    assert world.status["next"]["what"] == "go on once the cause is gone: set images.tools"
    await world.advance(300.0)
    assert pods(world, "brisk") == -1 and not jobs(world, "feasibility")
    monkeypatch.undo()
    world = world.fork()
    await world.run(steps.live("brisk"), 900.0, "configured")


async def test_newer_content_ends_a_load_test_and_removes_its_pods() -> None:
    world = await declared("brisk", lambda w: bool(jobs(w, "feasibility")))
    steps.apply("better", steps.live("better")).do(world)
    await world.run(steps.live("better"), 900.0, "better")
    assert pods(world, "brisk") == -1
    assert not world.invariants.violations
