"""What the operator's token is worth to somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.cluster.controlplane import ControlPlane
from tests.apiserver.account import CREATE, child, stolen
from tests.apiserver.crds import apply
from tests.world.manifests import NAME, autoscaled

pytestmark = pytest.mark.apiserver


@pytest.fixture(scope="module")
def tenant(confined: ControlPlane) -> str:
    """A namespace with a ModelDeployment, and with what belongs to others."""
    confined.kubectl("create", "namespace", "tenant")
    manifest = autoscaled("good")
    manifest["metadata"]["namespace"] = "tenant"
    apply(confined, manifest)
    for obj in (child("Deployment", owned=False, labelled=False),
                child("Service", owned=False, labelled=False),
                child("ConfigMap", owned=False, labelled=False)):  # fmt: skip
        name = "books-ledger" if obj["kind"] == "ConfigMap" else "theirs"
        apply(confined, obj | {"metadata": {"name": name, "namespace": "tenant"}})
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
    confined: ControlPlane, tenant: str, what: str
) -> None:
    words, obj, said = THEFTS[what]
    assert said in stolen(confined, tenant, *words, obj=obj)


def test_a_stolen_token_makes_nothing_where_no_model_is_declared(
    confined: ControlPlane, tenant: str
) -> None:
    for kind in ("Deployment", "Service"):
        assert not stolen(confined, tenant, *CREATE, obj=child(kind))
        assert "no params found" in stolen(confined, "kube-system", *CREATE, obj=child(kind))
