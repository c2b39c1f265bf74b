"""`kubectl merit` against a real API server, with an operator that acknowledges."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from e2e.cluster import build
from tests.apiserver.crds import ROOT
from tests.apiserver.stage import Stage, live, rolled_back

pytestmark = pytest.mark.apiserver


async def merit(stage: Stage, *words: str, working: bool = True) -> tuple[int, str, str]:
    """Exit code and what it prints; meanwhile the operator works, unless it does not."""
    kubectl = Path(build.component("kubectl")).parent
    environment = os.environ | {
        "PATH": f"{kubectl}:{os.environ['PATH']}",
        "KUBECONFIG": str(stage.plane.kubeconfig),
        "PYTHONPATH": str(ROOT / "operator"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "merit.cli.kubectl_plugin", *words, "-n", stage.key.namespace,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ended = asyncio.ensure_future(process.communicate())
    while not ended.done():
        if working:
            await stage.step()
        await asyncio.sleep(0.05)
    out, err = await ended
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def to_canary(stage: Stage, version: str = "better") -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    stage.declare(version)
    await stage.run(lambda s: 0 < s.weights.get(version, 0) < 100, "a canary")


async def test_abort_says_what_happened_and_retry_tries_again(stage: Stage) -> None:
    await to_canary(stage)
    short = stage.status["candidate"]["short"]
    code, out, err = await merit(stage, "abort", "fraud-scorer")
    assert (code, err) == (0, "")
    assert out.startswith(f"{short} ") and "-> 0%, aborted" in out
    await stage.run(rolled_back, "aborted")
    managers = [
        entry["manager"]
        for entry in stage.mdep["metadata"]["managedFields"]
        if "f:merit.dev/abort" in str(entry)
    ]
    assert managers == ["merit-cli"]
    code, out, _ = await merit(stage, "retry", "fraud-scorer")
    assert code == 0 and out.startswith(f"{short} runs again")
    await stage.run(lambda s: s.weights.get("better", 0) > 0, "a canary again")


async def test_promote_and_rollback_go_there_and_back(stage: Stage) -> None:
    await to_canary(stage)
    code, out, err = await merit(stage, "promote", "fraud-scorer")
    assert (code, err) == (0, "") and "promoted" in out
    await stage.run(live("better"), "promoted")
    code, out, err = await merit(stage, "rollback", "fraud-scorer")
    assert (code, err) == (0, "") and "serves again" in out
    await stage.run(rolled_back, "rolled back")


async def test_approve_lets_the_step_be_entered(stage: Stage) -> None:
    rollout = stage.declared("better")["rollout"] | {"approvals": [50]}
    stage.declare("good", rollout=rollout)
    await stage.run(live("good"), "the first version serves")
    stage.declare("better", rollout=rollout)

    def waits(at: Stage) -> bool:
        return "waits for a person" in at.status.get("summary", "")

    await stage.run(waits, "it waits for a person")
    _, told, _ = await merit(stage, "status", "fraud-scorer")
    assert "it waits for a person: kubectl merit approve fraud-scorer" in told
    assert "candidate: version better" in told and "at 10%" in told
    code, out, _ = await merit(stage, "approve", "fraud-scorer")
    assert code == 0 and "approved up to 50%" in out
    await stage.run(lambda s: s.weights.get("better") == 50, "the step is entered")


async def test_what_cannot_be_done_is_a_sentence(stage: Stage) -> None:
    code, _, err = await merit(stage, "abort", "nobody")
    assert code == 1 and '"nobody" not found' in err
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    code, _, err = await merit(stage, "promote", "fraud-scorer")
    assert code == 1 and "nothing to promote: there is no candidate (Live)" in err
    code, _, err = await merit(stage, "rollback", "fraud-scorer")
    assert code == 1 and "no earlier revision is on record" in err
    code, _, err = await merit(stage, "retry", "fraud-scorer")
    assert code == 1 and "is not rejected" in err
    code, _, err = await merit(stage, "abort", "fraud-scorer", "--timeout=1", working=False)
    assert code == 2 and "is not acknowledged after 1s" in err
