"""Pod templates, which the schema of the CRD cannot look into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import RESERVED_ENV
from merit.api.quantity import Refused, shown


def check_job(job: Mapping[str, Any], field: str) -> None:
    """A JobSpec with the parts that are known here, and a pod. Raises Refused."""
    for key in job:
        if key not in ("template", "activeDeadlineSeconds", "backoffLimit"):
            raise Refused(
                "cannot be set here",
                "known here: template, activeDeadlineSeconds, backoffLimit",
                f"{field}.{shown(key)}",
            )
    for key, least in (("activeDeadlineSeconds", 1), ("backoffLimit", 0)):
        value = job.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            remedy = f"give a whole number from {least}"
            raise Refused(f"{shown(value)} is not accepted here", remedy, f"{field}.{key}")
    containers(job.get("template"), f"{field}.template")


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
