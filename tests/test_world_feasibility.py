"""Gate 2 in the world: load before users, what the cluster lacks, pods that do not survive it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.world import scenarios
from tests.world.manifests import manifest
from tests.world.world import World


def flow(world: World, stage: str = "Feasibility") -> dict[str, Any]:
    return next((s for s in world.status.get("flow", []) if s["stage"] == stage), {})


def jobs(world: World, stage: str) -> list[str]:
    return [name for name in world.monitor.jobs if f"-{stage}-" in name]


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
    world = await World(scenarios.FIRST).play()
    scenarios.apply(version, until).do(world)
    await world.run(until, limit, version)
    return world


async def test_what_holds_the_load_goes_on_to_users_and_its_figures_are_on_record() -> None:
    world = await declared("brisk", scenarios.live("brisk"))
    assert len(jobs(world, "feasibility")) == 1
    record = records(world, "brisk")["Feasibility Good"]
    assert record["reason"] == "MeetsConstraints"
    assert json.loads(record["report"])["replicas"] == 2
    asked = json.loads(record["asked"])["plan"]
    assert asked["rate"] == 240.0
    assert (asked["counts"]["port"], asked["counts"]["path"]) == (8080, "/metrics")
    assert asked["counts"]["counters"][0]["series"] == ["model_requests_total"]
    assert not world.monitor.violations


async def test_what_the_pods_count_themselves_is_on_record_and_told() -> None:
    world = await declared("brisk", scenarios.live("brisk"))
    counts = records(world, "brisk")["Feasibility Good"]["counts"]
    assert counts == "2,400 counted by the pods, 2,400 sent, 2,400 answered well"
    assert flow(world)["message"].endswith(f"; {counts}")
    assert records(world, "brisk")["Feasibility Good"]["bodies"].startswith("1, sha256:")


async def test_while_a_load_test_runs_it_says_when_it_is_given_up() -> None:
    def said(world: World) -> bool:
        return "load test when" in str(world.status.get("next")) and "at" in world.status["next"]

    world = await declared("brisk", said)
    (name,) = jobs(world, "feasibility")
    job = world.store.objects[("Job", world.key.namespace, name)]
    begun = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    left = datetime.fromisoformat(world.status["next"]["at"]) - begun
    assert left.total_seconds() == job["spec"]["activeDeadlineSeconds"] > 600


async def test_pods_that_do_not_say_what_they_counted_are_judged_by_what_was_measured() -> None:
    world = await declared("mute", scenarios.live("mute"))
    record = records(world, "mute")["Feasibility Good"]
    assert record["counts"] == "not compared: /metrics on port 8080 answers 404"
    assert "counted" not in flow(world)["message"]


async def test_counts_that_disagree_are_not_looked_at_where_the_spec_says_so() -> None:
    world = await declared("shadowed", lambda w: flow(w).get("reason") == "CountsDisagree")
    step = scenarios.change("feasibility.load.ownCounts", "Ignore", scenarios.live("shadowed"))
    step.do(world)
    await world.run(scenarios.live("shadowed"), 900.0, "counts ignored")
    record = records(world, "shadowed")["Feasibility Good"]
    assert record["counts"] == "not compared: spec.feasibility.load.ownCounts is Ignore"


async def test_no_user_meets_the_pods_while_they_are_under_load() -> None:
    world = await declared("brisk", lambda w: bool(jobs(w, "feasibility")))
    assert pods(world, "brisk") == 2
    await world.rest(5.0)
    assert world.weights == {"good": 100}
    front = world.store.objects[("Service", *world.key)]["spec"]["selector"]
    assert front["merit.dev/revision"] == world.status["stable"]["short"]


async def test_the_load_test_is_pulled_with_the_secrets_that_the_server_is_pulled_with() -> None:
    world = await World(scenarios.FIRST).play()
    again = manifest("brisk")
    secrets = [{"name": "registry"}]
    again["spec"]["serving"]["template"]["spec"]["imagePullSecrets"] = secrets
    world.store.apply(again, scenarios.USER)
    await world.run(lambda w: bool(jobs(w, "feasibility")), 300.0, "the load test")
    (job,) = jobs(world, "feasibility")
    pod = world.store.objects[("Job", world.key.namespace, job)]["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == secrets


async def test_what_is_too_slow_is_refused_with_what_would_help_and_leaves_no_pods() -> None:
    world = await declared("slow", scenarios.rejected)
    entry = world.status["rejected"][0]
    assert (entry["stage"], entry["reason"]) == ("Feasibility", "TooManyReplicas")
    assert "holds up to 60 rps per replica, not at 120" in entry["evidence"]
    assert "scale.replicas.max 4" in entry["evidence"]
    assert "scale.rps 100" in entry["evidence"]
    assert "latency.p99 200ms" in entry["evidence"]
    again = "new content, other spec.constraints, another spec.feasibility, or kubectl merit retry"
    assert again in world.status["next"]["what"]
    assert again in next(c for c in world.status["conditions"] if c["type"] == "Stalled")["message"]
    await world.rest(30.0)
    assert pods(world, "slow") == -1
    assert world.weights == {"good": 100}
    assert "slow" not in {world.traffic.versions[s] for s in world.monitor.exposed}


async def test_a_suggestion_when_taken_passes_and_the_evaluation_is_not_run_again() -> None:
    world = await World(scenarios.SLOW).play()
    assert len(jobs(world, "evaluation")) == 2  # of good, and of slow, once
    assert len(jobs(world, "feasibility")) == 2
    assert pods(world, "slow") == 4
    assert world.status["stable"]["replicas"] == 4
    assert not world.monitor.violations


@pytest.mark.parametrize(
    ("path", "value"),
    [("constraints.latency.p99", "200ms"), ("constraints.scale.rps", 100)],
)
async def test_each_other_suggestion_passes_too(path: str, value: Any) -> None:
    world = await declared("slow", scenarios.rejected)
    step = scenarios.change(path, value, scenarios.exposed("slow"))
    step.do(world)
    await world.run(lambda w: flow(w).get("verdict") == "Good", 300.0, "the gate")
    assert len(jobs(world, "evaluation")) == 2


async def test_the_same_manifest_again_starts_no_job() -> None:
    world = await declared("slow", scenarios.rejected)
    before = list(world.monitor.jobs)
    scenarios.apply("slow", scenarios.rejected).do(world)
    await world.rest(120.0)
    assert world.monitor.jobs == before


async def test_what_breaks_even_under_little_load_is_offered_no_number() -> None:
    world = await declared("hopeless", scenarios.rejected)
    entry = world.status["rejected"][0]
    assert entry["reason"] == "TooSlow"
    assert entry["evidence"].endswith("only a simpler model is known to help")


@pytest.mark.parametrize(("version", "detail"), [("crashing", "crash loop"), ("leaky", "memory")])
async def test_pods_that_cannot_serve_are_the_models_fault(version: str, detail: str) -> None:
    world = await declared(version, scenarios.rejected)
    entry = world.status["rejected"][0]
    assert (entry["stage"], entry["reason"]) == ("Feasibility", "CannotServe")
    assert detail in entry["evidence"] or "crash loop" in entry["evidence"]
    assert "Feasibility Bad" in records(world, version)
    await world.rest(60.0)
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
async def test_what_the_cluster_lacks_is_named_and_nobody_is_rejected(
    version: str, reason: str, words: str
) -> None:
    world = await declared(version, lambda w: flow(w).get("reason") == reason)
    await world.rest(900.0)
    told = flow(world)
    assert (told["verdict"], told["reason"]) == ("NoData", reason)
    assert words in told["message"] and words in world.status["summary"]
    assert world.status["next"] == {"what": "put it under load once its pods are ready"}
    assert not world.status.get("rejected")
    assert not jobs(world, "feasibility")
    assert world.weights == {"good": 100}
    assert pods(world, "good") == 2
    assert not world.monitor.violations


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("starved", "GeneratorSaturated"),
        ("misasked", "BadRequest"),
        ("shadowed", "CountsDisagree"),
    ],
)
async def test_a_test_that_says_nothing_runs_again_and_is_then_held(
    version: str, reason: str
) -> None:
    world = await declared(version, lambda w: flow(w).get("reason") == reason)
    await world.rest(3600.0)
    told = flow(world)
    assert (told["verdict"], told["reason"]) == ("NoData", reason)
    assert len(jobs(world, "feasibility")) == 4
    assert world.status["candidate"]["held"]
    stalled = next(c for c in world.status["conditions"] if c["type"] == "Stalled")
    assert stalled["reason"] == reason
    assert world.status["next"]["what"].startswith("nothing by itself: ")
    assert pods(world, version) == -1  # held: its pods would only cost
    assert not world.status.get("rejected")
    assert world.notes.count(reason) == 4


async def test_a_report_that_cannot_be_read_runs_once_more() -> None:
    world = await declared(
        "garbled", lambda w: (w.status.get("candidate") or {}).get("held", False)
    )
    assert len(jobs(world, "feasibility")) == 2
    assert flow(world)["reason"] == "Malformed"


async def test_without_a_generator_it_is_held_until_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.world import world as module

    bare = module.config().model_copy(update={"images": type(module.config().images)()})
    monkeypatch.setattr(module, "config", lambda: bare)
    world = await declared("brisk", lambda w: flow(w).get("reason") == "NoLoadGenerator")
    assert world.status["next"]["what"] == "go on once the cause is gone: set images.tools"
    await world.rest(300.0)
    assert pods(world, "brisk") == -1 and not jobs(world, "feasibility")
    monkeypatch.undo()
    world = world.fork()
    await world.run(scenarios.live("brisk"), 900.0, "configured")


async def test_newer_content_ends_a_load_test_and_takes_its_pods() -> None:
    world = await declared("brisk", lambda w: bool(jobs(w, "feasibility")))
    scenarios.apply("better", scenarios.live("better")).do(world)
    await world.run(scenarios.live("better"), 900.0, "better")
    assert pods(world, "brisk") == -1
    assert not world.monitor.violations
