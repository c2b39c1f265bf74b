"""What can happen to a canary: pods, nodes, gateways, edits; and what is blamed on it."""

from __future__ import annotations

import pytest

from merit.config import Config
from merit.traffic.gateway_api import acceptance_of
from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import annotate, change, exposed, live, weighs
from tests.world.manifests import OBJECT, config, manifest
from tests.world.pods import CRASH_LOOP, NOT_READY, OOM_KILLED_ONCE
from tests.world.world import World

CANARY = (*rollouts.FIRST, steps.apply("better", exposed("better")))


def requests(world: World) -> float:
    """What the evidence rests on: requests of the canary."""
    return float(world.status["analysis"]["signals"][0]["canary"].split()[0])


def summary_and_next(world: World) -> str:
    return str(world.status.get("summary", "")) + str((world.status.get("next") or {}).get("what"))


async def test_all_pods_down_means_weight_0_in_the_next_pass_and_a_crash_loop_is_rejected() -> None:
    world = await World(CANARY).play()
    at = world.now
    world.set_pods("better", 8, CRASH_LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 1.0, "weight 0")
    assert world.now - at <= 1.0
    await world.run(lambda w: w.status["phase"] == "RolledBack", 30.0, "rejected")
    assert world.status["rejected"][0]["reason"] == "PodsDown"


async def test_a_lost_node_withdraws_the_candidate_and_status_says_where_it_starts_again() -> None:
    script = (*CANARY, steps.wait(weighs("better", 50)))
    world = await World(script).play()
    world.set_pods("better", 8, NOT_READY)
    await world.run(lambda w: w.weights == {"good": 100}, 1.0, "weight 0")
    await world.advance(60.0)
    assert world.status["phase"] == "Withdrawn" and not world.status.get("rejected")
    conditions = {c["type"]: c for c in world.status["conditions"]}
    assert conditions["Reconciling"]["reason"] == "Withdrawn"
    assert "it was at 50%, step 2 of 3" in summary_and_next(world)
    assert (
        "start again at 10%, with no evidence carried over, when 2 of its pods"
        in summary_and_next(world)
    )
    world.heal_pods()
    await world.run(weighs("better", 10), 120.0, "at its first step again")
    await world.run(live("better"), 900.0, "and through")
    assert not world.invariants.violations


async def test_one_pod_out_of_memory_rejects_nothing() -> None:
    world = await World(CANARY).play()
    world.set_pods("better", 1, OOM_KILLED_ONCE)
    await world.run(live("better"), 900.0, "promoted all the same")


async def test_pods_that_fail_as_often_under_stable_are_not_blamed_on_the_candidate() -> None:
    world = await World(CANARY).play()
    world.set_pods("good", 1, CRASH_LOOP)
    world.set_pods("better", 8, CRASH_LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 1.0, "weight 0 in every case")
    await world.advance(60.0)
    assert world.status["phase"] in ("Withdrawn", "RolledBack")


async def test_a_candidate_whose_pods_never_become_ready_is_rejected_in_time() -> None:
    world = await World(rollouts.FIRST).play()
    world.set_pods("better", 8, NOT_READY)
    steps.apply("better", exposed("better")).do(world)
    await world.run(lambda w: w.status["phase"] == "Starting", 60.0, "its pods start")
    await world.advance(300.0)
    assert not world.status.get("rejected")
    world.actors.deadline_exceeded = True
    world.wake_actors()
    await world.run(lambda w: bool(w.status.get("rejected")), 30.0, "its deadline")
    assert world.status["rejected"][0]["reason"] == "NeverReady"
    assert "better" not in world.traffic.versions.values() or "better" not in world.weights


async def test_a_candidate_with_half_of_its_pods_never_ready_is_held_and_reported() -> None:
    world = await World(rollouts.FIRST).play()
    world.set_pods("better", 1, NOT_READY)
    steps.apply("better", exposed("better")).do(world)
    await world.run(lambda w: w.status["phase"] == "Starting", 60.0, "its pods start")
    await world.advance(10.0)
    world.actors.deadline_exceeded = True
    world.wake_actors()
    await world.advance(300.0)
    assert not world.status.get("rejected") and world.weights == {"good": 100}
    conditions = {c["type"]: c for c in world.status["conditions"]}
    assert conditions["Stalled"]["reason"] == "NeverReady"


async def test_a_gateway_that_never_accepts_the_split_gets_the_old_route_back() -> None:
    world = await World(rollouts.FIRST).play()
    world.actors.gateway_refuses = "split"
    steps.apply("better", exposed("better")).do(world)
    await world.run(exposed("better"), 120.0, "the split is written")
    await world.run(lambda w: w.weights == {"good": 100}, 400.0, "and withdrawn")
    assert world.status["phase"] == "Withdrawn" and not world.status.get("rejected")
    world.actors.gateway_refuses = ""
    await world.run(live("better"), 1800.0, "the gateway is in order")
    assert not world.invariants.violations


def accepted(world: World) -> bool:
    """The gateway takes the route as it stands."""
    return acceptance_of(world.store.objects["HTTPRoute", *world.key])[0] is True


async def test_a_gateway_that_refuses_even_the_announcement_gets_the_old_route_back() -> None:
    world = await World(rollouts.FIRST).play()
    world.actors.gateway_refuses = "announcement"
    steps.apply("better", exposed("better")).do(world)
    await world.run(lambda w: w.status["phase"] == "Withdrawn", 400.0, "it is withdrawn")
    await world.run(accepted, 30.0, "the old route is back, and accepted")
    assert world.weights == {"good": 100} and not world.status.get("rejected")
    world.actors.gateway_refuses = ""
    await world.run(live("better"), 1800.0, "the gateway is in order")
    assert not world.invariants.violations


async def test_evidence_survives_a_pause_and_no_weight_rises_meanwhile() -> None:
    world = await World(CANARY).play()
    await world.advance(20.0)
    change("paused", True, lambda w: True).do(world)
    await world.advance(300.0)
    assert weighs("better", 10)(world)
    before = requests(world)
    change("paused", False, lambda w: True).do(world)
    await world.advance(20.0)
    after = requests(world)
    assert 0 < before < after
    await world.run(live("better"), 900.0, "it goes on")


async def test_a_pause_does_not_protect_a_bad_version() -> None:
    script = (*rollouts.FIRST, steps.apply("failing", exposed("failing")))
    world = await World(script).play()
    change("paused", True, lambda w: True).do(world)
    await world.run(steps.rolled_back, 300.0, "rolled back though paused")


async def test_new_thresholds_in_mid_canary_restart_the_evidence_and_run_no_gate_again() -> None:
    world = await World(CANARY).play()
    await world.advance(40.0)
    jobs, weight = len(world.invariants.jobs), world.weights["better"]
    before = requests(world)
    change("constraints.errors", {"max": "2%"}, lambda w: True).do(world)
    await world.advance(16.0)
    after = requests(world)
    assert after < before and world.weights["better"] == weight
    await world.run(live("better"), 900.0, "through under the new bars")
    assert len(world.invariants.jobs) == jobs
    assert not world.invariants.violations


def scraped(seconds: float) -> Config:
    """The operator's configuration with that interval between two samples."""
    usual = config()
    judgement = usual.judgement.model_copy(update={"scrape": seconds})
    return usual.model_copy(update={"judgement": judgement})


def other_source() -> Config:
    """The operator's configuration with its source under another name."""
    usual = config()
    sources = {"other": usual.metrics.sources["world"]}
    metrics = usual.metrics.model_copy(update={"default": "other", "sources": sources})
    return usual.model_copy(update={"metrics": metrics})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (scraped(31.0), "scrapes are 31s apart, before 15s"),
        (scraped(7.0), "scrapes are 7s apart, before 15s"),
        (other_source(), "it is measured by other, before by world"),
    ],
)
async def test_evidence_that_is_measured_differently_restarts_at_the_present_weight(
    monkeypatch: pytest.MonkeyPatch, changed: Config, why: str
) -> None:
    world = await World(CANARY).play()
    await world.advance(40.0)
    before, weight = requests(world), world.weights["better"]
    monkeypatch.setattr("tests.world.world.config", lambda: changed)
    restarted = world.fork()  # the operator starts with its new configuration
    await restarted.advance(16.0)
    assert requests(restarted) < before and restarted.weights["better"] == weight
    decision = restarted.status["decisions"][0]
    assert decision["why"] == why and decision["what"].endswith("begins anew")
    await restarted.run(live("better"), 900.0, "through, on evidence of one kind")
    assert [line["why"] for line in restarted.status["decisions"]].count(why) == 1
    assert not restarted.invariants.violations


@pytest.mark.parametrize("scrape", [30.0, 8.0])
async def test_a_scrape_interval_within_a_factor_of_two_keeps_the_evidence(
    monkeypatch: pytest.MonkeyPatch, scrape: float
) -> None:
    world = await World(CANARY).play()
    await world.advance(20.0)
    before = requests(world)
    monkeypatch.setattr("tests.world.world.config", lambda: scraped(scrape))
    restarted = world.fork()
    await restarted.advance(16.0)
    assert requests(restarted) > before > 0


async def test_a_bad_version_is_found_though_its_evidence_was_restarted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = (*rollouts.FIRST, steps.apply("failing", exposed("failing")))
    world = await World(script).play()
    await world.advance(16.0)
    monkeypatch.setattr("tests.world.world.config", lambda: scraped(60.0))
    restarted = world.fork()
    await restarted.run(steps.rolled_back, 300.0, "rolled back")
    assert not restarted.invariants.violations


async def test_an_invalid_edit_freezes_the_weight_and_does_not_stop_the_judgement() -> None:
    script = (*rollouts.FIRST, steps.apply("failing", exposed("failing")))
    world = await World(script).play()
    change("constraints.latency.p99", "soon", lambda w: True).do(world)
    await world.run(lambda w: w.weights == {"good": 100}, 300.0, "by the last accepted spec")
    assert "constraints.latency.p99" in world.status["summary"]
    right = OBJECT["spec"]["constraints"]["latency"]["p99"]
    change("constraints.latency.p99", right, lambda w: True).do(world)
    await world.run(steps.rolled_back, 60.0, "and it stays rejected")
    assert not world.invariants.violations


async def test_after_an_invalid_edit_the_same_source_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = other_source()
    sources = {"world": both.metrics.sources["other"], **both.metrics.sources}
    metrics = both.metrics.model_copy(update={"default": "world", "sources": sources})
    both = both.model_copy(update={"metrics": metrics})
    monkeypatch.setattr("tests.world.world.config", lambda: both)
    world = World(())
    for version, until in (("good", live("good")), ("better", exposed("better"))):
        declared = manifest(version)
        declared["spec"]["monitoring"] = {"source": "other"}
        world.store.apply(declared, steps.USER)
        await world.run(until, 900.0, version)
    await world.advance(20.0)
    before = requests(world)
    change("goal.objective", "", lambda w: True).do(world)
    await world.advance(16.0)
    assert "goal.objective" in world.status["summary"]
    assert world.status["analysis"]["source"] == "other" and requests(world) > before > 0


async def test_a_candidate_withdrawn_as_inconclusive_waits_for_a_person() -> None:
    edits = (
        change("rollout.onInconclusive", "Withdraw", lambda w: True),
        change("rollout.blastRadius", "0.01%", lambda w: True),
        change("rollout.maxDuration", "3m", lambda w: True),
    )
    world = await World((*CANARY, *edits)).play()
    await world.run(lambda w: w.status["phase"] == "Withdrawn", 900.0, "no proof in time")
    await world.advance(600.0)
    assert world.weights == {
        "good": 100
    } and "kubectl merit retry fraud-scorer" in summary_and_next(world)
    annotate(world, "retry", "CANDIDATE")
    await world.run(exposed("better"), 120.0, "a person tries again")
    assert not world.invariants.violations


async def test_the_decision_to_enter_a_step_says_how_long_it_takes() -> None:
    scale = {"rps": 4, "replicas": {"min": 2, "max": 2}}
    world = await World(rollouts.FIRST).play()
    change("constraints.scale", scale, lambda w: True).do(world)
    await world.advance(60.0)
    edited = manifest("better")
    edited["spec"]["constraints"]["scale"] = scale
    world.store.apply(edited, steps.USER)
    await world.run(exposed("better"), 200.0, "its first step")
    reasons = [line["why"] for line in world.status["decisions"] if line["what"].startswith("0%")]
    assert "10% of 4/s is 0.4 requests/s: about" in reasons[0]


async def test_pods_are_ready_before_the_traffic_that_needs_them() -> None:
    scale = {"rps": 50, "replicas": {"min": 1, "max": 8}}  # and 200 really come
    world = await World(rollouts.FIRST).play()
    change("constraints.scale", scale, lambda w: True).do(world)
    await world.advance(120.0)
    edited = manifest("better")
    edited["spec"]["constraints"]["scale"] = scale
    world.store.apply(edited, steps.USER)
    for weight, pods in ((10, 1), (50, 3), (90, 4)):
        await world.run(weighs("better", weight), 900.0, f"{weight}%")
        name = f"fraud-scorer-{world.status['candidate']['short']}"
        deployment = world.store.objects["Deployment", "risk", name]
        assert deployment["status"]["readyReplicas"] >= pods
    await world.run(live("better"), 900.0, "promoted")
    assert deployment["spec"]["replicas"] >= 4
    assert not world.invariants.violations
