"""The client, the watches and the process against a real API server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from e2e.cluster.controlplane import ControlPlane
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster, Conflict, Invalid, NotFound, Unreachable
from merit.cluster.intake import Intake
from merit.cluster.sweep import Sweep
from merit.cluster.watches import Watches, watched
from tests.api.manifests import good
from tests.conftest import CRD, define

pytestmark = pytest.mark.apiserver
ROOT = Path(__file__).parent.parent.parent
KINDS = watched(gateway_api=False)

Object = dict[str, Any]


def scorer(name: str, namespace: str) -> Object:
    return {**good(), "metadata": {"name": name, "namespace": namespace}}


def config_map(namespace: str, name: str = "thing", **data: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(namespace: str) -> Object:
    labels = {"merit.dev/name": "scorer"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "arm", "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "model", "image": "model:1"}]},
            },
        },
    }


@pytest_asyncio.fixture
async def cluster(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    client = await Cluster.connect()
    yield client
    await client.close()


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> str:
    name = "t-" + re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-50:].strip("-")
    control_plane.kubectl("create", "namespace", name)
    return name


async def test_creating_twice_is_a_conflict(cluster: Cluster, namespace: str) -> None:
    made = await cluster.create(config_map(namespace, a="1"))
    assert made["metadata"]["uid"]
    with pytest.raises(Conflict) as caught:
        await cluster.create(config_map(namespace, a="2"))
    assert caught.value.reason == "AlreadyExists"


async def test_a_dry_run_finds_a_misspelled_field_and_makes_nothing(
    cluster: Cluster, namespace: str
) -> None:
    wrong = deployment(namespace)
    wrong["spec"]["template"]["spec"]["continers"] = []
    with pytest.raises(Invalid, match="continers"):
        await cluster.create(wrong, dry_run=True)
    await cluster.create(deployment(namespace), dry_run=True)
    assert await cluster.get("apps/v1", "Deployment", namespace, "arm") is None


async def test_an_apply_with_a_stale_version_or_another_uid_is_refused(
    cluster: Cluster, namespace: str
) -> None:
    first = await cluster.create(config_map(namespace, a="1"))
    fence = {name: first["metadata"][name] for name in ("name", "namespace", "uid")}
    fresh = {**fence, "resourceVersion": first["metadata"]["resourceVersion"]}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": fresh, "data": {"a": "2"}}
    assert (await cluster.apply(body))["data"] == {"a": "2"}
    with pytest.raises(Conflict):
        await cluster.apply({**body, "data": {"a": "3"}})
    other = {**fence, "uid": "00000000-0000-0000-0000-000000000000"}
    with pytest.raises(Invalid, match="uid"):
        await cluster.apply({**body, "metadata": other})


async def test_an_apply_with_a_uid_never_resurrects(cluster: Cluster, namespace: str) -> None:
    first = await cluster.create(config_map(namespace))
    await cluster.delete(first, uid=first["metadata"]["uid"])
    fence = {name: first["metadata"][name] for name in ("name", "namespace", "uid")}
    with pytest.raises((Conflict, NotFound)):
        await cluster.apply({**config_map(namespace), "metadata": fence})
    assert await cluster.get("v1", "ConfigMap", namespace, "thing") is None


async def test_status_is_written_whole_and_only_onto_the_newest_version(
    cluster: Cluster, namespace: str
) -> None:
    first = await cluster.create(scorer("scorer", namespace))
    told = {"phase": "Canary 5%", "summary": "so far", "observedGeneration": 1}
    second = await cluster.patch_status(first, told)
    assert {k: second["status"][k] for k in told} == told
    third = await cluster.patch_status(second, {"phase": "Live", "observedGeneration": 1})
    assert third["status"]["phase"] == "Live"
    assert "summary" not in third["status"]
    with pytest.raises(Conflict):
        await cluster.patch_status(second, {"phase": "Stale", "observedGeneration": 1})


async def test_scaling_changes_the_replicas_and_nothing_else(
    cluster: Cluster, namespace: str
) -> None:
    made = await cluster.create(deployment(namespace))
    await cluster.scale(made, 3)
    found = await cluster.get("apps/v1", "Deployment", namespace, "arm")
    assert found is not None
    assert found["spec"]["replicas"] == 3
    assert found["spec"]["template"] == made["spec"]["template"]


async def test_deleting_the_successor_of_that_name_is_refused_and_a_missing_one_is_fine(
    cluster: Cluster, namespace: str
) -> None:
    made = await cluster.create(config_map(namespace))
    with pytest.raises(Conflict):
        await cluster.delete(made, uid="00000000-0000-0000-0000-000000000000")
    await cluster.delete(made, uid=made["metadata"]["uid"])
    await cluster.delete(made, uid=made["metadata"]["uid"])


async def test_a_list_of_nothing_is_empty_though_the_server_says_null(
    cluster: Cluster, namespace: str
) -> None:
    found = await cluster.list("v1", "ConfigMap", namespace=namespace, labels="merit.dev/name=none")
    assert found == []


async def test_a_list_is_read_page_by_page(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("merit.cluster.client.PAGE", 2)
    for n in range(5):
        await cluster.create(config_map(namespace, f"thing-{n}"))
    found = await cluster.list("v1", "ConfigMap", namespace=namespace)
    names = {
        obj["metadata"]["name"] for obj in found if obj["metadata"]["name"] != "kube-root-ca.crt"
    }
    assert names == {f"thing-{n}" for n in range(5)}
    assert found[0]["kind"] == "ConfigMap"
    bare = await cluster.list("v1", "ConfigMap", namespace=namespace, metadata_only=True)
    assert len(bare) == len(found)
    assert "data" not in bare[0]


async def test_an_answer_that_takes_too_long_is_an_error_of_ours(cluster: Cluster) -> None:
    with pytest.raises(Unreachable):
        await cluster.get("v1", "Namespace", None, "default", timeout=0.000001)


async def test_which_apis_are_served_is_known(cluster: Cluster) -> None:
    assert await cluster.serves("merit.dev/v1alpha1", "ModelDeployment")
    assert await cluster.serves("v1", "Pod")
    assert not await cluster.serves("nobody.example.com/v1", "Nothing")
    assert not await cluster.serves("v1", "Nothing")


async def until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


async def test_watches_fill_the_cache_and_wake_the_owner(cluster: Cluster, namespace: str) -> None:
    cache, woken = Cache(), list[Key]()
    watches = Watches(KINDS, Intake(cache, woken.append).seen, namespaces=[namespace])
    watches.start()
    made = await cluster.create(scorer("scorer", namespace))
    key = Key(namespace, "scorer")
    await until(lambda: cache.get("ModelDeployment", *key) is not None)
    arm = await cluster.create(deployment(namespace))
    unlabelled = deployment(namespace)
    unlabelled["metadata"] = {"name": "else", "namespace": namespace}
    await cluster.create(unlabelled)
    await until(lambda: bool(cache.children(*key, "Deployment")))
    woken.clear()
    await cluster.delete(arm, uid=arm["metadata"]["uid"])
    await until(lambda: not cache.children(*key, "Deployment"))
    assert key in woken
    assert cache.get("Deployment", namespace, "else") is None
    found = await cluster.get("merit.dev/v1alpha1", "ModelDeployment", *key)
    assert found is not None
    assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    await watches.stop(5)


async def test_endpoint_slices_carry_the_label_of_their_service(
    cluster: Cluster, namespace: str
) -> None:
    # Only kube-controller-manager's endpointslice controller copies labels; it does not run here,
    # so this asks the selector of the watch, with a slice as that controller makes it.
    labels = {"merit.dev/name": "scorer", "kubernetes.io/service-name": "scorer-1b2ac0de"}
    metadata = {"name": "s", "namespace": namespace, "labels": labels}
    await cluster.create(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
            "ports": [],
        }
    )
    cache = Cache()
    intake = Intake(cache, lambda key: None)
    await Sweep(cluster, cache, intake, KINDS, namespaces=[namespace]).fill()
    (found,) = cache.children(namespace, "scorer", "EndpointSlice")
    assert found["endpoints"] == [{"conditions": {"ready": True}}]


class Process:
    """One replica as a process of its own."""

    def __init__(self, control_plane: ControlPlane, directory: Path, identity: str) -> None:
        config = directory / "config.yaml"
        config.write_text("gatewayAPI: false\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        script = ROOT / "tests" / "apiserver" / "operator_process.py"
        self.out = directory / f"{identity}.out"
        with self.out.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, script, config, identity, str(self.port)],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "KUBECONFIG": str(control_plane.kubeconfig),
                    "PYTHONPATH": str(ROOT / "operator"),
                },
            )

    def asked(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def replicas(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    started: list[Process] = []

    def start(identity: str) -> Process:
        started.append(Process(control_plane, tmp_path, identity))
        return started[-1]

    yield start
    for each in started:
        each.end()
    control_plane.kubectl("delete", "lease", "merit", "--ignore-not-found")


def holder(control_plane: ControlPlane) -> str:
    text = control_plane.kubectl("get", "lease", "merit", "-o", "json", "--ignore-not-found")
    return json.loads(text)["spec"].get("holderIdentity") or "" if text else ""


async def test_sigterm_releases_the_lease_and_the_standby_takes_over_within_three_seconds(
    control_plane: ControlPlane,
    cluster: Cluster,
    namespace: str,
    replicas: Callable[[str], Process],
) -> None:
    await cluster.create(scorer("stuck", namespace))
    first = replicas("first")
    await until(lambda: holder(control_plane) == "first", 30)
    await until(lambda: f"reconcile {namespace}/stuck" in first.out.read_text())
    second = replicas("second")
    await until(lambda: second.asked("/readyz")[0] == 200, 30)
    assert "merit_leader 0" in second.asked("/metrics")[1]
    assert "merit_leader 1" in first.asked("/metrics")[1]
    assert "reconcile" not in second.out.read_text()

    began = time.monotonic()
    first.process.send_signal(signal.SIGTERM)
    # The sweep of the first look is spread over a moment; the Lease is what must not wait.
    await until(lambda: holder(control_plane) == "second", 10)
    assert time.monotonic() - began < 3.5
    await until(lambda: first.process.poll() is not None)
    assert first.process.returncode == 0
    await until(lambda: f"reconcile {namespace}/stuck" in second.out.read_text())
    assert second.asked("/livez") == (200, "ok\n")
    code, figures = second.asked("/metrics")
    assert code == 200
    assert 'merit_api_requests_total{verb="list",code="200"}' in figures


async def test_a_leader_that_is_killed_is_followed_within_fifteen_seconds(
    control_plane: ControlPlane, replicas: Callable[[str], Process]
) -> None:
    first = replicas("first")
    await until(lambda: holder(control_plane) == "first", 30)
    second = replicas("second")
    await until(lambda: second.asked("/readyz")[0] == 200, 30)
    first.process.kill()
    await until(lambda: holder(control_plane) == "second", 15)
    await until(lambda: "merit_leader 1" in second.asked("/metrics")[1])


async def test_a_leader_that_was_stopped_and_goes_on_ends_instead_of_writing(
    control_plane: ControlPlane, replicas: Callable[[str], Process]
) -> None:
    only = replicas("only")
    await until(lambda: holder(control_plane) == "only", 30)
    only.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(8.5)  # the deadline, and nothing that could be waited for
    only.process.send_signal(signal.SIGCONT)
    await until(lambda: only.process.poll() is not None, 3)
    assert only.process.returncode == 1


async def test_a_leader_whose_lease_was_taken_leaves_at_once(
    control_plane: ControlPlane, replicas: Callable[[str], Process]
) -> None:
    only = replicas("only")
    await until(lambda: holder(control_plane) == "only", 30)
    control_plane.kubectl(
        "patch", "lease", "merit", "--type=merge", "-p", '{"spec":{"holderIdentity":"other"}}'
    )
    await until(lambda: only.process.poll() is not None)
    assert only.process.returncode == 1


async def test_the_installed_command_leads_and_leaves_on_sigterm(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("gatewayAPI: false\n")
    command = ["run", "--config", config, "--listen", "127.0.0.1:0", "--namespace", "kube-public"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "merit",
        *command,
        env={
            **os.environ,
            "KUBECONFIG": str(control_plane.kubeconfig),
            "PYTHONPATH": str(ROOT / "operator"),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while b'"message": "leading"' not in await process.stderr.readline():
            assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        _, told = await process.communicate()
    assert process.returncode == 0, told.decode()
    lease = control_plane.kubectl("get", "lease", "merit", "-n", "kube-public", "-o", "json")
    assert not json.loads(lease)["spec"].get("holderIdentity")


async def test_a_missing_api_is_named_and_the_process_ends(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "bare") as bare:  # Gateway API was never installed here
        define(bare, str(CRD))
        only = Process(bare, tmp_path, "only")
        only.end()
        (tmp_path / "config.yaml").write_text("gatewayAPI: true\n")
        done = subprocess.run(
            only.process.args,
            env={
                **os.environ,
                "KUBECONFIG": str(bare.kubeconfig),
                "PYTHONPATH": str(ROOT / "operator"),
            },
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 1
    assert "gateway.networking.k8s.io/v1 HTTPRoute (install Gateway API" in done.stderr
