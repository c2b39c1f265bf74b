"""The container that serves, and what its pods may be scaled by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.spec import Spec


def serving_container(spec: Spec) -> Mapping[str, Any]:
    """The container that serves: the only one, or the one whose ports hold serving.port."""
    containers = spec.serving.template["spec"]["containers"]
    named = [
        c
        for c in containers
        if any(p.get("containerPort") == spec.serving.port for p in c.get("ports") or ())
    ]
    found: Mapping[str, Any] = (named or containers)[0]
    return found


def may_scale(spec: Spec) -> bool:
    """Whether an autoscaler has something to go by: a range, and a request for CPU."""
    scale = spec.constraints.scale
    replicas = scale.replicas if scale else None
    if replicas is None or replicas.min >= replicas.max:
        return False
    asked = (serving_container(spec).get("resources") or {}).get("requests") or {}
    return bool(asked.get("cpu"))
