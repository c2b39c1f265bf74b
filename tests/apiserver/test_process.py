"""The operator's process on a real API server: the Lease, its end, a kind that is not served."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e.cluster.controlplane import ControlPlane
from merit.kube.client import Cluster
from tests.apiserver.crds import define_merit
from tests.apiserver.objects import scorer
from tests.apiserver.processes import PATIENCE, Replica, environment, eventually, holder, lease

pytestmark = pytest.mark.apiserver
Start = Callable[[str], Replica]


@pytest.fixture
def start(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Start]:
    """Starts a replica under that identity."""
    started: list[Replica] = []

    def replica(identity: str) -> Replica:
        started.append(Replica(control_plane, tmp_path, identity))
        return started[-1]

    yield replica
    for each in started:
        each.kill()
    control_plane.kubectl("delete", "lease", "merit", "--ignore-not-found")


async def test_sigterm_releases_the_lease_and_the_standby_takes_over(
    control_plane: ControlPlane, cluster: Cluster, namespace: str, start: Start
) -> None:
    await cluster.create(scorer("stuck", namespace))
    first = start("first")
    await eventually(lambda: holder(control_plane) == "first")
    await eventually(lambda: first.printed(f"reconcile {namespace}/stuck"))
    second = start("second")
    await eventually(lambda: second.get("/readyz")[0] == 200)
    assert "merit_leader 0" in second.get("/metrics")[1]
    assert "merit_leader 1" in first.get("/metrics")[1]
    assert not second.printed("reconcile")

    second.signal(signal.SIGSTOP)  # so that what the first one leaves behind can be seen
    first.signal(signal.SIGTERM)
    await eventually(first.ended)
    assert first.process.returncode == 0
    released = lease(control_plane)
    assert (released.get("holderIdentity") or "", released["leaseDurationSeconds"]) == ("", 1)

    second.signal(signal.SIGCONT)
    await eventually(lambda: holder(control_plane) == "second")
    await eventually(lambda: second.printed(f"reconcile {namespace}/stuck"))
    assert second.get("/livez") == (200, "ok\n")
    families = text_string_to_metric_families(second.get("/metrics")[1])
    (requests,) = (family for family in families if family.name == "merit_api_requests")
    assert {"verb": "list", "code": "200"} in [sample.labels for sample in requests.samples]


async def test_a_leader_that_is_killed_is_followed_when_its_lease_has_expired(
    control_plane: ControlPlane, start: Start
) -> None:
    first = start("first")
    await eventually(lambda: holder(control_plane) == "first")
    second = start("second")
    await eventually(lambda: second.get("/readyz")[0] == 200)
    first.kill()
    await eventually(lambda: holder(control_plane) == "second")
    await eventually(lambda: "merit_leader 1" in second.get("/metrics")[1])


async def test_a_leader_that_was_stopped_and_continues_ends_instead_of_writing(
    control_plane: ControlPlane, start: Start
) -> None:
    only = start("only")
    await eventually(lambda: holder(control_plane) == "only")
    only.signal(signal.SIGSTOP)
    await asyncio.sleep(8.5)  # its deadline for a renewal; there is no event to wait for
    before = lease(control_plane)
    only.signal(signal.SIGCONT)
    await eventually(only.ended)
    assert only.process.returncode == 1
    assert lease(control_plane) == before


async def test_a_leader_whose_lease_was_taken_ends_at_once(
    control_plane: ControlPlane, start: Start
) -> None:
    only = start("only")
    await eventually(lambda: holder(control_plane) == "only")
    control_plane.kubectl(
        "patch", "lease", "merit", "--type=merge", "-p", '{"spec":{"holderIdentity":"other"}}'
    )
    await eventually(only.ended)
    assert only.process.returncode == 1


async def test_the_installed_command_leads_and_ends_on_sigterm(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("gatewayAPI: false\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "merit", "run", "--config", config,
        "--listen", "127.0.0.1:0", "--namespace", "kube-public",
        env=environment(control_plane), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        while b'"message": "leading"' not in await process.stderr.readline():
            assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    assert not lease(control_plane, "kube-public").get("holderIdentity")


async def test_a_kind_that_is_not_served_is_named_and_the_process_ends(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "bare") as bare:  # Gateway API was never installed here
        define_merit(bare)
        only = Replica(bare, tmp_path, "only", "gatewayAPI: true")
        await eventually(only.ended)
    assert only.process.returncode == 1
    assert only.printed("gateway.networking.k8s.io/v1 HTTPRoute (install Gateway API")
