"""Pods that reach into their node are refused by the operator itself, admission or not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from merit.api.host_access import host_access
from merit.api.spec import Spec
from tests.api.manifests import good

WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "the host's network": ({"hostNetwork": True}, "hostNetwork"),
    "the host's processes": ({"hostPID": True}, "hostPID"),
    "the host's IPC": ({"hostIPC": True}, "hostIPC"),
    "a path of the host": (
        {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/"}}]},
        "volumes[1].hostPath",
    ),
    "a privileged init container": (
        {"initContainers": [{"name": "x", "securityContext": {"privileged": True}}]},
        "initContainers[0].securityContext.privileged",
    ),
}


@pytest.mark.parametrize("where", ["serving", "evaluation.job", "retrain.job"])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_refused_with_its_field_and_a_remedy(way: str, where: str) -> None:
    more, field = WAYS[way]
    raw = copy.deepcopy(good()["spec"])
    pod = {"containers": [{"name": "train", "image": "t:1"}]}
    raw["retrain"] = {"job": {"template": {"spec": pod}}}
    part = raw
    for name in where.split("."):
        part = part[name]
    part["template"]["spec"] |= more
    refused = host_access(Spec.model_validate(raw))
    assert refused is not None
    assert refused.field == f"spec.{where}.template.spec.{field}"
    assert refused.reason == "HostAccessRefused"
    assert "pods.hostAccess" in refused.remedy


def test_templates_without_node_access_are_accepted() -> None:
    assert host_access(Spec.model_validate(good()["spec"])) is None
