"""Pod templates, which the schema of the CRD cannot look into."""

from __future__ import annotations

from typing import Any

from merit.api.names import RESERVED_ENV
from merit.api.quantity import Refused, shown


def containers(template: Any, field: str) -> list[dict[str, Any]]:
    """The containers of a pod template that looks like one; reserved variables are refused."""
    pod = template.get("spec") if isinstance(template, dict) else None
    found = pod.get("containers") if isinstance(pod, dict) else None
    if not isinstance(pod, dict) or not isinstance(found, list) or not found:
        remedy = "give a PodTemplateSpec: spec: {containers: [...]}"
        raise Refused("has no containers", remedy, f"{field}.spec.containers")
    for kind in ("initContainers", "containers"):
        entries = pod.get(kind, [])
        for i, container in enumerate(entries if isinstance(entries, list) else []):
            where = f"{field}.spec.{kind}[{i}]"
            if not isinstance(container, dict):
                raise Refused("is no container", "give a map with name and image", where)
            env = container.get("env")
            for j, entry in enumerate(env if isinstance(env, list) else []):
                name = entry.get("name") if isinstance(entry, dict) else None
                if isinstance(name, str) and name.startswith(RESERVED_ENV):
                    raise Refused(
                        f"{shown(name)} is set by the operator",
                        f"choose a name that does not begin with {RESERVED_ENV}",
                        f"{where}.env[{j}].name",
                    )
    return found
