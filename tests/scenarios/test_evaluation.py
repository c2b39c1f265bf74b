"""Gate 1: every run has a Job and a record, and a run that failed is no rejection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import merit
from merit.objects.workload import deployment, stamped
from merit.reconciler.effects import accept
from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import USER, annotate, apply, exposed, live, rejected
from tests.world.evaluations import MALFORMED, NO_IMAGE, OOM_KILLED, REPORT_LOST, Ending
from tests.world.manifests import manifest
from tests.world.world import Step, World


def edited(version: str, until: Callable[[World], bool], **evaluation: Any) -> Step:
    """Git declares that version with another `spec.evaluation`."""

    def do(world: World) -> None:
        obj = manifest(version)
        obj["spec"]["evaluation"] |= evaluation
        world.store.apply(obj, USER)

    return Step(do, until, limit=4000.0, name=f"apply {version}, edited")


def bars(*more: dict[str, Any], least: str = "0.80") -> list[dict[str, Any]]:
    return [{"metric": "recall", "min": least}, *more]


def held(world: World) -> bool:
    return bool((world.status.get("candidate") or {}).get("held"))


def records(world: World) -> list[dict[str, str]]:
    found = [o["data"] for o in world.store.all("ConfigMap", labels="merit.dev/stage=evaluation")]
    return sorted(found, key=lambda data: data["at"])


def jobs(world: World) -> list[str]:
    return [job["metadata"]["name"] for job in world.store.all("Job")]


def evaluation(world: World) -> dict[str, Any]:
    (stage,) = [s for s in world.status["flow"] if s["stage"] == "Evaluation"]
    return dict(stage)


def condition(world: World, kind: str) -> dict[str, Any]:
    return next((c for c in world.status["conditions"] if c["type"] == kind), {})


async def first(*endings: Ending, **evaluation: Any) -> World:
    """A first version whose evaluations end so, until it is live, rejected or held."""

    def settled(world: World) -> bool:
        return live("good")(world) or rejected(world) or held(world)

    world = World((edited("good", settled, **evaluation),))
    world.actors.endings["good"] = endings
    return await world.play()


async def test_the_record_of_a_run_has_everything_that_the_verdict_came_from() -> None:
    world = await first(Ending())
    (record,) = records(world)
    (config_map,) = world.store.all("ConfigMap", labels="merit.dev/stage=evaluation")
    assert config_map["immutable"] is True
    assert config_map["metadata"]["name"] == world.invariants.jobs[0] == evaluation(world)["record"]
    assert (record["verdict"], record["reason"]) == ("Good", "MeetsBars")
    assert record["message"] == evaluation(world)["message"] == "recall 0.9 >= 0.80 (n=5,000)"
    assert json.loads(record["bars"]) == bars()
    assert json.loads(record["findings"])[0]["message"] == record["message"]
    report = json.loads(record["report"])
    assert (report["revision"], report["nonce"]) == (record["revision"], record["nonce"])
    assert record["images"] == "sha256:e0"
    assert record["started"] <= record["ended"] <= record["at"]
    assert (record["merit"], record["attempt"]) == (merit.__version__, "1")
    assert condition(world, "Evaluated")["message"] == record["message"]


async def test_a_killed_evaluator_runs_again_after_1_5_and_25_minutes_and_then_passes() -> None:
    world = await first(OOM_KILLED, OOM_KILLED, OOM_KILLED, Ending())
    assert [r["verdict"] for r in records(world)] == ["NoData", "NoData", "NoData", "Good"]
    at = [r["ended"] for r in records(world)]
    assert len(set(world.invariants.jobs)) == 4 and at == sorted(at)
    assert world.weights == {"good": 100}


async def test_after_four_failed_runs_the_candidate_is_held_and_nothing_more_runs() -> None:
    world = await first(OOM_KILLED)
    assert len(world.invariants.jobs) == len(records(world)) == 4
    assert condition(world, "Stalled")["reason"] == "JobFailed"
    assert "OOMKilled (exit code 137)" in condition(world, "Stalled")["message"]
    assert condition(world, "Evaluated")["status"] == "Unknown"
    assert not world.status.get("rejected") and world.weights == {}
    await world.advance(5.0)  # the Job of the run before goes once the last one is on record
    writes = world.server.writes
    await world.advance(7200.0)
    assert (len(world.invariants.jobs), world.server.writes) == (4, writes)


async def test_between_two_runs_status_says_when_the_next_one_starts() -> None:
    world = await World((edited("good", lambda w: bool(records(w))),)).fork().play()
    assert records(world)[0]["verdict"] == "Good"
    world = World((edited("good", lambda w: bool(records(w))),))
    world.actors.endings["good"] = (OOM_KILLED, Ending())
    await world.play()
    assert evaluation(world)["message"].endswith("runs again in 1m")
    assert world.status["next"] == {"what": "run its Job again", "at": "2027-01-15T08:01:10Z"}
    assert condition(world, "Reconciling")["reason"] == "JobFailed"
    assert not condition(world, "Stalled")


async def test_while_a_job_runs_status_has_its_deadline() -> None:
    world = World((edited("good", lambda w: bool((w.status.get("next") or {}).get("at"))),))
    await world.play()
    begun = world.store.objects[("Job", "risk", jobs(world)[0])]["metadata"]["creationTimestamp"]
    assert begun == "2027-01-15T08:00:00Z"
    job_ends = {"what": "judge the report when the Job ends", "at": "2027-01-15T09:00:00Z"}
    assert world.status["next"] == job_ends


async def test_the_log_of_a_run_that_did_not_pass_stays_until_something_newer_is_declared() -> None:
    world = World((edited("good", lambda w: bool(records(w))),))
    world.actors.endings["good"] = (OOM_KILLED, Ending())
    await world.play()
    await world.advance(30.0)
    (failed,) = jobs(world)
    assert evaluation(world)["record"] == failed, "where the docs say that its name is"
    await world.run(live("good"), 300.0, "the second run")
    await world.advance(30.0)
    assert not jobs(world)
    apply("inaccurate", rejected).do(world)
    await world.run(rejected, 300.0, "the rejection")
    await world.advance(600.0)
    assert jobs(world) == [evaluation(world)["record"]]
    apply("better", live("better")).do(world)
    await world.run(live("better"), 900.0, "better")
    await world.advance(30.0)
    assert not jobs(world)


async def test_a_held_evaluation_says_that_no_run_follows_and_what_a_person_can_do() -> None:
    world = await first(OOM_KILLED)
    record = evaluation(world)["record"]
    does = f"see kubectl logs job/{record} --all-containers; kubectl merit retry fraud-scorer"
    assert world.status["next"] == {"what": f"nothing by itself: {does} runs it again"}
    assert f"no run follows by itself: {does}" in condition(world, "Stalled")["message"]
    world = await first(MALFORMED)
    assert "write merit.dev/report/v1; kubectl merit retry" in world.status["next"]["what"]


async def test_a_malformed_report_is_retried_once_and_then_held() -> None:
    for broken, reason in (
        (MALFORMED, "Malformed"),
        (REPORT_LOST, "ReportLost"),
        (Ending(message=""), "ReportMissing"),
        (Ending(message="x" * 4096), "ReportTooLarge"),
        (Ending({"nonce": "of another run"}), "StaleReport"),
    ):
        world = await first(broken)
        assert [r["reason"] for r in records(world)] == [reason, reason]
        assert condition(world, "Stalled")["reason"] == reason
        assert not world.status.get("rejected")


async def test_an_image_that_cannot_be_pulled_is_reported_at_once_and_held_after_minutes() -> None:
    def waiting(world: World) -> bool:
        return "manifest unknown" in str(world.status.get("flow"))

    world = World((edited("good", waiting), steps.wait(held)))
    world.actors.endings["good"] = (NO_IMAGE,)
    world.script = (world.script[0], Step(lambda w: None, held, limit=4000.0, name="held"))
    await world.play()
    assert len(world.invariants.jobs) == 4
    assert condition(world, "Stalled")["reason"] == "JobFailed"
    assert "image cannot be pulled" in condition(world, "Stalled")["message"]


async def test_an_undecided_report_is_held_and_not_retried() -> None:
    world = await first(Ending(), bars=bars({"metric": "auc", "min": "0.5"}))
    assert len(world.invariants.jobs) == 1
    assert condition(world, "Stalled")["reason"] == "MetricMissing"
    assert evaluation(world)["message"].startswith("auc is not in the report; met: recall")


async def test_a_changed_threshold_starts_a_new_run_with_a_job_and_a_record_of_its_own() -> None:
    world = await first(Ending(), bars=bars({"metric": "auc", "min": "0.5"}))
    world.script = (*world.script, edited("good", live("good")))
    await world.play()
    assert len(set(world.invariants.jobs)) == len(records(world)) == 2
    assert [r["verdict"] for r in records(world)] == ["Undecided", "Good"]


async def test_a_changed_threshold_retries_a_rejected_version_and_the_same_manifest_does_not() -> (
    None
):
    step = apply("inaccurate", rejected)
    world = await World((*rollouts.FIRST, step, apply("inaccurate", rejected, hold=600.0))).play()
    assert len(world.invariants.jobs) == 2
    world.script = (*world.script, edited("inaccurate", live("inaccurate"), bars=bars(least="0.4")))
    await world.play()
    assert len(set(world.invariants.jobs)) == 3


async def test_the_same_manifest_after_another_one_is_a_run_of_its_own() -> None:
    auc = bars({"metric": "auc", "min": "0.5"})
    world = await first(Ending(), bars=auc)
    again = (apply("better", live("better")), edited("good", held, bars=auc))
    world.script = (*world.script, *again)
    await world.play()
    assert len(set(world.invariants.jobs)) == len(world.invariants.jobs) == 3


async def test_the_same_manifest_again_and_a_restart_start_nothing() -> None:
    world = await first(MALFORMED)
    jobs = list(world.invariants.jobs)
    restarted = world.fork()
    restarted.actors.endings["good"] = (MALFORMED,)
    for operator in (world, restarted):
        operator.store.apply(manifest("good"), USER)
        await operator.advance(600.0)
        assert operator.invariants.jobs == jobs and len(records(operator)) == 2


async def test_a_restart_while_the_evaluator_runs_leaves_one_job_and_one_record() -> None:
    running = edited("good", lambda w: bool(w.invariants.jobs))
    world = (await World((running,)).play()).fork()
    world.script = (*world.script, Step(lambda w: None, live("good"), name="live"))
    await world.play()
    assert len(world.invariants.jobs) == len(records(world)) == 1


async def test_a_retry_token_runs_a_held_evaluation_again() -> None:
    world = await first(MALFORMED, MALFORMED, Ending())
    assert held(world)
    short = world.status["candidate"]["short"]
    annotate(world, "retry", short)
    await world.run(live("good"), 900.0, "retried")
    assert len(set(world.invariants.jobs)) == 3


async def test_an_exit_code_alone_passes_or_rejects_with_a_reason_of_its_own() -> None:
    only = {"report": {"format": "ExitCode"}, "bars": []}
    world = await first(Ending(message=""), **only)
    assert condition(world, "Evaluated")["reason"] == "ExitCodeOnly"
    world = await first(Ending(message="", exit_code=3, reason="Error"), **only)
    assert condition(world, "Evaluated")["reason"] == "ExitCode"
    assert world.status["phase"] == "Rejected"
    world = await first(OOM_KILLED, Ending(message=""), **only)
    assert [r["reason"] for r in records(world)] == ["JobFailed", "ExitCodeOnly"]


async def test_a_candidate_is_compared_with_the_record_of_stable() -> None:
    compared = bars({"metric": "recall", "noWorseThanStable": "0.01"})
    world = await first(Ending(), bars=compared)
    assert "does not apply" in json.loads(records(world)[0]["findings"])[1]["message"]
    worse = {"recall": {"v": 0.85, "n": 5000}}
    world.actors.endings["worse"] = (Ending({"metrics": worse}),)
    world.script = (*world.script, edited("worse", rejected, bars=compared))
    await world.play()
    assert "recall -0.05 vs stable, 0.05 worse > 0.01" in evaluation(world)["message"]
    other = {"metrics": worse, "dataset": {"name": "new", "digest": "sha256:d5"}}
    world.actors.endings["elsewhere"] = (Ending(other),)
    world.script = (*world.script, edited("elsewhere", held, bars=compared))
    await world.play()
    assert condition(world, "Stalled")["reason"] == "NoComparison"
    assert world.weights == {"good": 100}


async def test_what_never_served_is_compared_again_with_what_serves_now() -> None:
    compared = bars({"metric": "recall", "noWorseThanStable": "0.01"})
    world = await first(Ending(), bars=compared)
    world.actors.endings["best"] = (Ending({"metrics": {"recall": {"v": 0.98, "n": 5000}}}),)
    world.script = (
        *world.script,
        edited("better", exposed("better"), bars=compared),
        edited("best", live("best"), bars=compared),
        edited("better", rejected, bars=compared),
    )
    await world.play()
    assert "recall -0.08 vs stable" in evaluation(world)["message"]
    world.script = (*world.script, edited("good", live("good"), bars=compared))
    await world.play()  # a revert to what served all users is not held up
    assert evaluation(world)["reason"] in ("AlreadyPassed", "Restored")


async def test_edited_bars_restart_no_pod_though_a_newer_operator_renders_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await first(Ending())
    ref = ("Deployment", "risk", f"fraud-scorer-{world.status['stable']['short']}")
    template = world.store.objects[ref]["spec"]["template"]

    def rendered_otherwise(*args: Any) -> dict[str, Any]:
        made = deployment(*args)
        made["spec"]["template"]["spec"]["newer"] = True
        return stamped(made)

    monkeypatch.setattr(accept, "deployment", rendered_otherwise)
    before = world.status["stable"]["policy"]

    def judged_anew(world: World) -> bool:
        return bool(world.status["stable"]["policy"] != before)

    world.script = (*world.script, edited("good", judged_anew, bars=bars(least="0.85")))
    await world.play()
    await world.advance(60.0)
    assert world.store.objects[ref]["spec"]["template"] == template


async def test_an_unfair_version_is_rejected_and_its_slice_is_named() -> None:
    fair = bars({"metric": "recall", "slices": ["region=*"], "maxSpread": "0.05"})

    def sliced(south: int) -> Ending:
        found = {"region=north": {"k": 450, "n": 500}, "region=south": {"k": south, "n": 500}}
        return Ending({"slices": {name: {"recall": value} for name, value in found.items()}})

    world = await first(sliced(445), bars=fair)
    assert world.weights == {"good": 100}
    world.actors.endings["unfair"] = (sliced(250),)
    world.script = (*world.script, edited("unfair", rejected, bars=fair))
    await world.play()
    assert "region=south 0.5, region=north 0.9" in evaluation(world)["message"]
    assert "region=south" in condition(world, "Stalled")["message"]
    assert world.weights == {"good": 100}


async def test_a_report_format_without_an_adapter_is_refused_before_anything_runs() -> None:
    def refused(world: World) -> bool:
        return bool(world.status.get("phase") == "Invalid")

    world = World((edited("good", refused, report={"format": "MLflow"}),))
    await world.play()
    assert "images.report" in condition(world, "Stalled")["message"]
    assert not world.invariants.jobs


async def test_records_and_specs_of_old_revisions_are_deleted_and_the_newest_stay() -> None:
    script = [*rollouts.FIRST]
    for n in range(6):
        script.append(apply(f"v{n}", live(f"v{n}")))
        script.append(apply("inaccurate" if n == 0 else f"bad{n}", rejected))
    world = World(script)
    for n in range(1, 6):
        world.actors.endings[f"bad{n}"] = (Ending({"metrics": {"recall": 0.1}}),)
    await world.play()
    await world.advance(300.0)
    kept = [r["version"] for r in records(world)]
    assert kept == ["v2", "v3", "bad3", "v4", "bad4", "v5", "bad5"]
    specs = list(world.store.all("ControllerRevision"))
    assert {s["data"]["spec"]["model"]["version"] for s in specs} == {
        "v2",
        "v3",
        "v4",
        "v5",
        "bad5",
    }
    assert not world.invariants.violations
