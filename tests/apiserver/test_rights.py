"""The chart's role against the audit log: no right is missing, and none is left over; and what the
operator's token is worth to somebody else.

The operator lives under its own account here: as the real process, and as a whole life of a model.
"""

from __future__ import annotations

import asyncio
import copy
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.paths import ClusterError
from merit.kube.client import Cluster
from merit.kube.errors import Conflict
from merit.objects.workload import owner_reference
from tests.apiserver.crds import apply, define_gateway_api, define_merit
from tests.apiserver.processes import PATIENCE, environment, eventually
from tests.apiserver.stage import Stage, live, rolled_back
from tests.apiserver.stage import scaled as pods
from tests.chart.rendered import render
from tests.world.manifests import NAME, autoscaled

pytestmark = pytest.mark.apiserver

NAMESPACE, OWN, GONE = "models", "merit-system", "gone"
ACCOUNT = "system:serviceaccount:merit-system:merit"
NARROW = "system:serviceaccount:merit-system:narrow"  # with named namespaces
CREATE = ("create", "--dry-run=server")
Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with an audit log, and the chart's rights for two operators."""
    groups = ("system:serviceaccounts", "system:authenticated")
    tokens = {ACCOUNT: groups, NARROW: groups}
    with ControlPlane(tmp_path_factory.mktemp("rights"), tokens=tokens, audit=True) as running:
        define_merit(running)
        define_gateway_api(running)
        for namespace in (NAMESPACE, OWN, GONE):
            running.kubectl("create", "namespace", namespace)
        for obj in (*whole(), *narrow(), *policies()):
            apply(running, obj)
        until_confined(running)
        yield running


def policies() -> list[dict[str, Any]]:
    """The chart's admission policies, all of them."""
    return [o for o in render() if o["kind"].startswith("ValidatingAdmissionPolicy")]


def until_confined(plane: ControlPlane) -> None:
    """New policies need a moment each."""
    for obj, words in (
        (child("Service"), "no params found"),
        (child("Service", owned=False, labelled=False), "controller is a ModelDeployment"),
    ):
        deadline = time.monotonic() + PATIENCE
        while words not in (said := stolen(plane, OWN, *CREATE, obj=obj)):
            assert time.monotonic() < deadline, said
            time.sleep(0.1)


def whole() -> list[dict[str, Any]]:
    """The roles of an operator of all namespaces."""
    return roles(render(rbac={"userRoles": False}))


def narrow() -> list[dict[str, Any]]:
    """Those of one that serves two namespaces; its Lease's are the other's, under its name."""
    account = {"create": False, "name": "narrow"}
    namespaces = {"watch": {"namespaces": [NAMESPACE, GONE]}}
    made = roles(render(rbac={"userRoles": False}, serviceAccount=account, config=namespaces))
    for obj in made:
        obj["metadata"]["name"] = obj["metadata"]["name"].replace("merit", "narrow")
        if "roleRef" in obj:
            obj["roleRef"]["name"] = obj["roleRef"]["name"].replace("merit", "narrow")
    return made


VERSIONS = {"Deployment": "apps/v1", "Service": "v1", "ConfigMap": "v1"}


def child(kind: str, *, owned: bool = True, labelled: bool = True, **spec: Any) -> dict[str, Any]:
    """An object as the operator makes them."""
    owner = owner_reference("fraud-scorer", "0")
    if kind == "Deployment":
        pod = {"containers": [{"name": "c", "image": "i:1"}]} | spec
        label = {"a": "b"}
        spec = {"selector": {"matchLabels": label}}
        spec["template"] = {"metadata": {"labels": label}, "spec": pod}
    elif kind == "Service":
        spec = {"ports": [{"port": 80}]}
    return {
        "apiVersion": VERSIONS[kind],
        "kind": kind,
        "metadata": {
            "name": "stolen",
            "labels": {"merit.dev/name": "fraud-scorer"} if labelled else {},
            "ownerReferences": [owner] if owned else [],
        },
    } | ({"spec": spec} if spec else {})


def stolen(plane: ControlPlane, namespace: str, *words: str, obj: Any = None) -> str:
    """The error that kubectl gets under the operator's account; "" if it gets none."""
    stdin, given = (json.dumps(obj), ("-f", "-")) if obj else (None, ())
    try:
        plane.kubectl("-n", namespace, f"--as={ACCOUNT}", *words, *given, stdin=stdin)
    except ClusterError as error:
        return str(error)
    return ""


def roles(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [copy.deepcopy(o) for o in objects if o["apiVersion"].startswith("rbac.")]


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
async def stage(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A namespace with the world's actors, and an operator under its own account."""
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig_for(ACCOUNT)))
    cluster = await Repeats.connect()
    made = Stage(plane, cluster, NAMESPACE)
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
    plane: ControlPlane, stage: Stage, tmp_path: Path
) -> None:
    async with Process(plane, tmp_path, ACCOUNT) as process:
        await process.says('"leading"')
        await watches_everything(plane)
    await a_whole_life(stage)
    used, forbidden = audited(plane)
    assert not forbidden
    difference = sorted(used ^ granted(whole()))
    assert not difference, difference


async def test_with_named_namespaces_one_that_was_deleted_is_skipped_and_said(
    plane: ControlPlane, tmp_path: Path
) -> None:
    plane.kubectl("delete", "namespace", GONE, "--ignore-not-found")
    config = {"watch": {"namespaces": [NAMESPACE, GONE]}}
    async with Process(plane, tmp_path, NARROW, **config) as process:
        await process.says(f"namespace {GONE} is skipped until it may be listed")
        await process.says('"leading"')


@pytest.fixture(scope="module")
def tenant(plane: ControlPlane) -> str:
    """A namespace with a ModelDeployment, and with what belongs to others."""
    plane.kubectl("create", "namespace", "tenant")
    manifest = autoscaled("good")
    manifest["metadata"]["namespace"] = "tenant"
    apply(plane, manifest)
    for obj in (child("Deployment", owned=False, labelled=False),
                child("Service", owned=False, labelled=False),
                child("ConfigMap", owned=False, labelled=False)):  # fmt: skip
        name = "books-ledger" if obj["kind"] == "ConfigMap" else "theirs"
        apply(plane, obj | {"metadata": {"name": name, "namespace": "tenant"}})
    return "tenant"


THEFTS: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "an object of its own": (CREATE, child("Deployment", owned=False), "controller is a Model"),
    "one that no watch sees": (CREATE, child("Deployment", labelled=False), "with the label"),
    "pods on the host": (CREATE, child("Deployment", hostPID=True), "hostPath, host namespaces"),
    "a ConfigMap that others read": (CREATE, child("ConfigMap"), "records or ledgers"),
    "somebody's Deployment": (
        ("label", "deployment", "theirs", "a=b"), None, "controller is a ModelDeployment"
    ),
    "somebody's pods": (
        ("scale", "deployment", "theirs", "--replicas=0"), None, "only Deployments of revisions"
    ),
    "somebody's Service": (
        ("delete", "service", "theirs"), None, "controller is a ModelDeployment"
    ),
    "a ConfigMap named like a ledger": (
        ("label", "configmap", "books-ledger", "a=b"), None, "controller is a ModelDeployment"
    ),
    "another model": (
        ("patch", "mdep", NAME, "--type=merge", "-p", '{"spec":{"model":{"uri":"oci://evil"}}}'),
        None,
        "writes only rollback",
    ),
    "no supervision": (
        ("patch", "mdep", NAME, "--type=merge", "-p", '{"spec":{"paused":true}}'),
        None,
        "writes only rollback",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", THEFTS)
def test_a_stolen_token_does_not_change_what_belongs_to_others(
    plane: ControlPlane, tenant: str, what: str
) -> None:
    words, obj, said = THEFTS[what]
    assert said in stolen(plane, tenant, *words, obj=obj)


def test_a_stolen_token_makes_nothing_where_no_model_is_declared(
    plane: ControlPlane, tenant: str
) -> None:
    for kind in ("Deployment", "Service"):
        assert not stolen(plane, tenant, *CREATE, obj=child(kind))
        assert "no params found" in stolen(plane, "kube-system", *CREATE, obj=child(kind))
