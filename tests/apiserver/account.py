"""The operator under its own account: an API server with the chart's rights and policies."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.paths import ClusterError
from merit.objects.workload import owner_reference
from tests.apiserver.crds import apply, define_gateway_api, define_merit
from tests.apiserver.processes import PATIENCE
from tests.chart.rendered import render

NAMESPACE, OWN, GONE = "models", "merit-system", "gone"
ACCOUNT = "system:serviceaccount:merit-system:merit"
NARROW = "system:serviceaccount:merit-system:narrow"  # with named namespaces
CREATE = ("create", "--dry-run=server")


def prepare(plane: ControlPlane) -> None:
    """The kinds, the namespaces, the rights of both operators, and the policies in force."""
    define_merit(plane)
    define_gateway_api(plane)
    for namespace in (NAMESPACE, OWN, GONE):
        plane.kubectl("create", "namespace", namespace)
    for obj in (*whole(), *narrow(), *policies()):
        apply(plane, obj)
    until_confined(plane)


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
