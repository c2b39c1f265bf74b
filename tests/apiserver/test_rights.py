"""The chart's role against the audit log: no right is missing, and none is left over.

The operator lives under its own account here: as the real process, and as a whole life of a model.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.cluster.controlplane import ControlPlane
from merit.kube.client import Cluster
from merit.kube.errors import Conflict
from tests.apiserver.account import ACCOUNT, GONE, NAMESPACE, NARROW, OWN, whole
from tests.apiserver.processes import environment, eventually
from tests.apiserver.stage import Stage, live, rolled_back
from tests.apiserver.stage import scaled as pods
from tests.world.manifests import NAME, autoscaled

pytestmark = pytest.mark.apiserver

Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""


def granted(objects: Iterable[Mapping[str, Any]]) -> set[Right]:
    return {
        (group, resource, verb)
        for obj in objects
        for rule in obj.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def audited(plane: ControlPlane, account: str = ACCOUNT) -> tuple[set[Right], list[str]]:
    """What the account has done with objects, and what it was forbidden."""
    assert plane.audit_log is not None
    used, forbidden = set(), []
    for line in plane.audit_log.read_text().splitlines():
        event = json.loads(line)
        what = event.get("objectRef")
        if event["user"]["username"] != account or not what:
            continue
        if event["responseStatus"]["code"] == 403:
            forbidden.append(f"{event['verb']} {event['requestURI']}")
        parts = (what["resource"], what.get("subresource"))
        used.add((what.get("apiGroup", ""), "/".join(filter(None, parts)), event["verb"]))
    return used, forbidden


class Repeats(Cluster):
    """A connection that sends the first create of each kind twice, as a proxy may: what is made is
    answered with a Conflict. The first status likewise.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._repeated: set[str] = set()

    async def create(self, obj: Any, *, dry_run: bool = False, timeout: float = 10.0) -> Any:
        made = await super().create(obj, dry_run=dry_run, timeout=timeout)
        self._repeat(made["kind"] if not dry_run else "")
        return made

    async def patch_status(self, obj: Any, status: Any, *, timeout: float = 10.0) -> Any:
        made = await super().patch_status(obj, status, timeout=timeout)
        self._repeat("status")
        return made

    def _repeat(self, what: str) -> None:
        if what and what not in self._repeated:
            self._repeated.add(what)
            raise Conflict(409, "AlreadyExists", f"{what} exists already")


@pytest_asyncio.fixture
async def stage(confined: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A namespace with the world's actors, and an operator under its own account."""
    monkeypatch.setenv("KUBECONFIG", str(confined.kubeconfig_for(ACCOUNT)))
    cluster = await Repeats.connect()
    made = Stage(confined, cluster, NAMESPACE)
    yield made
    made.api.close()
    await cluster.close()


class Process:
    """`merit run` as its image starts it, under an account."""

    def __init__(self, plane: ControlPlane, directory: Path, account: str, **config: Any) -> None:
        self._plane, self._account, self._directory = plane, account, directory
        self._config = config
        self._output = directory / f"{account.rpartition(':')[2]}.log"

    async def __aenter__(self) -> Process:
        file = self._directory / "config.yaml"
        file.write_text(json.dumps(self._config))
        kubeconfig = str(self._plane.kubeconfig_for(self._account))
        with self._output.open("w") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "merit", "run", "--config", file,
                "--listen", "127.0.0.1:0", "--namespace", OWN,
                env=environment(self._plane) | {"KUBECONFIG": kubeconfig},
                stdout=output, stderr=output,
            )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        await self._process.wait()

    async def says(self, words: str) -> None:
        """Wait until it has logged that; AssertionError if it ends before."""

        def said() -> bool:
            assert self._process.returncode is None, self._output.read_text()[-2000:]
            return words in self._output.read_text()

        await eventually(said)


async def watches_everything(plane: ControlPlane) -> None:
    wanted = {right for right in granted(whole()) if right[2] == "watch"}
    await eventually(lambda: wanted <= audited(plane)[0])


def scaled(version: str, *, retrained: bool = False) -> dict[str, Any]:
    """Of the spec of a version: load may scale it, and a CronJob may train it again."""
    spec = autoscaled(version)["spec"]
    if retrained:
        spec["failureModes"][1]["response"] = "Retrain"
    spec["retrain"] = {"cronJob": "train"}
    spec["rollbackPolicy"]["keepRevisions"] = 1
    parts = ("constraints", "serving", "failureModes", "retrain", "rollbackPolicy")
    return {part: spec[part] for part in parts}


def replicas(stage: Stage) -> int:
    """Of the Deployment of what serves."""
    name = f"{NAME}-{stage.status['stable']['short']}"
    return int(stage.store.objects["Deployment", NAMESPACE, name]["spec"]["replicas"])


def records(stage: Stage, short: str) -> list[str]:
    """Names of the records of one revision's gates."""
    return [name for kind, _, name in stage.store.objects if kind == "ConfigMap" and short in name]


async def a_whole_life(stage: Stage) -> None:
    """Versions come, are scaled, promoted, rolled back, trained again, forgotten."""
    stage.plane.kubectl(
        "-n", NAMESPACE, "create", "cronjob", "train", "--image=t:1", "--schedule=@yearly"
    )
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    first = stage.status["stable"]["short"]
    stage.declare("good", **pods(3))
    await stage.run(lambda s: replicas(s) == 3, "it has three pods")
    stage.declare("failing", **scaled("failing"))
    await stage.run(rolled_back, "the second one is rolled back")
    stage.declare("fixed", **scaled("fixed", retrained=True))
    await stage.run(live("fixed"), "the fix serves")
    stage.traffic.set_errors("fixed", 0.2)
    await stage.run(lambda s: bool(s.status.get("retrain")), "a training begins")
    stage.traffic.set_errors("fixed", 0.0)
    stage.declare("better", **scaled("better"))
    await stage.run(live("better"), "the next one serves")
    await stage.run(lambda s: not records(s, first), "the first one's records are deleted")


async def test_the_role_grants_what_the_operator_does_and_nothing_else(
    confined: ControlPlane, stage: Stage, tmp_path: Path
) -> None:
    async with Process(confined, tmp_path, ACCOUNT) as process:
        await process.says('"leading"')
        await watches_everything(confined)
    await a_whole_life(stage)
    used, forbidden = audited(confined)
    assert not forbidden
    difference = sorted(used ^ granted(whole()))
    assert not difference, difference


async def test_with_named_namespaces_one_that_was_deleted_is_skipped_and_said(
    confined: ControlPlane, tmp_path: Path
) -> None:
    confined.kubectl("delete", "namespace", GONE, "--ignore-not-found")
    config = {"watch": {"namespaces": [NAMESPACE, GONE]}}
    async with Process(confined, tmp_path, NARROW, **config) as process:
        await process.says(f"namespace {GONE} is skipped until it may be listed")
        await process.says('"leading"')
